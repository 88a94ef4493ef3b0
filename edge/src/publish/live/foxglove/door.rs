//! The door before Foxglove's server, which lets everybody in: who comes from where, how many, and how much they may say.
//!
//! ```text
//! visitor ─▶ [door]: Host, Origin, limits ─▶ the server, at an address of this machine that nobody is told
//! ```
//!
//! A browser lets any page open a WebSocket to any address, this machine's too, and says in `Origin` whose page it is. A
//! program of this machine says nothing there, and may read the camera by other ways. `Host` must be a name of this machine,
//! as for the page.
//!
//! The server behind listens at one of 16 million loopback addresses and one of the system's free ports, drawn anew each
//! time: a page cannot try them out, and who can list the sockets of this machine needs no page.
//!
//! | | at most |
//! |---|---|
//! | connections | 64; who comes then waits until one ends |
//! | clients | 16; who comes then is sent away |
//! | the head of the request | 5 s, 16 KiB |
//! | a message of a client | 64 KiB, in as many frames as it likes |
//! | a client that does not read | 30 s |
//!
//! References: RFC 6455, sections 4.2, 5 and 10.2; RFC 6454, section 7.

use std::collections::hash_map::RandomState;
use std::future::{Future as _, poll_fn};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parallax_camera::preview::{Listener, Visit, is_this_machine};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::frames::Frames;

/// Connections at once, of which most may be of those who never say what they want.
const CONNECTIONS: usize = 64;
/// Clients at once: each takes three descriptors, here and in the server.
const CLIENTS: usize = 16;
/// For the head of the request.
const HEAD: Duration = Duration::from_secs(5);
const HEAD_BYTES: usize = 16 * 1024;
/// For a client that does not read.
const READER: Duration = Duration::from_secs(30);
/// Bytes that are handed on at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Foxglove's own pages, in a browser and as the desktop program, whose pages are files.
const FOXGLOVE: [&str; 3] = ["https://app.foxglove.dev", "https://studio.foxglove.dev", "file://"];

/// Whose pages may connect.
#[derive(Debug)]
pub(super) struct Origins(Vec<String>);

/// What a visitor is told that may not come in.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NoRequest,
    OtherName(String),
    OtherOrigin(String),
    Full,
}

impl Origins {
    /// Foxglove's, and these.
    pub(super) fn new(more: &[String]) -> Self {
        Self(FOXGLOVE.iter().map(|&origin| origin.to_owned()).chain(more.iter().cloned()).collect())
    }

    /// Judges the head of a request.
    fn judge(&self, head: &[u8]) -> Result<(), Refusal> {
        let head = std::str::from_utf8(head).map_err(|_| Refusal::NoRequest)?;
        let mut lines = head.lines();
        if !lines.next().is_some_and(|line| line.starts_with("GET ") && line.ends_with(" HTTP/1.1")) {
            return Err(Refusal::NoRequest);
        }
        let fields: Vec<(&str, &str)> =
            lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect();
        let all = |wanted: &'static str| {
            fields.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
        };
        let (host, more) = (all("host").next().unwrap_or_default(), all("host").nth(1));
        if !is_this_machine(host) || more.is_some() {
            return Err(Refusal::OtherName(host.to_owned()));
        }
        let other = all("origin").find(|origin| !self.0.iter().any(|known| known.eq_ignore_ascii_case(origin)));
        other.map_or(Ok(()), |origin| Err(Refusal::OtherOrigin(origin.to_owned())))
    }
}

impl Refusal {
    fn answer(&self) -> String {
        let (status, what) = match self {
            Self::NoRequest => ("400 Bad Request", "expected a WebSocket of Foxglove's protocol"),
            Self::Full => ("503 Service Unavailable", "too many look at this view"),
            Self::OtherName(_) => ("403 Forbidden", "expected a name of this machine as Host"),
            Self::OtherOrigin(_) => {
                ("403 Forbidden", "this page may not see the camera: --allow-origin names those that may")
            }
        };
        let length = what.len() + 1;
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{what}\n"
        )
    }
}

/// An address of this machine that nobody guesses, for the server behind.
pub(super) fn hidden_address() -> Ipv4Addr {
    // The library draws the keys of its maps from the system.
    let drawn = RandomState::new().build_hasher().finish().to_le_bytes();
    // Not 127.0.0.1 and its neighbours, and not 127.255.255.255, which is everybody.
    let part = |byte: u8| 1 + byte % 254;
    Ipv4Addr::new(127, part(drawn[0]), part(drawn[1]), part(drawn[2]))
}

