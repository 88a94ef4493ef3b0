//! Which pictures are meant, and reading them as grey values.

use image::GrayImage;
use parallax_core::picture_file::{self, Orientation};
use parallax_core::recording::{Eye, Recording, images_in, is_recording_file};
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
    File {
        path: PathBuf,
        /// How it is turned; none for what EXIF says.
        turn: Option<Orientation>,
    },
    Frame {
        recording: Arc<Recording>,
        index: usize,
        eye: Eye,
    },
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
            Source::File { path, turn } => {
                let header = picture_file::read_header(path)?;
                Ok(header.size_turned(turn.unwrap_or(header.orientation)))
            }
            Source::Frame { recording, .. } => Ok(recording.size()),
        }
    }

    /// Its grey values.
    ///
    /// # Errors
    /// The picture is missing, damaged or cut off.
    pub fn read(&self) -> Result<GrayImage> {
        match &self.source {
            Source::File { path, turn } => read_file(path, *turn),
            Source::Frame { recording, index, eye } => {
                Ok(image::DynamicImage::ImageRgb8(recording.frame(*index, *eye)?.to_rgb()?).to_luma8())
            }
        }
    }
}

fn read_file(path: &Path, turn: Option<Orientation>) -> Result<GrayImage> {
    let (mut picture, orientation) = picture_file::read_stored(path)?;
    picture.apply_orientation(turn.unwrap_or(orientation));
    Ok(picture.into_luma8())
}

/// A camera has one focal point and one lens, whichever way it was held: pictures that EXIF turns differently are all turned
/// as most of them are, so that their pixels remain those of one sensor.
fn turn_alike(pictures: &mut [Picture]) {
    let mut found: Vec<(Orientation, usize)> = Vec::new();
    for picture in &*pictures {
        let Source::File { path, .. } = &picture.source else { continue };
        // What cannot be read is told when it is its turn.
        let Ok(header) = picture_file::read_header(path) else { continue };
        match found.iter_mut().find(|(orientation, _)| *orientation == header.orientation) {
            Some((_, count)) => *count += 1,
            None => found.push((header.orientation, 1)),
        }
    }
    if found.len() < 2 {
        return;
    }
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let (most, count) = found[0];
    let others: Vec<String> =
        found[1..].iter().map(|(other, count)| format!("{count} by orientation {}", other.to_exif())).collect();
    tracing::warn!(
        "EXIF turns the pictures differently ({count} by orientation {}, {}): all are turned by orientation {0}, and the \
         camera file is that of such pictures",
        most.to_exif(),
        others.join(", ")
    );
    for picture in pictures {
        if let Source::File { turn, .. } = &mut picture.source {
            *turn = Some(most);
        }
    }
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
        } else if path.is_dir() || is_recording_file(path) {
            pictures.extend(frames(path, eye)?);
        } else if path.is_file() {
            pictures.push(file(path.clone()));
        } else {
            return Err(Error::io("read", path)(std::io::ErrorKind::NotFound.into()));
        }
    }
    turn_alike(&mut pictures);
    Ok(pictures)
}

fn file(path: PathBuf) -> Picture {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Picture { name, source: Source::File { path, turn: None } }
}

fn frames(path: &Path, eye: Eye) -> Result<Vec<Picture>> {
    let recording = Arc::new(Recording::open(path)?);
    if !recording.has(eye) {
        return Err(nothing(&format!("it has no {} pictures", eye.name()), path));
    }
    let with_picture = (0..recording.len()).filter(|&index| recording.has_frame(index, eye));
    let frame = |index: usize| {
        if let Some(path) = recording.image_path(index, eye) {
            return file(path.to_path_buf());
        }
        let source = Source::Frame { recording: recording.clone(), index, eye };
        Picture { name: format!("frame {index}"), source }
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

    /// A PNG whose chunk eXIf holds an orientation.
    fn turned_png(picture: &GrayImage, orientation: u8) -> Vec<u8> {
        let mut png = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        let tiff = [b"MM\0*\0\0\0\x08\0\x01".as_slice(), &[1, 18, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0], &[0; 4]];
        image::ImageEncoder::set_exif_metadata(&mut encoder, tiff.concat()).unwrap();
        image::ImageEncoder::write_image(
            encoder,
            picture,
            picture.width(),
            picture.height(),
            image::ExtendedColorType::L8,
        )
        .unwrap();
        png
    }

    #[test]
    fn pictures_of_one_camera_are_turned_alike_whichever_way_it_was_held() {
        let folder = tempfile::tempdir().unwrap();
        let stored = GrayImage::from_fn(8, 6, |x, y| image::Luma([(10 * x + y) as u8]));
        for (index, orientation) in [6, 1, 3, 1].into_iter().enumerate() {
            std::fs::write(folder.path().join(format!("{index}.png")), turned_png(&stored, orientation)).unwrap();
        }
        let pictures = find(&[folder.path().to_path_buf()], Eye::Left).unwrap();
        for picture in &pictures {
            assert_eq!(
                (picture.size().unwrap(), picture.read().unwrap()),
                ((8, 6), stored.clone()),
                "{}",
                picture.name()
            );
        }
        // Alone, a picture is what a viewer shows.
        let alone = find(&[folder.path().join("0.png")], Eye::Left).unwrap();
        assert_eq!((alone[0].size().unwrap(), alone[0].read().unwrap().dimensions()), ((6, 8), (6, 8)));
        assert_eq!(alone[0].read().unwrap(), image::imageops::rotate90(&stored));
    }
}
