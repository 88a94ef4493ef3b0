//! A labelled set on disk: reading, drawing few pictures at random, writing.

use super::pairing::{FilesByStem, Pairing, pair};
use super::{Classes, LabelMap};
use crate::files::{AtomicFolder, sha256_of_bytes};
use crate::picture_file::{self, orientation_name, read_rgb};
use crate::recording::images_in;
use crate::{Error, Result};
use image::RgbImage;
use std::path::{Path, PathBuf};

/// A labelled set on disk. Opening it pairs the files; pictures are read one by one.
#[derive(Clone, Debug)]
pub struct LabelledSet {
    path: PathBuf,
    classes: Classes,
    pairs: Vec<Pair>,
    /// Pictures that have no labels.
    unlabelled: Vec<PathBuf>,
}

/// A picture and its labels.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) image: PathBuf,
    pub(super) labels: PathBuf,
}

/// Which pictures of a set are for training and which are not, as ascending positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The drawn ones.
    pub chosen: Vec<usize>,
    /// All others.
    pub rest: Vec<usize>,
}

impl LabelledSet {
    /// Opens a set. `classes` overrides the set's own `classes.toml`. Pictures without labels, labels without a picture and
    /// what cannot be read are left alone; the log says how many.
    ///
    /// # Errors
    /// A folder or the classes file is missing, two files have one name, or no picture has labels.
    pub fn open(path: &Path, classes: Option<&Path>) -> Result<Self> {
        let classes = Classes::read(&classes.map_or_else(|| path.join("classes.toml"), Path::to_path_buf))?;
        let images = pictures_by_stem(&path.join("images"))?;
        let labels = pictures_by_stem(&path.join("labels"))?;
        let counts = (images.len(), labels.len());
        let first = [&images, &labels].map(|files| files.values().next().cloned());
        let found = pair(images, labels);
        if found.pairs.is_empty() {
            let name =
                |file: &Option<PathBuf>| file.as_deref().map_or_else(String::new, |file| format!(" ({})", of(file)));
            return Err(Error::Labels {
                what: format!(
                    "the labelled set is empty: none of the {} pictures in images/{} has labels of its name among the {} \
                     in labels/{}",
                    counts.0,
                    name(&first[0]),
                    counts.1,
                    name(&first[1])
                ),
                path: path.to_path_buf(),
                hint: "put pictures into images/ and their label pictures of the same name into labels/",
            });
        }
        tell_what_is_left(path, counts, &found);
        Ok(Self { path: path.to_path_buf(), classes, pairs: found.pairs, unlabelled: found.unlabelled })
    }

    /// The set's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its classes.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// How many labelled pictures there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Never true: an empty set does not open.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Name of picture `index`, without folder and extension.
    pub fn name(&self, index: usize) -> &str {
        &self.pairs[index].name
    }

    /// File of picture `index`.
    pub fn image_path(&self, index: usize) -> &Path {
        &self.pairs[index].image
    }

    /// File of the labels of picture `index`.
    pub fn labels_path(&self, index: usize) -> &Path {
        &self.pairs[index].labels
    }

    /// Picture `index`.
    ///
    /// # Errors
    /// The picture is unreadable.
    pub fn image(&self, index: usize) -> Result<RgbImage> {
        read_rgb(&self.pairs[index].image)
    }

    /// Labels of picture `index`, of the picture's size.
    ///
    /// # Errors
    /// As [`LabelMap::read`].
    pub fn labels(&self, index: usize) -> Result<LabelMap> {
        // A picture whose head cannot be read has no turn; it is refused when it is read itself.
        let picture = picture_file::read_header(&self.pairs[index].image).ok();
        LabelMap::read_for(&self.pairs[index].labels, &self.classes, picture)
    }

    /// Picture and labels together, checked to be of one size.
    ///
    /// # Errors
    /// Either is unreadable, or their sizes differ.
    pub fn pair(&self, index: usize) -> Result<(RgbImage, LabelMap)> {
        let (image, labels) = (self.image(index)?, self.labels(index)?);
        if image.dimensions() != (labels.width, labels.height) {
            let header = picture_file::read_header(&self.pairs[index].image)?;
            let turned = if header.is_turned() {
                let ((width, height), turn) = (header.stored, orientation_name(header.orientation));
                format!(" as shown, {width}x{height} as stored ({turn})")
            } else {
                String::new()
            };
            return Err(Error::Labels {
                what: format!(
                    "labels are {}x{} but their picture is {}x{}{turned}",
                    labels.width,
                    labels.height,
                    image.width(),
                    image.height()
                ),
                path: self.pairs[index].labels.clone(),
                hint: "label pictures have the size of their picture; resize labels by nearest neighbour only",
            });
        }
        Ok((image, labels))
    }

