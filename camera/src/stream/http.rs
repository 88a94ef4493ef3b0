//! `http:` a server's Motion-JPEG stream, as web cameras and `ustreamer` send it.
//!
//! One request and an answer without end need no HTTP library: a TCP connection, the head of the answer, and its body,
//! which may come in chunks. What is not spoken here (TLS, passwords, redirections) is refused by name; `cmd:curl …`
//! speaks all of it. The parts of a `multipart/x-mixed-replace` body are not taken apart by their boundary, which many
//! servers get wrong, but by the JPEGs themselves.
//!
//! References: RFC 9112, sections 3 to 7.1; RFC 2046, section 5.1.

use super::pictures::Pictures;
use super::{ByteStream, Bytes, StreamDevice};
use crate::live::{Opened, Opener};
use crate::sys::{self, Readiness};
use crate::{Description, Error, Fault, Result, Stamp};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// How long connecting, and then the head of the answer, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of an answer's head at most.
const HEAD_BYTES: usize = 16 * 1024;

/// Connects to the server.
#[derive(Debug)]
pub(crate) struct HttpOpener {
    pub(crate) uri: String,
    pub(crate) address: Address,
}

/// The parts of an `http:` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host and port, as for a connection.
    host: String,
    /// As in the request's `Host` line.
    authority: String,
    path: String,
}

impl Address {
    /// Takes an address apart.
    ///
    /// # Errors
    /// It is none, or asks for a password.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let refuse = |what: &str, hint| Error::Uri { what: what.to_owned(), uri: url.to_owned(), hint };
        let form = "an address is http://HOST:PORT/PATH";
        let rest = url.strip_prefix("http://").ok_or_else(|| refuse("expected http://", form))?;
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        if authority.contains('@') {
            let hint = "let curl fetch it: \"cmd:curl -sN -u USER:PASSWORD http://…\"";
            return Err(refuse("passwords are not sent from here", hint));
        }
        if authority.is_empty() || url.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return Err(refuse("expected a host and no spaces", form));
        }
        // The colons of an IPv6 address are in brackets.
        let has_port = authority.rfind(':').is_some_and(|colon| !authority[colon..].contains(']'));
        let host = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host, authority: authority.to_owned(), path })
    }
}

impl Opener for HttpOpener {
    fn open(&mut self) -> Result<Opened> {
        let reach = |action| {
            let name = self.uri.clone();
            move |source| Error::Reach { action, source, name }
        };
        let stream = connect(&self.address.host).map_err(reach("connect"))?;
        let body = Body::request(stream, &self.address).map_err(reach("ask for the stream"))?;
        let kind = body.head.field("content-type").unwrap_or_default().to_ascii_lowercase();
        let refuse = |what, hint| Error::Unfit { what, name: self.uri.clone(), hint };
        if body.head.status != 200 {
            let what = format!("expected a stream, the server answers {}", body.head.first_line());
            return Err(refuse(
                what,
                "open the address in a browser; for redirections and passwords use `cmd:curl -sNL …`",
            ));
        }
        if !kind.starts_with("multipart/") && !kind.starts_with("image/jpeg") {
            let what = format!("expected multipart/x-mixed-replace, the server sends {kind:?}");
            return Err(refuse(what, "other streams can be read by a program: \"cmd:ffmpeg -i http://… -f mjpeg -\""));
        }
        let description = Description {
            uri: self.uri.clone(),
            name: body.head.field("server").unwrap_or("HTTP server").to_owned(),
            driver: None,
            layout: None,
            fps: None,
            stamps: Stamp::Arrival,
            controls: Vec::new(),
        };
        Ok(Opened { device: Box::new(StreamDevice::new(body, Pictures::jpeg())), description })
    }
}

