//! The program as it runs on a board, on that board's kernel and a camera that breaks in every way it can.
//!
//! Started by `scripts/test_board` inside a virtual machine with an ARM processor and the test driver `vivid`. What it
//! leaves in `/tmp/out` (recordings, and the masks made of them) is compared with what this machine makes of the same
//! frames by `tests/tests/the_board_gives_the_workstations_masks.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "what was seen in the machine is told outside")]

mod common;
#[path = "common/vivid.rs"]
mod vivid;

use common::{HEIGHT, WIDTH, model, write_bundle};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use vivid::{
    BARS, BUFFER_ERROR, DISCONNECT, FATAL_ERROR, PERCENT_DROPPED, QBUF_ERROR, REQBUFS_ERROR, STREAMON_ERROR, WEBCAM,
    WRAP_SEQUENCE, WRAP_TIME, in_the_machine, load, plug, set,
};

/// The promise: masks of the returned camera within this time.
const RECOVERY: Duration = Duration::from_secs(2);
/// An emulated machine that gets no share of the real one's cores stands still now and then.
const PATIENT: Duration = Duration::from_secs(20);
/// How old a frame may be when the network gets it.
const MAX_AGE_MS: f64 = 1000.0;
const CAMERA: &str = "/dev/video0?fps=25&size=320x180";
/// What `scripts/test_board` put into the machine and what it takes out.
const GIVEN: &str = "/board";
const RESULTS: &str = "/tmp/out";

