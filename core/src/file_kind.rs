//! What a file or folder is that somebody gave in place of another: by how it begins, never by its name.
//!
//! Nothing is printed of its bytes, and of a model only what [`model_file`] reads.

use std::io::Read as _;
use std::path::Path;

use parallax_onnx::model_file;

/// A model larger than this is not read to be described: a bundle holds no larger one.
const LARGEST_MODEL: u64 = crate::bundle::MOST_FILE_BYTES;

/// How much of a file is looked at.
const BEGINNING: u64 = 4096;

/// What something is, and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileKind {
    /// With an article: `an ONNX model (…)`.
    pub what: String,
    /// What it is good for.
    pub hint: &'static str,
}

/// Hints that several kinds share.
const A_BUNDLE: &str = "a bundle is a folder or .tar made by `parallax-train pack`";
const FOOTAGE: &str = "footage is segmented by `parallax-edge run --from FILE --bundle BUNDLE`";
const PICTURE: &str = "a picture is segmented by `parallax-edge run --from FILE --bundle BUNDLE`";
const WEIGHTS: &str = "weights alone cannot be run: of a run folder make a model by `parallax-train export RUN --out model.onnx`; of another network export ONNX (docs/foreign_models.md)";
const OTHER_ENGINE: &str =
    "this is another engine's form of a network: export the network as ONNX and pack that (docs/foreign_models.md)";
const UNPACK: &str = "unpack it first: a bundle's .tar is not compressed";
const OUR_MODEL: &str = "a model is packed before it runs: parallax-train pack MODEL.onnx --run RUN --out NAME.bundle, with the run that it was exported from";
const FOREIGN_MODEL: &str = "a model is packed before it runs: parallax-train pack MODEL.onnx --classes classes.toml --size WxH --mean M,M,M --std S,S,S --channels rgb|bgr --out NAME.bundle (docs/foreign_models.md)";

/// Beginnings of files: where, which bytes, what it is, what to do.
const MAGICS: &[(usize, &[u8], &str, &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", PICTURE),
    (0, b"\xff\xd8\xff", "a JPEG picture", PICTURE),
    (0, b"BM", "a BMP picture", PICTURE),
    (0, b"GIF8", "a GIF picture", PICTURE),
    (8, b"WEBP", "a WebP picture", PICTURE),
    (0, b"\x89MCAP0\r\n", "an MCAP recording", FOOTAGE),
    (0, b"#ROSBAG", "a ROS 1 bag", "convert it to MCAP first: mcap convert FILE.bag FILE.mcap"),
    (0, b"SQLite format 3\0", "an SQLite file, such as a ROS 2 bag", "convert it to MCAP first: ros2 bag convert"),
    (4, b"ftyp", "a video (MP4)", "take its frames first: ffmpeg -i FILE frames/%06d.png"),
    (0, b"\x1aE\xdf\xa3", "a video (Matroska)", "take its frames first: ffmpeg -i FILE frames/%06d.png"),
    (8, b"AVI ", "a video (AVI)", "take its frames first: ffmpeg -i FILE frames/%06d.png"),
    (0, b"\x1f\x8b", "a gzip-compressed file", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd-compressed file", UNPACK),
    (0, b"\xfd7zXZ\0", "an xz-compressed file", UNPACK),
    (0, b"BZh", "a bzip2-compressed file", UNPACK),
    (4, b"TFL3", "a TensorFlow Lite model", OTHER_ENGINE),
    (0, b"ftrt", "a TensorRT engine", OTHER_ENGINE),
    (0, b"ptrt", "a TensorRT engine", OTHER_ENGINE),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as a Keras model", OTHER_ENGINE),
    (0, b"7767517\n", "an ncnn model", OTHER_ENGINE),
    (0, b"\x7fELF", "a program", A_BUNDLE),
    (0, b"%PDF", "a PDF document", A_BUNDLE),
];

impl FileKind {
    /// What is at `path`.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let Ok(metadata) = std::fs::metadata(path) else { return Self::new("a file that cannot be read", A_BUNDLE) };
        if metadata.is_dir() {
            return of_folder(path);
        }
        if !metadata.is_file() {
            return Self::new("a pipe, socket or device", A_BUNDLE);
        }
        if metadata.len() == 0 {
            return Self::new("an empty file", "copy it again: nothing has arrived");
        }
        let Some(beginning) = beginning(path) else { return Self::new("a file that cannot be read", A_BUNDLE) };
        of_beginning(&beginning).or_else(|| of_model(path, &beginning, metadata.len())).unwrap_or_else(|| {
            if is_text(&beginning) { of_text(&beginning) } else { Self::new("a file of unknown kind", A_BUNDLE) }
        })
    }

    fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self { what: what.into(), hint }
    }
}

/// Whether a file is a tar archive by its header, as a bundle in one file is.
pub(crate) fn is_tar(path: &Path) -> bool {
    beginning(path).is_some_and(|bytes| bytes.get(257..262) == Some(b"ustar"))
}

