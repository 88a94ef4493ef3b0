//! The camera room and the program on a V4L2 device of a real kernel: the test driver `vivid` in a virtual machine.
//!
//! Started by `scripts/test_v4l2`, which boots that machine and runs this file inside. `vivid` draws colour bars with
//! known colours, offers every format, unplugs, and makes errors on demand.
//!
//! Reference: The kernel's documentation, "The Virtual Video Test Driver (vivid)".

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "what was seen in the machine is told outside")]

mod common;
#[path = "common/vivid.rs"]
mod vivid;

use common::{HEIGHT, WIDTH, model, write_bundle};
use parallax_camera::{Arrival, Error, Fault, Shot, Source, Stamp, devices};
use parallax_core::frame::{PixelFormat, Timestamp};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vivid::{
    BARS, BUFFER_ERROR, DISCONNECT, FATAL_ERROR, PERCENT_DROPPED, QBUF_ERROR, REQBUFS_ERROR, STREAMON_ERROR, WEBCAM,
    WRAP_SEQUENCE, WRAP_TIME, in_the_machine, load, plug, set,
};

const PATIENCE: Duration = Duration::from_millis(100);
/// The promise: back within this time after the return.
const RECOVERY: Duration = Duration::from_secs(2);
/// An emulated machine that gets no share of the real one's cores stands still now and then.
const PATIENT: Duration = Duration::from_secs(10);

/// What comes next, with frames checked: newer than the last one and not old.
struct Watcher {
    source: Source,
    shot: Shot,
    last: Timestamp,
    sequence: Option<u64>,
}

impl Watcher {
    fn open(uri: &str) -> Self {
        let source = Source::open(uri).unwrap();
        Self { source, shot: Shot::default(), last: Timestamp::default(), sequence: None }
    }

    /// A frame with its number of dropped ones and how long the camera was away, or the loss.
    fn next(&mut self, patience: Duration) -> Option<Result<(u64, Option<Duration>), Fault>> {
        let start = Instant::now();
        while start.elapsed() < patience {
            match self.source.next_into(&mut self.shot, PATIENCE) {
                Ok(Arrival::Fresh { dropped, away }) => {
                    let frame = &self.shot.left;
                    assert!(frame.timestamp > self.last, "a frame that is no newer than the last one");
                    let age = parallax_camera::now().since(frame.timestamp);
                    assert!(age < Duration::from_secs(1), "a frame that is {age:?} old");
                    assert!(Some(frame.sequence) > self.sequence, "numbers grow");
                    (self.last, self.sequence) = (frame.timestamp, Some(frame.sequence));
                    return Some(Ok((dropped, away)));
                }
                Ok(Arrival::Nothing) => {}
                Ok(Arrival::End) => panic!("a device does not end"),
                Err(Error::LostCamera { fault, .. }) => return Some(Err(fault)),
                Err(other) => panic!("{other}"),
            }
        }
        None
    }

    /// So many frames in a row without a loss.
    fn frames(&mut self, count: usize) {
        for _ in 0..count {
            self.next(PATIENT).expect("frames come").expect("no loss");
        }
    }

    fn loss(&mut self) -> Fault {
        let start = Instant::now();
        while start.elapsed() < PATIENT {
            if let Some(Err(fault)) = self.next(PATIENCE) {
                return fault;
            }
        }
        panic!("the loss is not told");
    }

    /// How long until the first frame after a loss, which says how long the camera was away.
    fn recovery(&mut self) -> Duration {
        let start = Instant::now();
        let (_, away) = self.next(PATIENT).expect("back").expect("back, not lost again");
        assert!(away.is_some(), "the first frame after a loss says so");
        start.elapsed()
    }
}

/// Holds a picture against the bars, to the roundings of limited range; a gray one against their brightness (the driver's
/// is that of BT.709).
fn check_bars(shot: &Shot, what: &str) {
    let picture = shot.left.to_rgb().unwrap();
    let (width, height) = picture.dimensions();
    for (index, bar) in BARS.iter().enumerate() {
        // The middle of the bar, below the text that the driver writes into the picture.
        let x = (2 * index as u32 + 1) * width / 16;
        let found = picture.get_pixel(x, height * 7 / 8).0;
        let luma = (0.2126 * f64::from(bar[0]) + 0.7152 * f64::from(bar[1]) + 0.0722 * f64::from(bar[2])).round() as u8;
        let expected = if shot.left.format == PixelFormat::Gray8 { [luma; 3] } else { *bar };
        let furthest = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(furthest <= 4, "{what}: bar {index} at {x} is {found:?}, not {expected:?}");
    }
}

fn lists_what_there_is() {
    load(WEBCAM);
    let all = devices();
    assert_eq!(all.len(), 1, "{all:?}");
    let device = &all[0];
    assert_eq!(
        (device.driver.as_str(), device.path.as_path(), &device.problem),
        ("vivid", Path::new("/dev/video0"), &None)
    );
    let yuyv = device.formats.iter().find(|format| format.name == Some("yuyv")).unwrap();
    let vga = yuyv.sizes.iter().find(|size| (size.width, size.height) == (640, 480)).unwrap();
    assert_eq!(vga.fps.first(), Some(&25.0), "{vga:?}");
    assert!(device.formats.iter().any(|format| format.name.is_none()), "formats that are not understood are listed");
    let brightness = device.controls.iter().find(|control| control.name == "brightness").unwrap();
    assert_eq!((brightness.minimum, brightness.maximum, brightness.settable), (0, 255, true));
}

