//! Bytes of a recording on their way to the disk.

use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Shared between the MCAP writer that makes the bytes and whoever writes them, whole chunks at once.
#[derive(Clone, Debug, Default)]
pub struct Spool(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    taken: u64,
}

impl Spool {
    /// Bytes that wait.
    pub fn waiting(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes.len() as u64
    }

    /// Takes what waits.
    pub fn take(&self) -> Vec<u8> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.taken += waiting.bytes.len() as u64;
        std::mem::take(&mut waiting.bytes)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Spool {
    /// Says where it is; what is written stays.
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match place {
            SeekFrom::Current(0) => Ok(waiting.taken + waiting.bytes.len() as u64),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
