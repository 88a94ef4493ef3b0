// The numbers beside the picture, twice a second; and which picture it is.
const byId = (id) => document.getElementById(id);
const number = (value, digits, unit) => (value == null ? "–" : value.toFixed(digits) + " " + unit);

for (const choice of document.querySelectorAll("input[name=view]")) {
  choice.addEventListener("change", () => { byId("view").src = "/stream/" + choice.value; });
}

function show(status) {
  const line = status.line;
  byId("state").dataset.state = status.state;
  byId("state").textContent = status.state;
  byId("error").hidden = status.state !== "lost" && status.state !== "not_finite";
  byId("error").textContent = line.error ?? "";
  byId("age").textContent = number(line.age_ms, 1, "ms");
  byId("since").textContent = number(status.since_ms, 0, "ms ago");
  byId("rate").textContent = number(status.frames_per_s, 1, "per second");
  byId("infer").textContent = number(line.stages_ms?.infer, 1, "ms") + (line.model ? ", " + line.model : "");
  byId("frame").textContent = line.frame;
  byId("dropped").textContent = status.dropped;
  byId("losses").textContent = status.losses;
  byId("temperature").textContent = number(line.temperature_c, 1, "°C");
}

async function poll() {
  try {
    show(await (await fetch("/status.json")).json());
  } catch {
    byId("state").dataset.state = "away";
    byId("state").textContent = "no answer";
  }
  setTimeout(poll, 500);
}

fetch("/about.json").then((answer) => answer.json()).then((about) => {
  byId("bundle").textContent = about.bundle + ", parallax " + about.version;
  for (const [name, color] of about.classes) {
    const swatch = document.createElement("i");
    swatch.style.background = "rgb(" + color.join(",") + ")";
    const label = document.createElement("span");
    label.append(swatch, name);
    byId("classes").append(label);
  }
});
poll();
