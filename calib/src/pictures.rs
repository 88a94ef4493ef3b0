//! Which pictures are meant, and reading them as grey values.

use image::GrayImage;
use parallax_core::frame::jpeg_is_whole;
use parallax_core::recording::{Eye, Recording, images_in};
use parallax_core::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A picture that can be read when it is its turn.
#[derive(Clone, Debug)]
pub struct Picture {
    name: String,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Frame { recording: Arc<Recording>, index: usize, eye: Eye },
}

impl Picture {
    /// What to call it: the file's name, or the frame's number.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width and height, without decoding it.
    ///
    /// # Errors
    /// The file cannot be read or is no picture.
    pub fn size(&self) -> Result<(u32, u32)> {
        match &self.source {
            Source::File(path) => image::image_dimensions(path).map_err(Error::picture(path)),
            Source::Frame { recording, .. } => Ok(recording.size()),
        }
    }

    /// Its grey values.
    ///
    /// # Errors
    /// The picture is missing, damaged or cut off.
    pub fn read(&self) -> Result<GrayImage> {
        match &self.source {
            Source::File(path) => read_file(path),
            Source::Frame { recording, index, eye } => {
                Ok(image::DynamicImage::ImageRgb8(recording.frame(*index, *eye)?.to_rgb()?).to_luma8())
            }
        }
    }
}

fn read_file(path: &Path) -> Result<GrayImage> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    // The decoder fills up what is missing of a JPEG; corners in there would be invented.
    if bytes.starts_with(&[0xff, 0xd8]) && !jpeg_is_whole(&bytes) {
        return Err(Error::Picture { path: path.to_path_buf(), reason: "the JPEG ends too early".to_owned() });
    }
    Ok(image::load_from_memory(&bytes).map_err(Error::picture(path))?.to_luma8())
}

/// The pictures behind `paths`: image files, folders of images, patterns with `*` in the file name, and recordings, of
/// which the pictures of `eye` are taken.
///
/// # Errors
/// A path does not exist, holds no pictures, or its pattern matches nothing.
pub fn find(paths: &[PathBuf], eye: Eye) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains('*') {
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let images = images_in(folder)?.into_iter().filter(|image| matches(&name, image));
            let before = pictures.len();
            pictures.extend(images.map(file));
            if pictures.len() == before {
                return Err(nothing("no picture's name fits the pattern", path));
            }
        } else if path.is_dir() && !images_in(path)?.is_empty() {
            pictures.extend(images_in(path)?.into_iter().map(file));
        } else if path.is_dir() || path.extension().is_some_and(|extension| extension == "mcap") {
            pictures.extend(frames(path, eye)?);
        } else if path.is_file() {
            pictures.push(file(path.clone()));
        } else {
            return Err(Error::io("read", path)(std::io::ErrorKind::NotFound.into()));
        }
    }
    Ok(pictures)
}

fn file(path: PathBuf) -> Picture {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Picture { name, source: Source::File(path) }
}

fn frames(path: &Path, eye: Eye) -> Result<Vec<Picture>> {
    let recording = Arc::new(Recording::open(path)?);
    if !recording.has(eye) {
        return Err(nothing(&format!("it has no {} pictures", eye.name()), path));
    }
    let with_picture = (0..recording.len()).filter(|&index| recording.has_frame(index, eye));
    let frame = |index: usize| {
        let name = recording.image_path(index, eye).and_then(Path::file_name);
        let name = name.map_or_else(|| format!("frame {index}"), |name| name.to_string_lossy().into_owned());
        Picture { name, source: Source::Frame { recording: recording.clone(), index, eye } }
    };
    Ok(with_picture.map(frame).collect())
}

fn nothing(what: &str, path: &Path) -> Error {
    Error::Recording {
        what: what.to_owned(),
        path: path.to_path_buf(),
        hint: "give image files, a folder of PNG, JPEG or BMP images, a quoted pattern such as 'left*.jpg', or a recording",
    }
}

/// Whether a file's name fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parts: Vec<&str> = pattern.split('*').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    let Some(mut rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, fits) in [
            ("left*.jpg", "left01.jpg", true),
            ("left*.jpg", "right01.jpg", false),
            ("*", "a.png", true),
            ("a*b*c.png", "a1b2c.png", true),
            ("a*b*c.png", "a1c.png", false),
            ("ab*ba.png", "aba.png", false),
        ] {
            assert_eq!(matches(pattern, Path::new(name)), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_patterns_and_files_are_pictures_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["left2.png", "left10.png", "right2.png"] {
            GrayImage::new(8, 6).save(folder.path().join(name)).unwrap();
        }
        let names = |path: &str| {
            let found = find(&[folder.path().join(path)], Eye::Left);
            found.map(|pictures| pictures.iter().map(|picture| picture.name().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names("left*.png").unwrap(), ["left2.png", "left10.png"]);
        assert_eq!(names("").unwrap().len(), 3);
        assert_eq!(names("right2.png").unwrap(), ["right2.png"]);
        assert!(names("up*.png").unwrap_err().to_string().contains("fits the pattern"));
        assert!(names("nothing.png").unwrap_err().to_string().contains("nothing.png"));
        let picture = &find(&[folder.path().join("left2.png")], Eye::Left).unwrap()[0];
        assert_eq!((picture.size().unwrap(), picture.read().unwrap().dimensions()), ((8, 6), (8, 6)));
    }
}
