//! Which file an output may take the place of: an earlier output, by what is in it, and never what is read from.
//!
//! A command that is repeated replaces what it wrote before. A name that was mistyped, or completed by the shell, must not
//! cost a thesis.

use crate::recording::origin;
use crate::{Error, Result};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// As much as is looked at of a file.
const HEAD_BYTES: u64 = 1 << 16;

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// A calibration, in any of the forms that are written.
    CameraFile,
    /// A page.
    Html,
    /// A JSON object.
    Json,
    /// A picture.
    Png,
    /// A board to print.
    Pdf,
    /// The same.
    Svg,
    /// A network.
    Onnx,
    /// A bundle in one file.
    Bundle,
    /// A recording that was made from another one; what a camera gave is nobody's earlier output.
    Recording,
}

impl OutputKind {
    fn name(self) -> &'static str {
        match self {
            Self::CameraFile => "a camera file",
            Self::Html => "an HTML page",
            Self::Json => "a JSON object",
            Self::Png => "a PNG picture",
            Self::Pdf => "a PDF file",
            Self::Svg => "an SVG file",
            Self::Onnx => "an ONNX model",
            Self::Bundle => "a bundle",
            Self::Recording => "a recording of this program's making",
        }
    }

    fn is_like(self, path: &Path, head: &[u8]) -> Result<bool> {
        let holds = |part: &str| head.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()));
        let begins = |part: &str| {
            head.trim_ascii_start().get(..part.len()).is_some_and(|it| it.eq_ignore_ascii_case(part.as_bytes()))
        };
        Ok(match self {
            // A key of every form: ROS, Kalibr, OpenCV, Foxglove.
            Self::CameraFile => {
                let keys =
                    ["camera_matrix", "cameraMatrix", "intrinsics", "distortion", "opencv-matrix", "\"K\"", "focal"];
                !head.contains(&0) && keys.into_iter().any(holds)
            }
            Self::Html => begins("<!doctype html") || begins("<html"),
            Self::Json => begins("{"),
            Self::Png => head.starts_with(b"\x89PNG\r\n\x1a\n"),
            Self::Pdf => head.starts_with(b"%PDF-"),
            Self::Svg => begins("<svg") || begins("<?xml") && holds("<svg"),
            // Its first field is the version of its form, a small number.
            Self::Onnx => matches!(head, [8, 1..=100, ..]),
            Self::Bundle => head.starts_with(crate::bundle::MANIFEST.as_bytes()),
            Self::Recording => {
                origin(path)?.is_some_and(|origin| origin.library.starts_with("parallax ") && !origin.is_recorder())
            }
        })
    }
}

/// Passes where nothing is at `path`, or what an output of this kind may take the place of; `reads` are the command's inputs.
///
/// # Errors
/// [`Error::Io`] with `AlreadyExists`: there is something else, or what the command reads.
pub fn check_output(path: &Path, kind: OutputKind, reads: &[&Path]) -> Result<()> {
    let Ok(facts) = std::fs::metadata(path) else { return Ok(()) };
    let refuse =
        |what: String| Err(Error::io("write", path)(std::io::Error::new(std::io::ErrorKind::AlreadyExists, what)));
    let same =
        |read: &&Path| std::fs::metadata(read).is_ok_and(|it| (it.dev(), it.ino()) == (facts.dev(), facts.ino()));
    if reads.iter().any(same) {
        return refuse("it is what is read from".to_owned());
    }
    // What is no file is refused by whoever writes; an empty one has nothing to lose.
    if !facts.is_file() || facts.len() == 0 {
        return Ok(());
    }
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    file.take(HEAD_BYTES).read_to_end(&mut head).map_err(Error::io("read", path))?;
    if kind.is_like(path, &head)? {
        return Ok(());
    }
    refuse(format!("expected {} or nothing there, found another file", kind.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_output_is_replaced_and_a_thesis_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let earlier: [(OutputKind, &[u8]); 9] = [
            (OutputKind::CameraFile, b"image_width: 64\ncamera_matrix:\n  rows: 3\n"),
            (OutputKind::CameraFile, b"{\"width\": 64, \"K\": [1.0]}"),
            (OutputKind::Html, b"\n<!DOCTYPE html><title>report</title>"),
            (OutputKind::Json, b"{\"layers\": []}"),
            (OutputKind::Png, b"\x89PNG\r\n\x1a\nrest"),
            (OutputKind::Pdf, b"%PDF-1.4"),
            (OutputKind::Svg, b"<?xml version=\"1.0\"?><svg/>"),
            (OutputKind::Onnx, &[8, 8, 18, 8]),
            (OutputKind::Bundle, b"bundle.toml\0\0"),
        ];
        for (kind, bytes) in earlier {
            for there in [None, Some(&b""[..]), Some(bytes)] {
                let _ = std::fs::remove_file(&path);
                there.map_or(Ok(()), |bytes| std::fs::write(&path, bytes)).unwrap();
                check_output(&path, kind, &[]).unwrap();
            }
            let error = check_output(&path, kind, &[&folder.path().join("./out")]).unwrap_err();
            assert!(error.to_string().contains("read from") && error.hint().is_some(), "{error}");
            for other in [&b"Chapter 1. On the Viability"[..], b"PK\x03\x04docx", b"\0\0\0\0"] {
                std::fs::write(&path, other).unwrap();
                let error = check_output(&path, kind, &[]).unwrap_err();
                assert!(error.to_string().contains("found another file"), "{kind:?}: {error}");
            }
        }
    }
}