fn beginning(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(BEGINNING).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn of_folder(path: &Path) -> FileKind {
    let holds = |name: &str| path.join(name).exists();
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let ends = |ending: &'static str| {
        move |entry: &std::fs::DirEntry| {
            entry.path().extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
        }
    };
    let mut entries: Vec<_> = entries.collect();
    if holds("run.toml") && holds("model.safetensors") {
        return FileKind::new(
            "a run folder of parallax-train",
            "make a bundle of it: parallax-train export, quantize, pack",
        );
    }
    if holds("labels") && holds("images") {
        return FileKind::new(
            "a labelled set",
            "score a bundle on it: parallax-edge evaluate --bundle BUNDLE --labels SET",
        );
    }
    if holds("saved_model.pb") {
        return FileKind::new("a TensorFlow model", OTHER_ENGINE);
    }
    if entries.iter().any(ends("mcap")) || holds("left") || holds("frames") || holds("image_02") {
        return FileKind::new("a recording", FOOTAGE);
    }
    if entries.iter().any(|entry| ["png", "jpg", "jpeg", "bmp"].iter().any(|ending| ends(ending)(entry))) {
        return FileKind::new("a folder of pictures", FOOTAGE);
    }
    match entries.pop() {
        None => FileKind::new("an empty folder", A_BUNDLE),
        Some(_) => FileKind::new("another folder", A_BUNDLE),
    }
}

fn of_beginning(bytes: &[u8]) -> Option<FileKind> {
    let begins = |(at, magic): (usize, &[u8])| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if let Some((_, _, what, hint)) = MAGICS.iter().find(|(at, magic, ..)| begins((*at, magic))) {
        return Some(FileKind::new(*what, hint));
    }
    if begins((0, b"PK\x03\x04")) {
        // PyTorch writes ARCHIVE/data.pkl as the first member.
        let pickled = bytes.windows(8).any(|window| window == b"data.pkl");
        return Some(if pickled {
            FileKind::new("a PyTorch checkpoint", WEIGHTS)
        } else {
            FileKind::new("a ZIP archive", UNPACK)
        });
    }
    if begins((0, b"\x80\x02")) || begins((0, b"\x80\x03")) || begins((0, b"\x80\x04")) {
        return Some(FileKind::new("a Python pickle, such as an old PyTorch checkpoint", WEIGHTS));
    }
    // The length of the header, then the header, a JSON object.
    let header = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    if header.is_some_and(|length| (2..100 << 20).contains(&length)) && begins((8, b"{\"")) {
        return Some(FileKind::new("a safetensors file of weights", WEIGHTS));
    }
    None
}

/// An ONNX model, if the whole file can be read as one.
fn of_model(path: &Path, beginning: &[u8], length: u64) -> Option<FileKind> {
    // A model begins with its IR version, a small number in field 1; older tools put the program's name first.
    let plausible = matches!(beginning, [0x08, 1..=40, ..] | [0x12 | 0x3a | 0x42, ..]);
    if !plausible || length > LARGEST_MODEL {
        return None;
    }
    let description = model_file::describe(&std::fs::read(path).ok()?)?;
    let hint = if description.is_ours { OUR_MODEL } else { FOREIGN_MODEL };
    Some(FileKind::new(format!("an ONNX model ({description})"), hint))
}

fn is_text(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).map_or_else(|error| &bytes[..error.valid_up_to()], str::as_bytes);
    // The last character may have been cut in two.
    text.len() + 4 > bytes.len() && !text.iter().any(|byte| *byte < 9 || (14..32).contains(byte))
}

fn of_text(bytes: &[u8]) -> FileKind {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let has = |word: &str| text.contains(word);
    match text {
        _ if has("git-lfs.github.com/spec") => {
            FileKind::new("a Git LFS pointer, not the file itself", "fetch the file: git lfs pull")
        }
        _ if has("camera_matrix") || has("distortion_model") || has("distortion_coefficients") => {
            FileKind::new("a camera file", "look at it by `parallax-calib show FILE`")
        }
        _ if has("[[class]]") => FileKind::new("a classes file", "it goes with `parallax-train pack --classes FILE`"),
        _ if has("[[model]]") && has("schema") => {
            FileKind::new("the manifest of a bundle", "name the bundle's folder, not a file in it")
        }
        _ if text.starts_with("<net") || text.starts_with("<?xml") && has("<net ") => {
            FileKind::new("an OpenVINO model", OTHER_ENGINE)
        }
        _ if text.starts_with("<?xml") || text.starts_with("<!DOCTYPE") || text.starts_with("<html") => {
            FileKind::new("an XML or HTML file", "a download may have ended at an error page: fetch it again")
        }
        _ if text.starts_with('{') || text.starts_with("[{") => FileKind::new("a JSON file", A_BUNDLE),
        _ => FileKind::new("a text file", A_BUNDLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_is_told_by_how_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let kind = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            FileKind::of(&path)
        };
        let pickled = b"PK\x03\x04..........archive/data.pkl";
        let safetensors = [&16_u64.to_le_bytes()[..], b"{\"a\":{}}        "].concat();
        let cases: [(&[u8], &str); 14] = [
            (b"", "an empty file"),
            (b"\x89PNG\r\n\x1a\n....", "a PNG picture"),
            (b"\xff\xd8\xff\xe0....", "a JPEG picture"),
            (b"\x89MCAP0\r\n....", "an MCAP recording"),
            (b"\x1f\x8b\x08....", "a gzip-compressed file"),
            (b"....TFL3....", "a TensorFlow Lite model"),
            (pickled, "a PyTorch checkpoint"),
            (b"PK\x03\x04..........", "a ZIP archive"),
            (&safetensors, "a safetensors file of weights"),
            (b"image_width: 4\ncamera_matrix:\n", "a camera file"),
            (b"schema = 1\n[[class]]\nid = 0\n", "a classes file"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer, not the file itself"),
            ("täglich, 5 m".as_bytes(), "a text file"),
            (b"\x00\x01\x02\xff\xfe", "a file of unknown kind"),
        ];
        for (bytes, what) in cases {
            assert_eq!(kind(bytes).what, what);
        }
        assert_eq!(FileKind::of(folder.path()).what, "another folder");
        assert_eq!(FileKind::of(Path::new("/dev/null")).what, "a pipe, socket or device");
    }
}
