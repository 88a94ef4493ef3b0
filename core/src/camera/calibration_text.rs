//! The text of a calibration file: bounded, and of one encoding.
//!
//! Whatever tool wrote it, it comes back as UTF-8 without a byte order mark and with `\n` at the end of its lines.

use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest file that is read. Calibrations take some kilobytes; those that carry every corner of their pictures a few
/// megabytes.
const MOST_BYTES: u64 = 8 << 20;

/// Reads a calibration file.
///
/// # Errors
/// The file cannot be read, is longer than 8 MiB, or is no UTF-8 text.
pub fn read_calibration_text(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let malformed = |what: String, hint| Error::Malformed { what, path: path.to_path_buf(), hint };
    if bytes.len() as u64 > MOST_BYTES {
        let what = format!("a calibration has at most {} MiB, this is longer", MOST_BYTES >> 20);
        return Err(malformed(what, "name the file with the camera's numbers, not a recording or a picture"));
    }
    text_of(bytes)
        .map_err(|what| malformed(what, "save it as UTF-8 text, or write it anew with the tool it comes from"))
}

fn text_of(mut bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("expected UTF-8 text, found UTF-16".into());
    }
    if let Some(place) = bytes.iter().position(|&byte| byte == 0) {
        return Err(format!("expected text, found a zero byte at {place}: UTF-16 or a binary file"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        format!("expected UTF-8 text, found the byte {:#04x} at {place}", error.as_bytes()[place])
    })?;
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_and_line_ends_of_other_systems_change_nothing() {
        for bytes in [&b"\xef\xbb\xbfa\nb\n"[..], b"a\r\nb\r\n", b"a\rb\r", b"a\nb\n"] {
            assert_eq!(text_of(bytes.to_vec()).unwrap(), "a\nb\n");
        }
    }

    #[test]
    fn what_is_no_text_is_told_by_its_kind() {
        for (bytes, says) in [
            (&b"\xff\xfea\0"[..], "UTF-16"),
            (b"\xfe\xff\0a", "UTF-16"),
            (b"a\0b\0", "zero byte at 1"),
            (b"gr\xf6\xdfe", "byte 0xf6 at 2"),
        ] {
            assert!(text_of(bytes.to_vec()).unwrap_err().contains(says), "{says}");
        }
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.yaml");
        // A hole: no disk is written.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = read_calibration_text(&path).unwrap_err();
        assert!(error.to_string().contains("at most 8 MiB") && error.hint().is_some(), "{error}");
    }
}