fn every_format_shows_the_colour_bars(parameters: &str) {
    load(parameters);
    let formats = devices().remove(0).formats;
    let codes: Vec<(String, &str)> =
        formats.into_iter().filter_map(|format| Some((format.code, format.name?))).collect();
    println!("{parameters}: {codes:?}");
    // NM12 is NV12 with each plane in memory of its own.
    assert_eq!(codes.iter().any(|(code, _)| code == "NM12"), parameters.contains("multiplanar=2"));
    assert!(codes.len() >= 14, "{codes:?}");
    for (code, name) in codes {
        for size in ["640x480", "320x180"] {
            let mut watcher = Watcher::open(&format!("/dev/video0?format={code}&size={size}"));
            watcher.frames(3);
            check_bars(&watcher.shot, &format!("{code} {size}"));
            let description = watcher.source.description().unwrap();
            assert_eq!(description.layout.unwrap().format.name(), name);
            assert!(matches!(description.stamps, Stamp::Exposure | Stamp::EndOfFrame), "{description:?}");
        }
    }
}

fn wishes_are_granted_or_refused_in_words() {
    load(WEBCAM);
    let watcher = Watcher::open("/dev/video0?size=320x180&fps=15&control.brightness=77");
    let description = watcher.source.description().unwrap();
    let brightness = description.controls.iter().find(|control| control.name == "brightness").unwrap();
    assert_eq!((brightness.value, brightness.asked), (77, Some(77)));
    assert_eq!((watcher.source.size(), description.fps), ((320, 180), Some(15.0)));
    let error = Source::open("/dev/video0").unwrap_err();
    assert!(error.hint().unwrap().contains("another program"), "{error}");
    drop(watcher);
    for (wish, said) in [
        ("size=641x480", "expected 641x480"),
        ("format=mjpeg", "expected mjpeg, the camera has"),
        ("fps=1000", "1000 frames per second"),
        ("control.no_such=1", "brightness"),
        ("control.brightness=256", "within 0 and 255"),
        ("focus=10", "no control for a fixed focus"),
    ] {
        let error = Source::open(&format!("/dev/video0?{wish}")).unwrap_err();
        assert!(error.to_string().contains(said), "{wish}: {error}");
    }
}

fn twenty_times_unplugged_it_comes_back_without_an_old_frame() {
    load(WEBCAM);
    let mut watcher = Watcher::open("/dev/video0?fps=25&size=640x480");
    let mut returns = Vec::new();
    for cycle in 0..20u32 {
        watcher.frames(5);
        plug("unbind");
        let fault = watcher.loss();
        assert!(matches!(fault, Fault::Gone | Fault::System { .. }), "{fault}");
        std::thread::sleep(Duration::from_millis(u64::from(cycle % 4) * 400));
        plug("bind");
        let returned = parallax_camera::now();
        returns.push(watcher.recovery());
        assert!(watcher.last > returned, "the first frame is of the time after its return");
    }
    returns.sort_unstable();
    println!("returns: {:?} at half of them, {:?} at most", returns[10], returns[19]);
    assert!(returns[16] <= RECOVERY, "{returns:?}");
    assert_eq!(watcher.source.counters().unwrap().losses, 20);
}

fn errors_of_the_driver_are_survived() {
    load(WEBCAM);
    let mut watcher = Watcher::open("/dev/video0?fps=30&size=320x180");
    watcher.frames(5);
    set(BUFFER_ERROR, 1);
    watcher.frames(10);
    assert!(watcher.source.counters().unwrap().corrupt >= 1, "the driver marked a buffer as wrong");
    for (name, buttons) in [
        ("disconnect", vec![DISCONNECT]),
        ("fatal", vec![FATAL_ERROR]),
        ("no buffers at the return", vec![REQBUFS_ERROR, FATAL_ERROR]),
        ("no start at the return", vec![STREAMON_ERROR, FATAL_ERROR]),
    ] {
        buttons.into_iter().for_each(|button| set(button, 1));
        let fault = watcher.loss();
        println!("{name}: {fault}; back after {:?}", watcher.recovery());
        watcher.frames(10);
    }
    // A buffer that cannot be given back is a loss or costs one look; either way frames go on.
    set(QBUF_ERROR, 1);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        watcher.next(PATIENT).expect("news").ok();
    }
    watcher.frames(10);
}

