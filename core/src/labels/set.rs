//! A labelled set on disk: reading, drawing few pictures at random, writing.

use super::{Classes, LabelMap};
use crate::files::{AtomicFolder, read_rgb, sha256_of_bytes};
use crate::{Error, Result};
use image::RgbImage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A labelled set on disk. Opening it pairs the files; pictures are read one by one.
#[derive(Clone, Debug)]
pub struct LabelledSet {
    path: PathBuf,
    classes: Classes,
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug)]
struct Pair {
    name: String,
    image: PathBuf,
    labels: PathBuf,
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
    /// Opens a set. `classes` overrides the set's own `classes.toml`.
    ///
    /// # Errors
    /// A folder or the classes file is missing, the set is empty, or a picture lacks its labels or the reverse.
    pub fn open(path: &Path, classes: Option<&Path>) -> Result<Self> {
        let classes = Classes::read(&classes.map_or_else(|| path.join("classes.toml"), Path::to_path_buf))?;
        let images = pictures_by_stem(&path.join("images"))?;
        let mut labels = pictures_by_stem(&path.join("labels"))?;
        let unpaired = |file: &Path, other: &str| Error::Labels {
            what: format!("no picture of the same name in {other}/"),
            path: file.to_path_buf(),
            hint: "every images/NAME.png or .jpg needs a labels/NAME.png; remove or complete the pair",
        };
        let mut pairs = Vec::new();
        for (name, image) in images {
            let labels = labels.remove(&name).ok_or_else(|| unpaired(&image, "labels"))?;
            pairs.push(Pair { name, image, labels });
        }
        if let Some((_, orphan)) = labels.first_key_value() {
            return Err(unpaired(orphan, "images"));
        }
        if pairs.is_empty() {
            return Err(Error::Labels {
                what: "the labelled set is empty".to_owned(),
                path: path.to_path_buf(),
                hint: "put pictures into images/ and their label pictures of the same name into labels/",
            });
        }
        Ok(Self { path: path.to_path_buf(), classes, pairs })
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
        LabelMap::read(&self.pairs[index].labels, &self.classes)
    }

    /// Picture and labels together, checked to be of one size.
    ///
    /// # Errors
    /// Either is unreadable, or their sizes differ.
    pub fn pair(&self, index: usize) -> Result<(RgbImage, LabelMap)> {
        let (image, labels) = (self.image(index)?, self.labels(index)?);
        if image.dimensions() != (labels.width, labels.height) {
            return Err(Error::Labels {
                what: format!(
                    "labels are {}x{} but their picture is {}x{}",
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
            return Err(Error::Labels {
                what: format!("expected to draw 1 to {} labelled pictures, asked for {count}", self.len()),
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

fn pictures_by_stem(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut pictures = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("open labelled set's folder", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !["png", "jpg", "jpeg"].contains(&extension.as_str()) {
            continue;
        }
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
