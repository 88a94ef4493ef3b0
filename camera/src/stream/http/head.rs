//! The head of a server's answer, as servers really write it: with a status line of HTTP or of Shoutcast (`ICY 200 OK`),
//! with none before the fields, or with no head at all before the first boundary or picture. Lines may end in `\n` alone.

use crate::sys::{self, Readiness};
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// Bytes of an answer's head at most.
const HEAD_BYTES: usize = 16 * 1024;
/// How long one wait is: within this time it is noticed that nobody wants the answer any more.
const TURN: Duration = Duration::from_millis(100);
/// How much of a line that is not understood is quoted.
const QUOTED: usize = 80;

const NO_STREAM: &str = "check that the address is that of a Motion-JPEG stream: open it in a browser";

/// Why there is no stream.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub(super) what: String,
    pub(super) hint: &'static str,
}

impl NoAnswer {
    fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self { what: what.into(), hint }
    }
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// None where there is no status line, which is taken for 200.
    status: Option<u16>,
    lines: Vec<String>,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    /// Not enough to say.
    Unclear,
    /// A head, and where the body begins.
    Head(Head, usize),
    /// Something else: its first line.
    Other(String),
}

impl Head {
    /// Reads up to the body; what was read of that comes with it.
    ///
    /// # Errors
    /// What arrived instead of a head, or that none did.
    pub(super) fn read(
        stream: &mut TcpStream,
        patience: Duration,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(Self, Vec<u8>), NoAnswer> {
        let failed = |error: io::Error| NoAnswer::new(format!("the connection broke: {error}"), "check the network");
        let (mut bytes, mut piece, deadline) = (Vec::new(), [0; 1024], Instant::now() + patience);
        loop {
            match Self::parse(&bytes) {
                Begun::Head(head, body) => return Ok((head, bytes.split_off(body))),
                Begun::Other(line) => {
                    return Err(NoAnswer::new(format!("the answer is no HTTP/1: {line:?}"), NO_STREAM));
                }
                Begun::Unclear => {}
            }
            if bytes.len() > HEAD_BYTES {
                let what = format!("the answer's head does not end within {HEAD_BYTES} bytes");
                return Err(NoAnswer::new(what, NO_STREAM));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !goes_on() {
                return Err(silent(bytes.len(), patience));
            }
            if sys::wait_readable(stream.as_fd(), left.min(TURN)).map_err(failed)? == Readiness::Nothing {
                continue;
            }
            match stream.read(&mut piece).map_err(failed)? {
                0 if bytes.is_empty() => {
                    return Err(NoAnswer::new("the server closed the connection before it answered", NO_STREAM));
                }
                0 => return Err(NoAnswer::new("the server closed the connection within its answer's head", NO_STREAM)),
                count => bytes.extend_from_slice(&piece[..count]),
            }
        }
    }

    fn parse(bytes: &[u8]) -> Begun {
        // Empty lines before an answer are passed over, and so are answers that say "wait" (1xx).
        let mut begin = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        loop {
            match Self::parse_one(&bytes[begin..]) {
                Begun::Head(head, body) if head.status.is_some_and(|status| status / 100 == 1) => begin += body,
                Begun::Head(head, body) => return Begun::Head(head, begin + body),
                other => return other,
            }
        }
    }

    fn parse_one(bytes: &[u8]) -> Begun {
        match bytes {
            [] | [0xff | b'-'] => return Begun::Unclear,
            // The first picture, or the boundary before it.
            [0xff, 0xd8, ..] | [b'-', b'-', ..] => return Begun::Head(Self { status: None, lines: Vec::new() }, 0),
            _ => {}
        }
        let (mut lines, mut begin, mut status) = (Vec::new(), 0, None);
        while let Some(length) = bytes[begin..].iter().position(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(&bytes[begin..begin + length]);
            let line = line.trim_end_matches('\r');
            begin += length + 1;
            if line.is_empty() {
                return Begun::Head(Self { status, lines }, begin);
            }
            if lines.is_empty() {
                status = status_of(line);
                if status.is_none() && !is_field(line) {
                    return Begun::Other(line.chars().take(QUOTED).collect());
                }
            }
            lines.push(line.to_owned());
        }
        Begun::Unclear
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.lines.iter().skip(usize::from(self.status.is_some())).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Whether the body comes in chunks.
    ///
    /// # Errors
    /// It is none of a stream of pictures.
    pub(super) fn check(&self) -> Result<bool, NoAnswer> {
        if self.status.is_some_and(|status| status != 200) {
            let line = self.lines.first().map_or("", String::as_str);
            return Err(NoAnswer::new(
                format!("expected a stream, the server answers {line}"),
                "open the address in a browser; for redirections and passwords use `cmd:curl -sNL …`",
            ));
        }
        let other = "other streams can be read by a program: \"cmd:ffmpeg -i http://… -f mjpeg -\"";
        let kind = self.field("content-type").unwrap_or_default().to_ascii_lowercase();
        if !kind.is_empty() && !KINDS.iter().any(|known| kind.starts_with(known)) {
            let what = format!("expected multipart/x-mixed-replace, the server sends {kind:?}");
            return Err(NoAnswer::new(what, other));
        }
        let packed = [self.field("content-encoding"), self.field("transfer-encoding")].into_iter().flatten();
        let plain = ["", "identity", "chunked"];
        if let Some(packed) =
            packed.into_iter().find(|found| !plain.iter().any(|known| found.eq_ignore_ascii_case(known)))
        {
            return Err(NoAnswer::new(
                format!("expected pictures as they are, the server packs them: {packed:?}"),
                other,
            ));
        }
        Ok(self.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")))
    }
}

/// What servers call Motion-JPEG; whether it is shows in the bytes.
const KINDS: [&str; 6] =
    ["multipart/", "image/jpeg", "image/jpg", "video/x-motion-jpeg", "video/mjpeg", "application/octet-stream"];

/// The number in `HTTP/1.1 200 OK` or `ICY 200 OK`.
fn status_of(line: &str) -> Option<u16> {
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1.") || *version == "ICY")?;
    words.next()?.parse().ok()
}

/// Whether a line is `Name: value`: the name is a token (RFC 9110, section 5.6.2).
fn is_field(line: &str) -> bool {
    let is_token = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    line.split_once(':').is_some_and(|(name, _)| is_token(name.trim_end()))
}

fn silent(bytes: usize, patience: Duration) -> NoAnswer {
    let seconds = patience.as_secs_f64();
    let what = match bytes {
        0 => format!("no picture for {seconds:.1} s: the server took the connection and does not answer"),
        _ => format!("no picture for {seconds:.1} s: the answer's head does not end"),
    };
    NoAnswer::new(
        what,
        "check that the camera runs; one that starts slowly needs `#stall=30s` at the end of its address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &[u8]) -> (Head, usize) {
        match Head::parse(bytes) {
            Begun::Head(head, body) => (head, body),
            other => panic!("{other:?} of {:?}", String::from_utf8_lossy(bytes)),
        }
    }

    #[test]
    fn heads_are_understood_as_servers_write_them() {
        let fields = "Server: s\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\n\r\n";
        for (text, status) in [
            (format!("HTTP/1.1 200 OK\r\n{fields}"), Some(200)),
            (format!("HTTP/1.0 200\r\n{fields}"), Some(200)),
            (format!("ICY 200 OK\r\n{fields}"), Some(200)),
            (fields.to_owned(), None),
            (format!("\r\n{fields}"), None),
            (format!("HTTP/1.1 200 OK\r\n{fields}").replace("\r\n", "\n"), Some(200)),
            (format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n{fields}"), Some(200)),
        ] {
            let (head, body) = head([text.as_bytes(), b"--b"].concat().as_slice());
            assert_eq!((head.status, body), (status, text.len()), "{text}");
            assert_eq!((head.field("SERVER"), head.check().unwrap()), (Some("s"), false), "{text}");
            for cut in 0..text.len() {
                let begun = Head::parse(&text.as_bytes()[..cut]);
                assert_eq!(begun, Begun::Unclear, "{cut} bytes of {text}");
            }
        }
        for body in [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n".as_slice(), b"\xff\xd8\xff\xe0"] {
            assert_eq!((head(body).1, head(body).0.check().unwrap()), (0, false), "there is no head at all");
        }
        assert!(head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n").0.check().unwrap());
    }

    #[test]
    fn silence_is_told_in_seconds_and_not_in_the_systems_words() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for (said, expected) in [("", "does not answer"), ("HTTP/1.1 200 OK\r\nX: y", "head does not end")] {
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut other, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut other, said.as_bytes()).unwrap();
            let error = Head::read(&mut stream, Duration::from_millis(60), &|| true).unwrap_err();
            assert!(error.what.starts_with("no picture for 0.1 s") && error.what.contains(expected), "{}", error.what);
            let start = Instant::now();
            Head::read(&mut stream, Duration::from_secs(60), &|| false).unwrap_err();
            assert!(start.elapsed() < Duration::from_secs(10), "nobody waits for it any more");
        }
    }

    #[test]
    fn what_is_no_stream_is_named() {
        for (text, said) in [
            ("HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"),
            ("ICY 401 Service Unavailable\r\n\r\n", "401"),
            ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", "text/html"),
            ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "gzip"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "gzip"),
        ] {
            let error = head(text.as_bytes()).0.check().unwrap_err();
            assert!(error.what.contains(said) && !error.hint.is_empty(), "{}", error.what);
        }
        for text in ["220 mail.example ESMTP\r\n", "RTSP/1.0 200 OK\r\n", "<html>\n", "HTTP/1.1 two hundred\r\n"] {
            assert!(matches!(Head::parse(text.as_bytes()), Begun::Other(_)), "at its first line: {text}");
        }
    }
}