fn connect(host: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The head of an answer.
#[derive(Debug)]
struct Head {
    status: u16,
    text: String,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut words = text.split(' ');
        words.next().filter(|version| version.starts_with("HTTP/1."))?;
        let status = words.next()?.trim().parse().ok()?;
        Some(Self { status, text })
    }

    fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.text.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The body of an answer.
#[derive(Debug)]
struct Body {
    stream: TcpStream,
    head: Head,
    /// What was read together with the head.
    rest: Vec<u8>,
    /// For a body in chunks: where in one we are.
    chunk: Option<Chunk>,
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// In the line that says how long the next chunk is, so far.
    Size(u64),
    /// In that line, behind the number.
    Extension(u64),
    /// In a chunk, with so many bytes left.
    Data(u64),
    /// In the line end behind a chunk.
    After,
    /// Behind the last one.
    Done,
}

impl Body {
    fn request(mut stream: TcpStream, address: &Address) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // 1.0 asks for a body without chunks; servers that send chunks all the same are understood.
        let Address { authority, path, .. } = address;
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: parallax\r\nAccept: */*\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let (mut bytes, mut piece, deadline) = (Vec::new(), [0; 1024], Instant::now() + PATIENCE);
        let split = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if bytes.len() > HEAD_BYTES || Instant::now() > deadline {
                return Err(wrong("the answer's head does not end"));
            }
            match stream.read(&mut piece)? {
                0 => return Err(wrong("the server closed the connection before it answered")),
                count => bytes.extend_from_slice(&piece[..count]),
            }
        };
        let head = Head::parse(&bytes[..split]).ok_or_else(|| wrong("the answer is no HTTP/1"))?;
        let chunked = head.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let chunk = chunked.then_some(Chunk::Size(0));
        Ok(Self { stream, head, rest: bytes.split_off(split), chunk })
    }
}

impl Chunk {
    /// Moves what belongs to the body to the front of `buffer` and says how much that is.
    fn unwrap(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let (mut from, mut to) = (0, 0);
        while from < buffer.len() {
            if let Self::Data(left) = *self {
                let take = left.min((buffer.len() - from) as u64) as usize;
                buffer.copy_within(from..from + take, to);
                (from, to) = (from + take, to + take);
                *self = if left == take as u64 { Self::After } else { Self::Data(left - take as u64) };
                continue;
            }
            let byte = buffer[from];
            *self = self.after(byte).ok_or_else(|| Fault::Garbage {
                expected: "a body in chunks",
                found: format!("byte {byte:#04x} in a chunk's length"),
            })?;
            from += 1;
        }
        Ok(to)
    }

    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size(size.checked_mul(16)?.checked_add(u64::from(digit))?)
            }
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Done,
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), b'\r' | b';' | b' ') | (Self::Extension(size), _) => Self::Extension(size),
            (Self::Size(_), _) => return None,
            (Self::After, b'\n') => Self::Size(0),
            (state, _) => state,
        })
    }
}

impl ByteStream for Body {
    fn read(&mut self, buffer: &mut [u8], patience: Duration) -> Result<Bytes, Fault> {
        let failed = |source| Fault::System { doing: "read from the server", source };
        let deadline = Instant::now() + patience;
        loop {
            let count = if self.rest.is_empty() {
                let left = deadline.saturating_duration_since(Instant::now());
                if sys::wait_readable(self.stream.as_fd(), left).map_err(failed)? == Readiness::Nothing {
                    return Ok(Bytes::Nothing);
                }
                self.stream.read(buffer).map_err(failed)?
            } else {
                let count = self.rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.rest[..count]);
                self.rest.drain(..count);
                count
            };
            if count == 0 || self.chunk == Some(Chunk::Done) {
                return Err(Fault::Closed);
            }
            let kept = match &mut self.chunk {
                None => count,
                Some(chunk) => chunk.unwrap(&mut buffer[..count])?,
            };
            if kept > 0 {
                return Ok(Bytes::Some(kept));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart() {
        for (url, host, path) in [
            ("http://cam", "cam:80", "/"),
            ("http://cam:8080/a?b=c", "cam:8080", "/a?b=c"),
            ("http://cam?action=stream", "cam:80", "/?action=stream"),
            ("http://[::1]/x", "[::1]:80", "/x"),
            ("http://[::1]:81/x", "[::1]:81", "/x"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.host.as_str(), address.path.as_str()), (host, path));
        }
        for url in ["http:cam", "http:///x", "http://a b/", "http://user:word@cam/"] {
            assert!(Address::parse(url).unwrap_err().hint().is_some(), "{url}");
        }
    }

    #[test]
    fn chunks_are_taken_apart_wherever_they_are_cut() {
        let chunked = b"4\r\nWiki\r\n6;name=x\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n";
        for step in 1..chunked.len() {
            let (mut chunk, mut body) = (Chunk::Size(0), Vec::new());
            for piece in chunked.chunks(step) {
                let mut buffer = piece.to_vec();
                let kept = chunk.unwrap(&mut buffer).unwrap();
                body.extend_from_slice(&buffer[..kept]);
            }
            assert_eq!(body, b"Wikipedia in \r\n\r\nchunks.", "in pieces of {step}");
            assert_eq!(chunk, Chunk::Done);
        }
        assert!(Chunk::Size(0).unwrap(&mut b"--frame".to_vec()).is_err());
    }
}
