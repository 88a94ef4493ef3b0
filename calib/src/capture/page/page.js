// What is beside the picture, five times a second.
const byId = (id) => document.getElementById(id);
const number = (value, digits, unit) => (value == null ? "–" : value.toFixed(digits) + " " + unit);

byId("mirror").addEventListener("change", (event) => {
  byId("view").classList.toggle("mirrored", event.target.checked);
});

// A bar that is full at twice the bound, and green below it.
function bar(name, value, bound) {
  const meter = byId(name + "bar");
  meter.hidden = bound == null;
  if (bound == null) return;
  Object.assign(meter, { max: 2 * bound, low: bound, high: 1.5 * bound, optimum: 0, value: value ?? 2 * bound });
}

function show(status) {
  const state = status.lost ? "lost" : status.is_kept ? "kept" : "refused";
  byId("state").dataset.state = state;
  byId("state").textContent = status.lost ? "lost" : status.is_kept ? "kept" : (status.reason ?? "waiting").replaceAll("_", " ");
  byId("why").textContent = status.lost ?? status.why;
  byId("next").textContent = status.next;
  Object.assign(byId("viewsbar"), { max: status.wanted, value: status.views });
  byId("views").textContent = status.views + " of " + status.wanted + ", from " + status.frame + " pictures";
  bar("motion", status.motion_px, status.still_px);
  byId("motion").textContent = status.still_px == null ? "single photographs"
    : number(status.motion_px, 1, "px a picture (still: " + status.still_px + ")");
  bar("edges", status.edge_width_px, status.sharp_px);
  byId("edges").textContent = number(status.edge_width_px, 1, "px (sharp: " + status.sharp_px + ")");
  const [far, middle, near] = status.distances;
  byId("distances").textContent = `far ${far}, middle ${middle}, near ${near}`;
  const [facing, left, right, top, bottom] = status.tilts;
  byId("tilts").textContent = `left ${left}, right ${right}, upper ${top}, lower ${bottom}; facing ${facing}`;
  const known = status.knowledge;
  byId("verdict").textContent = known ? `${known.verdict} (${known.views} views)` : status.open ?? "–";
  byId("focal").textContent = known
    ? known.focal_px.toFixed(1) + " px" + (known.focal_sigma == null ? ", open" : ` ± ${(known.focal_sigma * 100).toFixed(2)} %`)
    : "–";
  byId("pixel").textContent = known ? number(known.pixel_sigma_px, 2, "px") : "–";
  byId("refused").textContent = Object.entries(status.refused)
    .map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`).join(", ") || "none";
  byId("missing").replaceChildren(...(known?.missing ?? []).map(([what, remedy]) => {
    const item = document.createElement("li");
    item.textContent = what + ": " + remedy;
    return item;
  }));
}

async function poll() {
  try {
    const status = await (await fetch("/status.json")).json();
    if (status) show(status);
  } catch {
    byId("state").dataset.state = "away";
    byId("state").textContent = "no answer";
  }
  setTimeout(poll, 200);
}
poll();
