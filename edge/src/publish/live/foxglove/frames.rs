//! The frames of a WebSocket client, of which only the heads are looked at: how much a client may say at once.
//!
//! ```text
//! byte 0: FIN, 3 reserved, 4 opcode    byte 1: MASK, 7 length; 126: 2 bytes of length follow, 127: 8; then 4 of the mask
//! ```
//!
//! Reference: RFC 6455, section 5.2.

use std::io;

/// Bytes of a message at most: subscriptions to all channels take less than one KiB.
const MESSAGE_BYTES: u64 = 64 * 1024;
/// Bytes of a control frame at most, says the standard.
const CONTROL_BYTES: u64 = 125;

/// Where in a client's frames the next byte stands.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; 14],
    /// Bytes of the head that are there.
    got: usize,
    /// Bytes of the payload that are still to come.
    left: u64,
    /// Bytes of the message so far, of which this frame may be a part.
    message: u64,
}

impl Frames {
    /// Goes on by these bytes.
    ///
    /// # Errors
    /// A frame without a mask, or a message or control frame that is too long.
    pub(super) fn check(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len() as u64);
                self.left -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            self.head[self.got] = bytes[0];
            self.got += 1;
            bytes = &bytes[1..];
            if self.got >= 2 && self.got == self.head_bytes()? {
                self.begin()?;
            }
        }
        Ok(())
    }

    fn head_bytes(&self) -> io::Result<usize> {
        if self.head[1] & 0x80 == 0 {
            return Err(refuse("a client's frame without a mask"));
        }
        Ok(6 + match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        })
    }

    /// The head is there.
    fn begin(&mut self) -> io::Result<()> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let length = match self.head[1] & 0x7f {
            126 => number(&self.head[2..4]),
            127 => number(&self.head[2..10]),
            short => u64::from(short),
        };
        let (is_last, opcode) = (self.head[0] & 0x80 != 0, self.head[0] & 0x0f);
        if opcode >= 8 {
            if length > CONTROL_BYTES {
                return Err(refuse("a control frame that is too long"));
            }
        } else {
            self.message = self.message.saturating_add(length);
            if self.message > MESSAGE_BYTES {
                return Err(refuse("a message that is too long"));
            }
            if is_last {
                self.message = 0;
            }
        }
        (self.left, self.got) = (length, 0);
        Ok(())
    }
}

fn refuse(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let length_bytes = match length {
            0..=125 => vec![0x80 | length as u8],
            126..=0xffff => [&[0xfe], (length as u16).to_be_bytes().as_slice()].concat(),
            _ => [&[0xff], (length as u64).to_be_bytes().as_slice()].concat(),
        };
        [vec![first], length_bytes, vec![1, 2, 3, 4], vec![0x5a; length]].concat()
    }

    fn check(bytes: &[u8], step: usize) -> io::Result<()> {
        let mut frames = Frames::default();
        bytes.chunks(step).try_for_each(|piece| frames.check(piece))
    }

    #[test]
    fn ordinary_messages_pass_however_they_are_cut() {
        let stream =
            [frame(0x81, 5), frame(0x89, 0), frame(0x81, 300), frame(0x01, 60_000), frame(0x80, 5000), frame(0x88, 2)];
        let stream = [stream.concat(), frame(0x82, 65_536)].concat();
        for step in [1, 2, 3, 7, 1000, stream.len()] {
            check(&stream, step).unwrap();
        }
    }

    #[test]
    fn what_would_take_memory_or_breaks_the_standard_is_refused_at_its_head() {
        let huge = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
        let parts = [frame(0x01, 60_000), frame(0x00, 5000), frame(0x00, 5000)].concat();
        for (bytes, why) in [
            (huge.to_vec(), "a length of all bits"),
            (frame(0x82, 65_537)[..14].to_vec(), "one byte too many"),
            (parts, "a message in parts"),
            (vec![0x81, 0x05], "no mask"),
            (frame(0x89, 126), "a long ping"),
        ] {
            for step in [1, bytes.len()] {
                assert!(check(&bytes, step).is_err(), "{why}");
            }
        }
    }
}
