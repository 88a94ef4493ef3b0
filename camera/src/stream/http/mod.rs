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

mod address;
mod body;
mod head;
mod opener;

pub(crate) use address::Address;
pub(crate) use opener::HttpOpener;