/// Lets visitors through to the server; ends only with an error.
pub(super) async fn serve(listener: std::net::TcpListener, server: SocketAddr, origins: Origins) -> io::Result<()> {
    let (listener, origins) = (Listener::new(listener, CONNECTIONS)?, Arc::new(origins));
    let clients = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Visit { stream, place } = listener.next().await?;
        let (origins, clients) = (Arc::clone(&origins), Arc::clone(&clients));
        tokio::spawn(async move {
            // Visitors go as they please, and who is sent away for one of the limits knows it.
            let _ended = visit(&stream, server, &origins, &clients).await;
            drop(place);
        });
    }
}

async fn visit(visitor: &TcpStream, server: SocketAddr, origins: &Origins, clients: &Semaphore) -> io::Result<()> {
    let (request, head) = timeout(HEAD, read_head(visitor)).await??;
    if let Err(refusal) = origins.judge(&request[..head]) {
        if let Refusal::OtherOrigin(origin) = &refusal {
            tracing::warn!("a page of {origin} may not see the camera; `--allow-origin {origin}` would let it in");
        }
        return send(visitor, refusal.answer().as_bytes()).await;
    }
    let Ok(_place) = clients.try_acquire() else {
        return send(visitor, Refusal::Full.answer().as_bytes()).await;
    };
    let mut frames = Frames::default();
    frames.check(&request[head..])?;
    let server = TcpStream::connect(server).await?;
    send(&server, &request).await?;
    let mut up = pin!(hand_on(visitor, &server, |bytes| frames.check(bytes)));
    let mut down = pin!(hand_on(&server, visitor, |_| Ok(())));
    // Either end ends both.
    poll_fn(|context| match up.as_mut().poll(context) {
        Poll::Pending => down.as_mut().poll(context),
        ended @ Poll::Ready(_) => ended,
    })
    .await
}

/// What was sent up to the end of the head and a little more, and where the head ends.
async fn read_head(visitor: &TcpStream) -> io::Result<(Vec<u8>, usize)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok((bytes, at + 4));
        }
        if bytes.len() > HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match receive(visitor, &mut piece).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// Hands on what comes, as far as it passes the check, until it ends.
async fn hand_on(from: &TcpStream, to: &TcpStream, mut check: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = receive(from, &mut piece).await?;
        if count == 0 {
            return Ok(());
        }
        check(&piece[..count])?;
        send(to, &piece[..count]).await?;
    }
}

async fn receive(from: &TcpStream, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        from.readable().await?;
        match from.try_read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

async fn send(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        timeout(READER, to.writable()).await??;
        match to.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(more: &[&str], fields: &str) -> Result<(), Refusal> {
        let more: Vec<String> = more.iter().map(|&origin| origin.to_owned()).collect();
        Origins::new(&more).judge(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes())
    }

    #[test]
    fn foxglove_and_programs_of_this_machine_come_in_and_other_pages_do_not() {
        let host = "Host: localhost:8765\r\n";
        assert_eq!(judge(&[], host), Ok(()), "a program sends no Origin");
        for origin in ["https://app.foxglove.dev", "https://studio.foxglove.dev", "file://", "HTTPS://APP.FOXGLOVE.DEV"]
        {
            assert_eq!(judge(&[], &format!("{host}Origin: {origin}\r\n")), Ok(()), "{origin}");
        }
        for origin in [
            "https://evil.example",
            "http://app.foxglove.dev",
            "https://app.foxglove.dev.evil.example",
            "https://app.foxglove.dev:444",
            "http://localhost:8765",
            "null",
            "",
        ] {
            let refused = judge(&[], &format!("{host}oRiGiN:{origin}\r\n"));
            assert_eq!(refused, Err(Refusal::OtherOrigin(origin.to_owned())));
            assert!(refused.unwrap_err().answer().starts_with("HTTP/1.1 403 "));
        }
        let both = format!("{host}Origin: https://app.foxglove.dev\r\nOrigin: https://evil.example\r\n");
        assert!(judge(&[], &both).is_err(), "each of them counts");
        assert_eq!(judge(&["http://robot.lan"], &format!("{host}Origin: http://robot.lan\r\n")), Ok(()));
    }

    #[test]
    fn another_name_for_this_machine_is_refused() {
        for fields in ["Host: evil.example\r\n", "", "Host: localhost\r\nHost: evil.example\r\n", "Host: 10.0.0.1\r\n"]
        {
            assert!(matches!(judge(&[], fields), Err(Refusal::OtherName(_))), "{fields}");
        }
        assert_eq!(judge(&[], "Host: [::1]:8765\r\n"), Ok(()));
        let not_a_request = Origins::new(&[]).judge(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(not_a_request, Err(Refusal::NoRequest));
    }

    #[test]
    fn the_server_behind_is_where_nobody_looks() {
        let drawn: std::collections::HashSet<Ipv4Addr> = (0..50).map(|_| hidden_address()).collect();
        assert!(drawn.len() > 40 && drawn.iter().all(|address| address.is_loopback() && address.octets()[1] > 0));
    }
}
