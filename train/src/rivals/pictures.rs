//! Pictures at the network's size, and pairs of neighbouring frames. Neither needs a camera: nothing is projected and
//! nothing rectified; fine-tuning and the board see pictures as they were taken, too.
//!
//! | `--data` | pictures | pairs |
//! |---|---|---|
//! | a recording, a folder with `frames/`, `left/` … | both eyes | frames of the same eye, `frame_gap` apart |
//! | a folder that itself holds pictures | all of them, of any sizes | its pictures in order, of one size |
//! | a labelled set | those in `images/`, of any sizes | – |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use parallax_core::camera::CameraIdentity;
use parallax_core::files::read_rgb;
use parallax_core::model_input::PictureResizer;
use parallax_core::recording::{Eye, Recording, images_in};
use parallax_core::run::DataSource;

use crate::Error;
use crate::data::footage::identify;
use crate::lesson::{Lesson, Look, TARGETS};

/// What is asked of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Frames in the order they were taken, of one size.
    Frames,
    /// Any pictures.
    Any,
}

/// All pictures of a run.
#[derive(Debug)]
pub struct Pictures {
    sources: Vec<Source>,
    places: Vec<Place>,
    kept: Vec<OnceLock<RgbImage>>,
    width: usize,
    height: usize,
    memory_left: AtomicUsize,
}

#[derive(Debug)]
enum Source {
    Recording(Box<Recording>),
    Files { folder: PathBuf, files: Vec<PathBuf> },
}

/// Where a picture comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    source: usize,
    eye: usize,
    index: usize,
}

impl Pictures {
    /// Opens the data; pictures are read when they are asked for, and kept while they fit into `memory` bytes.
    ///
    /// # Errors
    /// When one cannot be opened or there is none.
    pub fn open(data: &[PathBuf], order: Order, (width, height): (usize, usize), memory: usize) -> Result<Self, Error> {
        if data.is_empty() {
            let hint = "name a recording or a folder of pictures with --data";
            return Err(Error::Settings { what: "there is nothing to train on".into(), hint });
        }
        let sources: Vec<Source> = data.iter().map(|path| Source::open(path, order)).collect::<Result<_, _>>()?;
        let places: Vec<Place> =
            sources.iter().enumerate().flat_map(|(number, source)| source.places(number)).collect();
        let kept = places.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { sources, places, kept, width, height, memory_left: AtomicUsize::new(memory) })
    }

    /// Number of pictures.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Pairs of frames of one eye that are `gap` frames apart, by their numbers, earlier first.
    #[must_use]
    pub fn pairs(&self, gap: usize) -> Vec<[usize; 2]> {
        let numbers: BTreeMap<Place, usize> =
            self.places.iter().enumerate().map(|(number, place)| (*place, number)).collect();
        let unbroken = |place: &Place| match &self.sources[place.source] {
            Source::Recording(recording) => recording.stretch(place.index) == recording.stretch(place.index + gap),
            Source::Files { .. } => true,
        };
        let later =
            |place: &Place| numbers.get(&Place { index: place.index + gap, ..*place }).filter(|_| unbroken(place));
        self.places.iter().enumerate().filter_map(|(number, place)| Some([number, *later(place)?])).collect()
    }

    /// A picture at the network's size.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn picture(&self, number: usize) -> Result<RgbImage, Error> {
        if let Some(picture) = self.kept[number].get() {
            return Ok(picture.clone());
        }
        let Place { source, eye, index } = self.places[number];
        let picture = match &self.sources[source] {
            Source::Recording(recording) => recording.frame(index, EYES[eye])?.to_rgb()?,
            Source::Files { files, .. } => read_rgb(&files[index])?,
        };
        let (width, height) = (self.width as u32, self.height as u32);
        let picture = if picture.dimensions() == (width, height) {
            picture
        } else {
            PictureResizer::default().resize(&picture, width, height)
        };
        let bytes = picture.as_raw().len();
        let fits = self.memory_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if fits.is_ok() {
            // Another thread may have kept the same picture meanwhile; both decoded the same.
            let _ = self.kept[number].set(picture.clone());
        }
        Ok(picture)
    }

    /// What the pictures, each by itself, can teach.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn lesson(&self) -> Result<Lesson, Error> {
        let mut lesson = Lesson::of("a picture by itself");
        for number in super::spread(TARGETS, self.count()) {
            lesson.add(Look::of_picture(&self.picture(number)?).alone());
        }
        Ok(lesson)
    }

    /// A picture's name, for messages.
    #[must_use]
    pub fn name(&self, number: usize) -> String {
        let Place { source, eye, index } = self.places[number];
        match &self.sources[source] {
            Source::Recording(recording) => {
                format!("frame {index} ({}) of {}", EYES[eye].name(), recording.path().display())
            }
            Source::Files { files, .. } => files[index].display().to_string(),
        }
    }

    /// The first source's path, for errors about the data as a whole.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.sources[0].path()
    }

    /// What the run's description says about its data.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn sources(&self) -> Result<Vec<DataSource>, Error> {
        self.sources.iter().map(Source::identify).collect()
    }
}

