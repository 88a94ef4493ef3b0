//! A visitor of a page that `parallax_camera::preview` serves, for the tests of the programs that have one.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a part of several tests")]

use image::RgbImage;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longer than anything takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Visitor(SocketAddr);

impl Visitor {
    /// Of the page at `http://ADDRESS:PORT/`.
    pub fn of(page: &str) -> Self {
        Self(page.trim_start_matches("http://").trim_end_matches('/').parse().unwrap())
    }

    pub fn open(&self, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        write!(stream, "GET {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n").unwrap();
        stream
    }

    /// Status, head and body.
    pub fn get(&self, path: &str, headers: &str) -> (u16, String, String) {
        let mut answer = Vec::new();
        self.open(path, headers).read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
    }

    /// Waits until `/status.json` is as it should be.
    pub fn wait_for(&self, what: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let status = serde_json::from_str(&self.get("/status.json", "").2).unwrap();
            if what(&status) {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The next pictures of a Motion-JPEG stream; chunk sizes of the transfer lie between and inside of them.
pub fn pictures(stream: TcpStream, count: usize) -> Vec<RgbImage> {
    let (mut bytes, mut stream, mut found) = (Vec::new(), BufReader::new(stream), Vec::new());
    while found.len() < count {
        let mut line = Vec::new();
        assert!(stream.read_until(b'\n', &mut line).unwrap() > 0, "the stream has ended");
        bytes.extend(line);
        let start = bytes.windows(2).position(|pair| pair == [0xFF, 0xD8]);
        let end = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xD9]);
        if let (Some(start), Some(end)) = (start, end.filter(|end| Some(*end) > start)) {
            // A chunk of the transfer is a whole part here, so that the JPEG is in one piece.
            found.push(image::load_from_memory(&bytes[start..end + 2]).unwrap().to_rgb8());
            bytes.clear();
        }
    }
    found
}
