//! What a URI asks for.

use crate::{Error, Result};
use std::path::PathBuf;

/// Prefixes of live sources and what they are.
const LIVE: [(&str, &str); 6] = [
    ("v4l2:", "V4L2 device"),
    ("/dev/video", "V4L2 device"),
    ("http:", "network stream"),
    ("https:", "network stream"),
    ("rtsp:", "network stream"),
    ("cmd:", "pipe from a command"),
];

/// The file or folder that `uri` names: a plain path, `file:PATH` or `file:///PATH`.
///
/// # Errors
/// [`Error::Live`] when it names a live camera.
pub(crate) fn path_from_uri(uri: &str) -> Result<PathBuf> {
    if let Some((_, kind)) = LIVE.iter().find(|(prefix, _)| uri.starts_with(prefix)) {
        return Err(Error::Live { kind, uri: uri.to_owned() });
    }
    let path = uri.strip_prefix("file://").or_else(|| uri.strip_prefix("file:")).unwrap_or(uri);
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_file_uris_name_files() {
        for (uri, path) in [
            ("drive.mcap", "drive.mcap"),
            ("a b/c", "a b/c"),
            ("file:drive", "drive"),
            ("file:///data/drive", "/data/drive"),
            ("file:/data/drive", "/data/drive"),
        ] {
            assert_eq!(path_from_uri(uri).unwrap(), PathBuf::from(path));
        }
    }

    #[test]
    fn live_cameras_are_refused_by_name_with_a_way_out() {
        for uri in ["v4l2:/dev/video0", "/dev/video2", "http://robot/mjpeg", "rtsp://robot/1", "cmd:rpicam-vid -o -"] {
            let error = path_from_uri(uri).unwrap_err();
            assert!(error.to_string().contains("not in this version") && error.to_string().contains(uri), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("record")));
        }
    }
}