const EYES: [Eye; 2] = [Eye::Left, Eye::Right];

impl Source {
    fn open(path: &Path, order: Order) -> Result<Self, Error> {
        if order == Order::Any
            && let Some(files) = loose_pictures(path)?
        {
            return Ok(Self::Files { folder: path.to_path_buf(), files });
        }
        let recording = Recording::open(path)?;
        if let Some(damage) = recording.damage() {
            tracing::warn!("{} is damaged, what is whole of it is used: {damage}", path.display());
        }
        Ok(Self::Recording(Box::new(recording)))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Recording(recording) => recording.path(),
            Self::Files { folder, .. } => folder,
        }
    }

    fn identify(&self) -> Result<DataSource, Error> {
        match self {
            Self::Recording(recording) => {
                let camera = recording.camera(Eye::Left).map(CameraIdentity::of);
                Ok(DataSource { camera, ..identify(recording.path(), recording.len())? })
            }
            Self::Files { folder, files } => identify(folder, files.len()),
        }
    }

    fn places(&self, source: usize) -> Vec<Place> {
        let (count, has_frame): (usize, &dyn Fn(usize, usize) -> bool) = match self {
            Self::Recording(recording) => (recording.len(), &|index, eye| recording.has_frame(index, EYES[eye])),
            Self::Files { files, .. } => (files.len(), &|_, eye| eye == Eye::Left.index()),
        };
        let all = EYES.iter().flat_map(|eye| (0..count).map(|index| Place { source, eye: eye.index(), index }));
        all.filter(|place| has_frame(place.index, place.eye)).collect()
    }
}

/// The pictures of a labelled set or of a folder that itself holds pictures.
fn loose_pictures(path: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
    let set = path.join("images");
    let files = images_in(if set.is_dir() { &set } else { path })?;
    Ok(Some(files).filter(|files| !files.is_empty()))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn write(path: &Path, size: (u32, u32), value: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(size.0, size.1, Rgb([value; 3])).save(path).unwrap();
    }

    fn open(path: &Path, order: Order) -> Result<Pictures, Error> {
        Pictures::open(&[path.to_path_buf()], order, (64, 32), 1 << 20)
    }

    #[test]
    fn pictures_of_different_sizes_come_at_the_networks_size_from_a_folder_and_from_a_labelled_set() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("loose/b.png"), (40, 30), 90);
        write(&folder.path().join("loose/a.png"), (64, 32), 200);
        write(&folder.path().join("set/images/only.png"), (20, 20), 7);
        write(&folder.path().join("set/labels/only.png"), (20, 20), 0);
        let loose = open(&folder.path().join("loose"), Order::Any).unwrap();
        let values: Vec<u8> = (0..2).map(|number| loose.picture(number).unwrap().get_pixel(63, 31)[0]).collect();
        assert_eq!(values, [200, 90]);
        let set = open(&folder.path().join("set"), Order::Any).unwrap();
        assert_eq!((set.count(), set.picture(0).unwrap().dimensions()), (1, (64, 32)));
        assert!(set.name(0).ends_with("only.png"), "{}", set.name(0));
        assert!(open(&folder.path().join("loose"), Order::Frames).is_err(), "frames of one camera have one size");
        assert!(open(&folder.path().join("nowhere"), Order::Any).unwrap_err().to_string().contains("nowhere"));
    }

    #[test]
    fn pairs_are_frames_of_one_eye_and_no_camera_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        for frame in 0..4_u8 {
            write(&folder.path().join(format!("frames/{frame}.png")), (64, 32), 10 * frame);
            write(&folder.path().join(format!("frames_right/{frame}.png")), (64, 32), 100 + 10 * frame);
        }
        std::fs::remove_file(folder.path().join("frames_right/1.png")).unwrap();
        let pictures = open(folder.path(), Order::Frames).unwrap();
        assert_eq!(pictures.count(), 7);
        let value = |number: usize| pictures.picture(number).unwrap().get_pixel(0, 0)[0];
        let pairs: Vec<[u8; 2]> = pictures.pairs(1).into_iter().map(|pair| pair.map(value)).collect();
        assert_eq!(pairs, [[0, 10], [10, 20], [20, 30], [120, 130]]);
        let wide: Vec<[u8; 2]> = pictures.pairs(2).into_iter().map(|pair| pair.map(value)).collect();
        assert_eq!(wide, [[0, 20], [10, 30], [100, 120]]);
    }
}
