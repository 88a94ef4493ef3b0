//! The page of `capture` from outside: a visitor without a token, with one, and a viewer of its stream.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod board_film;
#[path = "../../camera/tests/visitor/mod.rs"]
mod visitor;

use board_film::{BOARD, Film, SIZE};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use visitor::{Visitor, pictures};

/// A running capture, ended with the test.
struct Running {
    child: Child,
    visitor: Visitor,
    folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

const TOKEN: &str = "a-token.of_twenty~ch";

impl Running {
    /// On a film that starts again and again.
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Film::new(6, None).write(&folder.path().join("film"));
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let from = format!("{}?pace=recorded&repeat=1000", folder.path().join("film").display());
        let mut child = Command::new(env!("CARGO_BIN_EXE_parallax-calib"))
            .current_dir(folder.path())
            .args(["capture", "--from", &from, "--board", BOARD, "--out", "views", "--views", "100"])
            .args(["--http", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let visitor = loop {
            let line = log.next().expect("the program says where it serves").unwrap();
            if let Some((_, address)) = line.split_once("serving http://") {
                break Visitor::of(address.trim());
            }
        };
        // Nobody else reads it, and a full pipe would hold the program up.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, visitor, folder }
    }
}

#[test]
fn the_page_shows_moving_pictures_with_what_to_do_next() {
    let running = Running::start(&[]);
    let status =
        running.visitor.wait_for(|status| status["views"].as_u64() >= Some(3) && !status["knowledge"].is_null());
    assert!(status["next"].as_str().unwrap().contains("of the picture"), "{status}");
    assert!(status["corners"].as_array().unwrap().iter().any(|count| count.as_u64() > Some(0)), "{status}");
    assert!(!status["refused"].as_object().unwrap().is_empty(), "{status}");
    let seen = pictures(running.visitor.open("/stream", ""), 4);
    assert!(seen.iter().all(|picture| picture.dimensions() == SIZE));
    assert!(seen.windows(2).any(|pair| pair[0] != pair[1]), "the pictures do not move");
    // The outline of the next view is yellow; the rendered world is grey and covered fields green.
    let is_yellow = |pixel: &&image::Rgb<u8>| pixel.0[0] > 200 && pixel.0[1] > 150 && pixel.0[2] < 90;
    assert!(seen.iter().any(|picture| picture.pixels().filter(is_yellow).count() > 200));
    assert!(
        running.visitor.get("/", "").2.contains("/page.js")
            && running.visitor.get("/page.js", "").2.contains("/status.json")
    );
    assert_eq!(running.visitor.get("/nothing", "").0, 404);
}

#[test]
fn strangers_see_nothing() {
    let running = Running::start(&["--token-file", "token"]);
    assert!(running.folder.path().join("token").exists());
    for path in ["/", "/stream", "/status.json", "/page.js"] {
        assert_eq!(running.visitor.get(path, "").0, 401, "{path}");
        assert_eq!(running.visitor.get(&format!("{path}?token=a-token.of_another~c"), "").0, 401, "{path}");
    }
    let (code, head, _) = running.visitor.get(&format!("/?token={TOKEN}"), "");
    assert!(code == 303 && head.to_lowercase().contains("set-cookie: parallax_token="), "{head}");
    assert_eq!(running.visitor.get("/status.json", &format!("Cookie: parallax_token={TOKEN}\r\n")).0, 200);
    assert_eq!(pictures(running.visitor.open("/stream", &format!("Authorization: Bearer {TOKEN}\r\n")), 1).len(), 1);
    drop(running);
    let running = Running::start(&[]);
    assert_eq!(running.visitor.get("/", "Host: evil.example\r\n").0, 401, "a name of another machine");
    assert_eq!(running.visitor.get("/", "").0, 200);
}
