//! What systemd hears: ready, a watchdog fed by the loop, stopping; and nothing of the watchdog while the loop hangs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{HEIGHT, WIDTH, model, picture, write_bundle};

/// Runs the program as a unit with a watchdog of 400 ms would.
fn unit(folder: &Path, more: &[&str]) -> (Child, UnixDatagram) {
    write_bundle(&folder.join("bundle"), model("Conv", WIDTH, HEIGHT), |_| {});
    picture(64, 32, 24).save(folder.join("view.jpg")).unwrap();
    let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
    let view = folder.join("view.jpg");
    let camera = format!("cmd:while :; do cat {}; sleep 0.02; done", view.display());
    let child = Command::new(env!("CARGO_BIN_EXE_parallax-edge"))
        .args(["run", "--from", &camera, "--json", "--bundle"])
        .arg(folder.join("bundle"))
        .args(more)
        .env("NOTIFY_SOCKET", folder.join("notify"))
        .env("WATCHDOG_USEC", "400000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (child, socket)
}

/// What is heard within `patience`, with the time since the call.
fn heard(socket: &UnixDatagram, patience: Duration) -> Vec<(Duration, String)> {
    let (start, mut bytes, mut heard) = (Instant::now(), [0; 512], Vec::new());
    while let Some(left) = patience.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left)).unwrap();
        let Ok(len) = socket.recv(&mut bytes) else { break };
        heard.push((start.elapsed(), String::from_utf8_lossy(&bytes[..len]).trim().to_owned()));
    }
    heard
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn ready_comes_first_then_the_watchdog_is_fed_and_the_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, socket) = unit(folder.path(), &[]);
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut bytes = [0; 64];
    let len = socket.recv(&mut bytes).unwrap();
    assert_eq!(std::str::from_utf8(&bytes[..len]).unwrap().trim(), "READY=1");
    let fed = heard(&socket, Duration::from_secs(2));
    assert!(fed.len() >= 4 && fed.iter().all(|(_, message)| message == "WATCHDOG=1"), "{fed:?}");

    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let end = heard(&socket, Duration::from_millis(200));
    assert!(end.iter().any(|(_, message)| message == "STOPPING=1"), "{end:?}");
}

#[test]
fn a_loop_that_hangs_is_not_fed() {
    let folder = tempfile::tempdir().unwrap();
    // The mask goes into a pipe that nobody reads: opening it is what hangs, within the work on a frame.
    let (mut child, socket) = unit(folder.path(), &["--out", folder.path().join("out").to_str().unwrap()]);
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.recv(&mut [0; 64]).unwrap();
    let masks = folder.path().join("out.partial/masks");
    let start = Instant::now();
    // Somewhere ahead of the frames that are already done.
    let ahead = std::fs::read_dir(&masks).unwrap().count() + 20;
    for frame in ahead..ahead + 5 {
        let made = Command::new("mkfifo").arg(masks.join(format!("{frame:06}.png.partial"))).status().unwrap();
        assert!(made.success());
    }
    std::thread::sleep(Duration::from_secs(3).saturating_sub(start.elapsed()));
    while !heard(&socket, Duration::from_millis(1)).is_empty() {}
    let hanging = heard(&socket, Duration::from_secs(1));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(hanging, []);
}
