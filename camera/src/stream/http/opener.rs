//! Connecting to a server and asking it for its stream.

use super::address::Address;
use super::body::Body;
use super::head::{Head, NoAnswer};
use crate::live::{Opened, Opener};
use crate::stream::device::StreamDevice;
use crate::stream::pictures::Pictures;
use crate::{Description, Error, Result, Stamp};
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