    /// Draws `count` pictures at random: those whose SHA-256 of `seed:name` comes first. The draw depends on the names
    /// alone, so it is the same on every machine and with every version.
    ///
    /// # Errors
    /// The set has fewer pictures than asked for, or `count` is zero.
    pub fn draw(&self, count: usize, seed: u64) -> Result<Split> {
        if count == 0 || count > self.len() {
            let without = self.unlabelled.first().map_or_else(String::new, |first| {
                format!("; {} more have no labels, such as {}", self.unlabelled.len(), of(first))
            });
            return Err(Error::Labels {
                what: format!("expected to draw 1 to {} labelled pictures, asked for {count}{without}", self.len()),
                path: self.path.clone(),
                hint: "label more pictures or ask for fewer with --count",
            });
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|&index| sha256_of_bytes(format!("{seed}:{}", self.name(index)).as_bytes()));
        let (mut chosen, mut rest) = (order[..count].to_vec(), order[count..].to_vec());
        chosen.sort_unstable();
        rest.sort_unstable();
        Ok(Split { chosen, rest })
    }
}

fn pictures_by_stem(folder: &Path) -> Result<FilesByStem> {
    let mut pictures = FilesByStem::new();
    if !folder.is_dir() {
        return Err(Error::io("open labelled set's folder", folder)(std::io::ErrorKind::NotFound.into()));
    }
    for path in images_in(folder)? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(twin) = pictures.insert(stem, path.clone()) {
            return Err(Error::Labels {
                what: format!("two pictures of one name, the other is {}", twin.display()),
                path,
                hint: "keep one of the two files",
            });
        }
    }
    Ok(pictures)
}

/// A file's name, for messages.
fn of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Says what of a set is not used: a set that became small by itself must not look like a whole one.
fn tell_what_is_left(path: &Path, (images, labels): (usize, usize), found: &Pairing) {
    let set = path.display();
    if let Some(first) = found.unlabelled.first() {
        let (left, first) = (found.unlabelled.len(), of(first));
        tracing::warn!("{set}: {left} of {images} pictures have no labels and are left alone, such as {first}");
    }
    if let Some(first) = found.orphans.first() {
        let (left, first) = (found.orphans.len(), of(first));
        tracing::warn!(
            "{set}: {left} of {labels} label pictures belong to no picture and are left alone, such as {first}"
        );
    }
    for part in ["images", "labels"] {
        let (folders, others) = unread_in(&path.join(part));
        if let Some(first) = others.first() {
            let (left, first) = (others.len(), of(first));
            tracing::warn!("{set}: {left} files in {part}/ are of forms that are not read, such as {first}");
        }
        if folders > 0 {
            tracing::warn!("{set}: {folders} folders in {part}/ are not looked into");
        }
    }
}

/// Folders within a folder, and pictures of forms that are not read.
fn unread_in(folder: &Path) -> (usize, Vec<PathBuf>) {
    const OTHERS: [&str; 16] = [
        "tif", "tiff", "webp", "gif", "heic", "heif", "avif", "jxl", "jp2", "ppm", "pgm", "pnm", "exr", "npy", "dng",
        "svg",
    ];
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries.map(|entry| entry.path()).filter(|path| !of(path).starts_with('.')).partition(|path| path.is_dir());
    let is_other = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        OTHERS.iter().any(|other| extension.eq_ignore_ascii_case(other))
    };
    let mut others: Vec<PathBuf> = files.into_iter().filter(is_other).collect();
    others.sort();
    (folders.len(), others)
}

/// Writes a labelled set that appears under its name only when it is whole.
#[derive(Debug)]
pub struct LabelledSetWriter {
    folder: AtomicFolder,
    classes: Classes,
}

impl LabelledSetWriter {
    /// Starts a set.
    ///
    /// # Errors
    /// `path` exists and is not empty, or cannot be created.
    pub fn create(path: &Path, classes: Classes) -> Result<Self> {
        let folder = AtomicFolder::create(path)?;
        for part in ["images", "labels"] {
            let part = folder.partial().join(part);
            std::fs::create_dir(&part).map_err(Error::io("create", &part))?;
        }
        classes.write(&folder.partial().join("classes.toml"))?;
        Ok(Self { folder, classes })
    }

    /// Adds a picture and its labels.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn add(&self, name: &str, image: &RgbImage, labels: &LabelMap) -> Result<()> {
        let file = |part: &str| self.folder.partial().join(part).join(format!("{name}.png"));
        crate::files::write_picture(&file("images"), &image.clone().into())?;
        labels.write(&file("labels"), &self.classes)
    }

    /// Gives the set its name.
    ///
    /// # Errors
    /// The folder cannot be renamed.
    pub fn finish(self) -> Result<PathBuf> {
        self.folder.finish()
    }
}
