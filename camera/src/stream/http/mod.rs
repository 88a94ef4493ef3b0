//! `http:` a server's Motion-JPEG stream, as web cameras and `ustreamer` send it.
//!
//! One request and an answer without end need no HTTP library: a TCP connection, the head of the answer, and its body,
//! which may come in chunks. What is not spoken here (TLS, passwords, redirections) is refused by name; `cmd:curl …`
//! speaks all of it. The parts of a `multipart/x-mixed-replace` body are not taken apart by their boundary, which many
//! servers get wrong, but by the JPEGs themselves.
//!
//! What a server may cost, whatever it sends:
//!
//! | | at most |
//! |---|---|
//! | connecting | 4 s for all addresses of the host |
//! | the head of the answer | 10 s, or `stall` where that is more; 16 KiB |
//! | the line before a chunk | 4 KiB, nothing of it kept |
//! | what stands between two pictures | 4 MB, nothing of it kept |
//! | a picture | 64 MB |
//! | no good picture | `stall`: then the stream is lost and opened again |
//!
//! References: RFC 9112, sections 3 to 7.1; RFC 2046, section 5.1.

mod body;
mod head;

use super::StreamDevice;
use super::pictures::Pictures;
use crate::live::{Opened, Opener};
use crate::{Description, Error, Result, Stamp};
use body::Body;
use head::{Head, NoAnswer};
use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// How long connecting may take: one address of the host, and all of them.
const CONNECT: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];
/// How long the answer's head may take: a camera on a microcontroller starts its sensor first, and a gateway its camera.
const ANSWER: Duration = Duration::from_secs(10);

/// Connects to the server.
#[derive(Debug)]
pub(crate) struct HttpOpener {
    pub(crate) uri: String,
    pub(crate) address: Address,
    /// How long the user lets the source be silent.
    pub(crate) stall: Option<Duration>,
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
    fn open(&mut self, goes_on: &dyn Fn() -> bool) -> Result<Opened> {
        let reach = |action| {
            let name = self.uri.clone();
            move |source| Error::Reach { action, source, name }
        };
        let patience = ANSWER.max(self.stall.unwrap_or_default());
        let mut stream = connect(&self.address.host).map_err(reach("connect"))?;
        ask(&mut stream, &self.address).map_err(reach("ask for the stream"))?;
        let refuse = |NoAnswer { what, hint }| Error::Unfit { what, name: self.uri.clone(), hint };
        let (head, rest) = Head::read(&mut stream, patience, goes_on).map_err(refuse)?;
        let is_chunked = head.check().map_err(refuse)?;
        let description = Description {
            uri: self.uri.clone(),
            name: head.field("server").unwrap_or("HTTP server").to_owned(),
            driver: None,
            layout: None,
            fps: None,
            stamps: Stamp::Arrival,
            controls: Vec::new(),
        };
        let body = Body::new(stream, rest, is_chunked);
        Ok(Opened { device: Box::new(StreamDevice::new(body, Pictures::jpeg())), description })
    }
}

fn connect(host: &str) -> io::Result<TcpStream> {
    let deadline = Instant::now() + CONNECT[1];
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in host.to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now()).min(CONNECT[0]);
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            // The library's own word for it has no number, by which the remedy is found.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                last = io::Error::from_raw_os_error(libc::ETIMEDOUT);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends the request.
fn ask(stream: &mut TcpStream, Address { authority, path, .. }: &Address) -> io::Result<()> {
    stream.set_write_timeout(Some(CONNECT[0]))?;
    // 1.0 asks for a body without chunks; servers that send chunks all the same are understood.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: parallax\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::from_raw_os_error(libc::ETIMEDOUT),
        _ => error,
    })
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
}
