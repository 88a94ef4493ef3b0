//! What systemd hears: ready, a watchdog fed by the loop, stopping; and nothing of the watchdog while the loop hangs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{HEIGHT, WIDTH, model, picture, write_bundle};

/// Runs the program as a unit with a watchdog of 400 ms would: on a camera, or on a recording whose lines nobody reads.
fn unit(folder: &Path, unread: bool) -> (Child, UnixDatagram) {
    write_bundle(&folder.join("bundle"), model("Conv", WIDTH, HEIGHT), |_| {});
    picture(64, 32, 24).save(folder.join("view.jpg")).unwrap();
    let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
    let view = folder.join("view.jpg");
    let camera = format!("cmd:while :; do cat {}; sleep 0.02; done", view.display());
    let source = if unread { format!("{}?repeat=1000000", view.display()) } else { camera };
    let child = Command::new(env!("CARGO_BIN_EXE_parallax-edge"))
        .args(["run", "--from", &source, "--json", "--bundle"])
        .arg(folder.join("bundle"))
        .env("NOTIFY_SOCKET", folder.join("notify"))
        .env("WATCHDOG_USEC", "400000")
        .stdout(if unread { Stdio::piped() } else { Stdio::null() })
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
    let (mut child, socket) = unit(folder.path(), false);
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
    // A recording waits for whoever gets its lines; here that is a pipe which nobody reads, and which is full after some
    // hundred of them.
    let (mut child, socket) = unit(folder.path(), true);
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.recv(&mut [0; 64]).unwrap();
    // Five times as long as the watchdog waits without a sign of life.
    let start = Instant::now();
    while !heard(&socket, Duration::from_secs(2)).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "a loop that hangs is fed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