fn edge(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("PARALLAX_EDGE").unwrap());
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The program's words when it must end with 0.
fn done(arguments: &[&str]) -> String {
    let output = edge(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The codes that the camera offers, with the name of those that are understood.
fn formats() -> Vec<(String, Option<String>)> {
    let listed: Value = serde_json::from_str(&done(&["devices", "--json"])).unwrap();
    let formats = listed["devices"][0]["formats"].as_array().unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    formats.iter().map(|format| (text(&format["code"]).unwrap(), text(&format["name"]))).collect()
}

/// The mask of `red` (7) is where more than half of red is: in the white, yellow, magenta and red bars; in gray pictures
/// where more than half of BT.709's brightness is.
fn check_mask(path: &Path, format: &str) {
    let mask = image::open(path).unwrap().to_luma8();
    let (width, height) = mask.dimensions();
    for (index, [red, green, blue]) in BARS.map(|bar| bar.map(f64::from)).into_iter().enumerate() {
        let value = if format == "gray8" { 0.2126 * red + 0.7152 * green + 0.0722 * blue } else { red };
        let expected = if value > 127.0 { 7 } else { 0 };
        // The first of the two pixels that the network has of a bar, an eighth of which is the bar before it (of the second
        // an eighth would be the next bar, and gray green beside magenta is on the edge); in the last row, because above it
        // the driver writes into the picture.
        let found = mask.get_pixel(2 * index as u32 * width / 16, height * 15 / 16).0[0];
        assert_eq!(found, expected, "{format}: bar {index} of {}", path.display());
    }
}

fn every_format_becomes_the_right_mask_or_is_refused(parameters: &str) {
    load(parameters);
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("red.bundle");
    write_bundle(&bundle, model("Conv", WIDTH, HEIGHT), |_| {});
    let bundle = bundle.to_str().unwrap();
    let (known, unknown): (Vec<_>, Vec<_>) = formats().into_iter().partition(|(_, name)| name.is_some());
    assert!(known.len() >= 14 && !unknown.is_empty(), "{known:?} {unknown:?}");
    // NM12 is NV12 with each plane in memory of its own.
    assert_eq!(known.iter().any(|(code, _)| code == "NM12"), parameters.contains("multiplanar=2"));
    for (code, name) in &known {
        let (from, out) = (format!("/dev/video0?format={code}&size=320x180"), folder.path().join(code));
        let name = name.as_deref().unwrap();
        let out_text = out.to_str().unwrap();
        done(&["run", "--from", &from, "--bundle", bundle, "--out", out_text, "--limit", "2", "--no-overlays"]);
        check_mask(&out.join("masks/000001.png"), name);
        let summary = summary(&out);
        assert_eq!(summary["camera"]["layout"]["format"], name, "{summary}");
    }
    for (code, _) in unknown.iter().filter(|(code, _)| code.chars().all(|c| c.is_ascii_alphanumeric())) {
        let from = format!("/dev/video0?format={code}");
        let output = edge(&["run", "--from", &from, "--bundle", bundle, "--out", "/tmp/none"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{code}: {}", said(&output));
        assert!(said(&output).contains(code.as_str()), "{}", said(&output));
    }
    println!("{} formats give the right mask, {} are refused", known.len(), unknown.len());
}

fn summary(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap()
}

/// The kernel's clock of time stamps, in nanoseconds.
fn now_ns() -> u64 {
    parallax_camera::now().nanos()
}

/// A running program, followed line by line; each mask is checked to be of a frame that is newer than the one before
/// and was not old.
struct Running {
    child: Child,
    out: PathBuf,
    lines: Receiver<Value>,
    last_ns: u64,
    masks: u64,
    dropped: u64,
}

/// One line of it: a mask, with the moment at which it was there and whether the camera was away before; or a loss.
#[derive(Debug)]
enum News {
    Mask { at_ns: u64, after_loss: bool },
    Loss(String),
}

impl Running {
    fn start(from: &str, bundle: &str, out: &Path) -> Self {
        let arguments =
            ["run", "--from", from, "--bundle", bundle, "--out", out.to_str().unwrap(), "--json", "--no-overlays"];
        let mut child = edge(&arguments).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).all(|line| sender.send(serde_json::from_str(&line).unwrap()).is_ok())
        });
        Self { child, out: out.to_path_buf(), lines, last_ns: 0, masks: 0, dropped: 0 }
    }

    fn next(&mut self) -> News {
        let Ok(line) = self.lines.recv_timeout(PATIENT) else {
            panic!("no news for {PATIENT:?}; the process: {:?}", self.child.try_wait().unwrap());
        };
        if let Some(error) = line["error"].as_str() {
            return News::Loss(error.to_owned());
        }
        let (taken_ns, age_ms) = (line["timestamp_ns"].as_u64().unwrap(), line["age_ms"].as_f64().unwrap());
        assert!(taken_ns > self.last_ns, "a frame that is no newer than the last one: {line}");
        let stage = |name: &str| line["stages_ms"][name].as_f64().unwrap();
        let work_ms = ["decode", "prepare", "infer", "postprocess"].map(stage).iter().sum::<f64>();
        assert!(age_ms - work_ms <= MAX_AGE_MS, "a frame that was old before the work on it began: {line}");
        self.last_ns = taken_ns;
        self.masks += 1;
        self.dropped += line["dropped"].as_u64().unwrap();
        News::Mask { at_ns: taken_ns + (age_ms * 1e6) as u64, after_loss: line["away_ms"].is_number() }
    }

    /// So many masks in a row without a loss.
    fn masks(&mut self, count: usize) {
        for _ in 0..count {
            let news = self.next();
            assert!(matches!(news, News::Mask { after_loss: false, .. }), "{news:?}");
        }
    }

    /// What is said of the next loss; masks of frames that were taken before it may come first.
    fn loss(&mut self) -> String {
        let start = Instant::now();
        while start.elapsed() < PATIENT {
            if let News::Loss(why) = self.next() {
                return why;
            }
        }
        panic!("the loss is not told");
    }

    /// From the moment just before the camera's return to the first mask of a frame taken after it.
    fn recovery(&mut self, returned_ns: u64) -> Duration {
        let news = self.next();
        let News::Mask { at_ns, after_loss: true } = news else { panic!("not back: {news:?}") };
        assert!(self.last_ns > returned_ns, "the first frame is of the time after the return");
        Duration::from_nanos(at_ns - returned_ns)
    }

    /// Asks it to end; gives its exit code and summary.
    fn end(mut self) -> (Option<i32>, Value) {
        assert!(self.child.try_wait().unwrap().is_none(), "it is alive to the end");
        assert!(Command::new("/bin/kill").arg(self.child.id().to_string()).status().unwrap().success());
        let start = Instant::now();
        let code = self.child.wait().unwrap().code();
        assert!(start.elapsed() < PATIENT, "it ends soon: {:?}", start.elapsed());
        (code, summary(&self.out))
    }
}

/// Most returns are within the promise; the machine that this one is emulated on may stand still at some of them.
fn check_returns(what: &str, mut returns: Vec<Duration>) {
    returns.sort_unstable();
    let (half, most, longest) =
        (returns[returns.len() / 2], returns[returns.len() * 8 / 10], returns[returns.len() - 1]);
    println!("{what}: back after {half:?} at half of them, {most:?} at four of five, {longest:?} at most");
    assert!(most <= RECOVERY, "{what}: {returns:?}");
}

fn one_process_survives_everything() {
    load(WEBCAM);
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(CAMERA, &format!("{GIVEN}/int8.bundle"), &folder.path().join("masks"));
    let mut losses = 0;

    let mut returns = Vec::new();
    for cycle in 0..20u32 {
        running.masks(3);
        plug("unbind");
        let why = running.loss();
        assert!(why.contains("lost the camera"), "{why}");
        std::thread::sleep(Duration::from_millis(u64::from(cycle % 4) * 400));
        let returned_ns = now_ns();
        plug("bind");
        returns.push(running.recovery(returned_ns));
        losses += 1;
    }
    check_returns("twenty times unplugged", returns);

    set(BUFFER_ERROR, 1);
    running.masks(5);
    let mut returns = Vec::new();
    for (name, buttons) in [
        ("disconnected", vec![DISCONNECT]),
        ("a fatal error", vec![FATAL_ERROR]),
        ("no buffers at the return", vec![REQBUFS_ERROR, FATAL_ERROR]),
        ("no start at the return", vec![STREAMON_ERROR, FATAL_ERROR]),
    ] {
        // The driver is there again at once.
        let returned_ns = now_ns();
        buttons.into_iter().for_each(|button| set(button, 1));
        let why = running.loss();
        println!("{name}: {why}");
        returns.push(running.recovery(returned_ns));
        running.masks(3);
        losses += 1;
    }
    check_returns("errors of the driver", returns);
    // A buffer that cannot be given back is a loss or costs one look; either way masks go on.
    set(QBUF_ERROR, 1);
    let start = Instant::now();
    let mut away = false;
    while away || start.elapsed() < Duration::from_secs(1) {
        away = matches!(running.next(), News::Loss(_));
        losses += u64::from(away);
    }
    running.masks(3);

    let dropped = running.dropped;
    set(PERCENT_DROPPED, 50);
    running.masks(20);
    assert!(running.dropped > dropped, "missing frames are counted");
    set(PERCENT_DROPPED, 100);
    let why = running.loss();
    assert!(why.contains("no good picture for"), "{why}");
    let returned_ns = now_ns();
    set(PERCENT_DROPPED, 0);
    println!("silence: {why}; back after {:?}", running.recovery(returned_ns));
    losses += 1;
    running.masks(3);

    // The driver goes and comes back, and between the two there is another camera in its place: a television's.
    plug("unbind");
    running.loss();
    load("n_devs=1 node_types=0x1 num_inputs=1 input_types=0x01");
    let why = running.loss();
    assert!(why.contains("it is there and cannot be opened: expected"), "{why}");
    println!("another camera in its place: {why}");
    // Whoever looks at it just now lets go of it; only then can the driver be unloaded.
    plug("unbind");
    std::thread::sleep(Duration::from_millis(500));
    let returned_ns = now_ns();
    load(WEBCAM);
    println!("the driver loaded anew: back after {:?}", running.recovery(returned_ns));
    losses += 1;
    running.masks(3);

    // Numbers and clocks that overflow soon after the next start.
    let returned_ns = now_ns();
    for button in [WRAP_SEQUENCE, WRAP_TIME, FATAL_ERROR] {
        set(button, 1);
    }
    running.loss();
    running.recovery(returned_ns);
    losses += 1;
    running.masks(20);

    let masks = running.masks;
    let (code, summary) = running.end();
    println!("{masks} masks, {}, age {}", summary["counters"], summary["age"]);
    assert_eq!(code, Some(3), "done, but the camera was lost: {summary}");
    assert_eq!(summary["counters"]["losses"], losses, "{summary}");
    assert!(summary["counters"]["corrupt"].as_u64().unwrap() >= 1, "the driver marked a buffer as wrong: {summary}");
}

/// Masks of `recording` by both bundles, for the comparison with the workstation's; gives their number.
fn masks_for_comparison(recording: &str, name: &str) -> u64 {
    let masks = ["int8", "float"].map(|bundle| {
        let out = format!("{RESULTS}/{name}_{bundle}");
        let bundle = format!("{GIVEN}/{bundle}.bundle");
        done(&["run", "--from", recording, "--bundle", &bundle, "--out", &out, "--no-overlays"]);
        let summary = summary(Path::new(&out));
        println!("{out}: {}", summary["stages"]["infer"]);
        summary["frames"].as_u64().unwrap()
    });
    assert_eq!(masks[0], masks[1]);
    masks[0]
}

fn a_recording_becomes_masks() {
    // Exits with 3 if a convolution runs in float.
    println!("{}", done(&["inspect", "--kernels", &format!("{GIVEN}/int8.bundle")]));
    assert_eq!(masks_for_comparison(&format!("{GIVEN}/drive.mcap"), "drive"), 12);
}

/// Every frame is kept, the loss is told by the exit code, and what was recorded before and after it is whole.
fn a_camera_is_recorded_although_it_is_unplugged() {
    load(WEBCAM);
    let field = format!("{RESULTS}/field");
    let arguments = ["record", "--from", CAMERA, "--all", "--for", "8s", "--out", &field, "--json"];
    let recording = edge(&arguments).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    plug("unbind");
    std::thread::sleep(Duration::from_secs(1));
    plug("bind");
    let output = recording.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "done, but the camera was lost: {}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("recorded: {report}");
    assert!(report["lost"].as_u64().unwrap() >= 1, "{report}");
    let file = format!("{field}/000000.mcap");
    let masks = masks_for_comparison(&file, "camera");
    assert!(masks >= 10, "{masks} frames were recorded");
    // Beside its masks, where the comparison looks for it.
    std::fs::rename(file, format!("{RESULTS}/camera.mcap")).unwrap();
    std::fs::remove_dir_all(field).unwrap();
}

// One test: they all load and break the same driver.
#[test]
fn a_board_makes_masks_of_its_camera_whatever_happens_to_it() {
    if !in_the_machine("scripts/test_board") {
        return;
    }
    let tell = |name: &str, test: &dyn Fn()| {
        let start = Instant::now();
        test();
        println!("ok   {name} ({:.1} s)", start.elapsed().as_secs_f64());
    };
    tell("a recording becomes masks", &a_recording_becomes_masks);
    tell("every format", &|| every_format_becomes_the_right_mask_or_is_refused(WEBCAM));
    tell("and through several planes", &|| {
        every_format_becomes_the_right_mask_or_is_refused(&format!("{WEBCAM} multiplanar=2"));
    });
    tell("a camera is recorded although it is unplugged", &a_camera_is_recorded_although_it_is_unplugged);
    tell("one process survives everything", &one_process_survives_everything);
}