fn missing_frames_are_counted_and_silence_is_a_loss() {
    load(WEBCAM);
    let mut watcher = Watcher::open("/dev/video0?fps=30&size=320x180");
    set(PERCENT_DROPPED, 50);
    watcher.frames(30);
    let counters = watcher.source.counters().unwrap();
    assert!(counters.skipped >= 5, "half of the frames are missing: {counters:?}");
    set(PERCENT_DROPPED, 100);
    let start = Instant::now();
    assert!(matches!(watcher.loss(), Fault::Stalled { .. }));
    println!("a stall of 1 s is told after {:?}", start.elapsed());
    std::thread::sleep(Duration::from_secs(1));
    set(PERCENT_DROPPED, 0);
    println!("after a stall: back after {:?}", watcher.recovery());
    watcher.frames(30);
}

fn numbers_and_clocks_may_wrap() {
    load(WEBCAM);
    set(WRAP_SEQUENCE, 1);
    set(WRAP_TIME, 1);
    let mut watcher = Watcher::open("/dev/video0?fps=30&size=320x180");
    watcher.frames(150);
    let counters = watcher.source.counters().unwrap();
    println!("wrapping: {counters:?}");
    assert_eq!(counters.losses, 0);
    assert!(counters.skipped < 100, "{counters:?}");
}

fn two_cameras_are_a_stereo_pair() {
    load("n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x0,0x0");
    let camera = |number| format!("v4l2:/dev/video{number}?fps=30&size=320x180");
    let mut watcher = Watcher::open(&format!("stereo:{}|{}#tolerance=20ms", camera(0), camera(1)));
    for _ in 0..30 {
        watcher.frames(1);
        let (left, right) = (watcher.shot.left.timestamp, watcher.shot.right.as_ref().unwrap().timestamp);
        assert!(left.since(right).max(right.since(left)) <= Duration::from_millis(20));
    }
}

fn edge(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("PARALLAX_EDGE").unwrap());
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn the_program_makes_masks_until_it_is_told_to_stop() {
    load(WEBCAM);
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    write_bundle(&bundle, model("Conv", WIDTH, HEIGHT), |_| {});
    let (bundle, out) = (bundle.to_str().unwrap(), folder.path().join("out"));
    let listed = edge(&["devices", "--json"]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["devices"][0]["driver"], "vivid");
    let text = edge(&["devices"]).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    for part in ["v4l2:/dev/video0", "format=yuyv", "size=640x480  fps=25, 15", "control.brightness=128  0 to 255 by 1"]
    {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }

    let out_text = out.to_str().unwrap();
    let from = "/dev/video0?fps=25&size=640x480";
    let output = edge(&["run", "--from", from, "--bundle", bundle, "--out", out_text, "--limit", "20", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    println!("age {}, counters {}", summary["age"], summary["counters"]);
    assert_eq!((&summary["frames"], &summary["camera"]["driver"]), (&20.into(), &"vivid".into()));
    // `red` is where more than half of red is: the white, yellow, magenta and red bars.
    let mask = image::open(out.join("masks/000000.png")).unwrap().to_luma8();
    for (index, bar) in BARS.iter().enumerate() {
        let found = mask.get_pixel((2 * index as u32 + 1) * 40, 420).0[0];
        assert_eq!(found, if bar[0] > 127 { 7 } else { 0 }, "bar {index}");
    }

    let out = folder.path().join("stopped");
    let mut running =
        edge(&["run", "--from", from, "--bundle", bundle, "--out", out.to_str().unwrap()]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    plug("unbind");
    let mut told = BufReader::new(running.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.any(|line| line.contains("lost the camera")), "the loss is told on stderr");
    let terminated = Command::new("/bin/kill").arg(running.id().to_string()).status().unwrap();
    assert!(terminated.success());
    let start = Instant::now();
    let status = running.wait().unwrap();
    assert!(start.elapsed() < PATIENT, "ends soon although the camera is away: {:?}", start.elapsed());
    assert_eq!(status.code(), Some(3), "done, but the camera was lost");
    assert!(out.join("summary.json").exists());
    plug("bind");
}

// One test: they all load and break the same driver.
#[test]
fn a_device_of_a_real_kernel_gives_what_it_promises_and_is_survived_when_it_does_not() {
    if !in_the_machine("scripts/test_v4l2") {
        return;
    }
    let tell = |name: &str, test: &dyn Fn()| {
        let start = Instant::now();
        test();
        println!("ok   {name} ({:.1} s)", start.elapsed().as_secs_f64());
    };
    tell("lists what there is", &lists_what_there_is);
    tell("every format shows the colour bars", &|| every_format_shows_the_colour_bars(WEBCAM));
    tell("and through several planes", &|| every_format_shows_the_colour_bars(&format!("{WEBCAM} multiplanar=2")));
    tell("wishes are granted or refused in words", &wishes_are_granted_or_refused_in_words);
    tell("missing frames are counted and silence is a loss", &missing_frames_are_counted_and_silence_is_a_loss);
    tell("errors of the driver are survived", &errors_of_the_driver_are_survived);
    tell("numbers and clocks may wrap", &numbers_and_clocks_may_wrap);
    tell("two cameras are a stereo pair", &two_cameras_are_a_stereo_pair);
    tell("the program makes masks until it is told to stop", &the_program_makes_masks_until_it_is_told_to_stop);
    tell("twenty times unplugged it comes back", &twenty_times_unplugged_it_comes_back_without_an_old_frame);
}
