//! Sources that are a stream of bytes: the output of a command, the body of an HTTP answer.
//!
//! | module | what it holds |
//! |---|---|
//! | `bytes`, `device` | a stream that can be waited for, and the device that it is |
//! | `pictures` | where one picture ends and the next begins |
//! | `command` | `cmd:` a child process and its output |
//! | `http` | `http:` a server's Motion-JPEG stream |
//!
//! A stream says nothing about when a picture was taken: its time stamp is when its first byte arrived.

mod bytes;
pub(crate) mod command;
mod device;
pub(crate) mod http;
mod pictures;
