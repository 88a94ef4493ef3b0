//! The labelled set: pictures, their label maps, and the classes.
//!
//! ```text
//! SET/images/NAME.png|jpg     the pictures
//! SET/labels/NAME.png         8-bit index pictures of the same size
//! SET/classes.toml            what each index means (see docs/formats.md)
//! ```

use crate::files::{AtomicFolder, read_rgb, read_text, sha256_of_bytes, write_bytes};
use crate::{Error, Result};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The class of a pixel as networks count it: a position in [`Classes`], from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClassId(pub u8);

/// The value in a [`LabelMap`] of a pixel that has no class and counts nowhere.
pub const IGNORE: u8 = 255;

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Value of its pixels in label pictures; the dense [`ClassId`] is the class's position in the list instead.
    pub id: u8,
    /// Name, such as `road`.
    pub name: String,
    /// Colour in overlays, red, green, blue.
    pub color: [u8; 3],
}

/// What to do with a label value that no class has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlisted {
    /// It is a mistake.
    #[default]
    Error,
    /// Its pixels count nowhere.
    Ignore,
}

/// The classes of a labelled set, in the order in which networks count them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// Version of this file's form.
    pub schema: u32,
    /// What to do with values that are neither a class nor in `ignore`.
    #[serde(default)]
    pub unlisted: Unlisted,
    /// Label values whose pixels count nowhere.
    #[serde(default)]
    pub ignore: Vec<u8>,
    /// The classes.
    #[serde(rename = "class")]
    pub entries: Vec<Class>,
}

impl Classes {
    /// Classes with the ids 0, 1, 2, …, in which 255 is ignored.
    pub fn dense(names_and_colors: &[(&str, [u8; 3])]) -> Self {
        let class = |(id, (name, color)): (usize, &(&str, [u8; 3]))| Class {
            id: id as u8,
            name: (*name).to_owned(),
            color: *color,
        };
        let entries = names_and_colors.iter().enumerate().map(class).collect();
        Self { schema: 1, unlisted: Unlisted::Error, ignore: vec![IGNORE], entries }
    }

    /// Reads `classes.toml`.
    ///
    /// # Errors
    /// The file is missing or malformed, names a class or an id twice, or lists fewer than two classes.
    pub fn read(path: &Path) -> Result<Self> {
        let malformed = |what: String| Error::Malformed {
            what,
            path: path.to_path_buf(),
            hint: "docs/formats.md shows a classes.toml",
        };
        let classes: Self = toml::from_str(&read_text(path)?).map_err(|error| malformed(error.to_string()))?;
        match classes.fault() {
            None => Ok(classes),
            Some(what) => Err(malformed(what)),
        }
    }

    fn fault(&self) -> Option<String> {
        if self.schema != 1 {
            return Some(format!("expected schema = 1, found {}", self.schema));
        }
        if !(2..=usize::from(IGNORE)).contains(&self.entries.len()) {
            return Some(format!("expected 2 to 255 classes, found {}", self.entries.len()));
        }
        for (at, class) in self.entries.iter().enumerate() {
            if self.ignore.contains(&class.id) {
                return Some(format!("class {:?} has id {}, which is also ignored", class.name, class.id));
            }
            if let Some(twin) = self.entries[..at].iter().find(|other| other.id == class.id || other.name == class.name)
            {
                return Some(format!("classes {:?} and {:?} share a name or an id", twin.name, class.name));
            }
        }
        None
    }

    /// Writes `classes.toml`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).expect("classes are plain values");
        write_bytes(path, text.as_bytes())
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The names, in network order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|class| class.name.as_str())
    }

    /// What a network's class index becomes in a label picture, and [`IGNORE`] stays what it is.
    pub fn picture_value(&self, class: u8) -> u8 {
        self.entries.get(usize::from(class)).map_or(IGNORE, |class| class.id)
    }

    /// For each label value the dense index, [`IGNORE`], or none where the value is a mistake.
    fn index_of_value(&self) -> [Option<u8>; 256] {
        let mut table = [match self.unlisted {
            Unlisted::Error => None,
            Unlisted::Ignore => Some(IGNORE),
        }; 256];
        for &value in &self.ignore {
            table[usize::from(value)] = Some(IGNORE);
        }
        for (index, class) in self.entries.iter().enumerate() {
            table[usize::from(class.id)] = Some(index as u8);
        }
        table
    }
}

/// The class of every pixel as a dense index, or [`IGNORE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Row by row, `width * height` values.
    pub indices: Vec<u8>,
}

impl LabelMap {
    /// Reads an 8-bit index picture (gray or palette) and turns its values into dense indices.
    ///
    /// # Errors
    /// The file is unreadable or of another form, or holds a value that is no class: the error names value and place.
    pub fn read(path: &Path, classes: &Classes) -> Result<Self> {
        let (width, height, values) = read_index_picture(path)?;
        let table = classes.index_of_value();
        let dense = |(at, &value): (usize, &u8)| {
            table[usize::from(value)].ok_or_else(|| Error::Labels {
                what: format!(
                    "label value {value} at column {}, row {} is no class",
                    at % width as usize,
                    at / width as usize
                ),
                path: path.to_path_buf(),
                hint: "add the value to classes.toml as a [[class]] or to its `ignore` list, or set `unlisted = \"ignore\"`",
            })
        };
        let indices = values.iter().enumerate().map(dense).collect::<Result<_>>()?;
        Ok(Self { width, height, indices })
    }

    /// Writes an 8-bit gray PNG that holds the classes' ids.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path, classes: &Classes) -> Result<()> {
        let values = self.indices.iter().map(|&index| classes.picture_value(index)).collect();
        let picture =
            image::GrayImage::from_raw(self.width, self.height, values).expect("a label map has width x height values");
        crate::files::write_picture(path, &image::DynamicImage::ImageLuma8(picture))
    }

    /// The map at another size by nearest neighbour.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let indices = crate::model_input::resize_nearest(&self.indices, (self.width, self.height), (width, height));
        Self { width, height, indices }
    }
}

/// Width, height and the raw values; a palette's colours are left aside.
fn read_index_picture(path: &Path) -> Result<(u32, u32, Vec<u8>)> {
    let fault = |reason: String| Error::Picture { path: path.to_path_buf(), reason };
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().map_err(|e| fault(e.to_string()))?;
    let (color, bits) = reader.output_color_type();
    if !matches!(color, png::ColorType::Grayscale | png::ColorType::Indexed) || bits != png::BitDepth::Eight {
        return Err(Error::Labels {
            what: format!("a label picture has one 8-bit channel of class values, found {color:?} of {bits:?} bits"),
            path: path.to_path_buf(),
            hint: "export labels as 8-bit index or gray PNG, not as colours",
        });
    }
    let bytes = reader.output_buffer_size().ok_or_else(|| fault("the picture is too large".to_owned()))?;
    let mut values = vec![0; bytes];
    let info = reader.next_frame(&mut values).map_err(|e| fault(e.to_string()))?;
    values.truncate(info.buffer_size());
    Ok((info.width, info.height, values))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Classes {
        Classes::dense(&[("road", [128, 64, 128]), ("grass", [0, 200, 0])])
    }

    fn set_of(count: usize) -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("set");
        let writer = LabelledSetWriter::create(&path, classes()).unwrap();
        for index in 0..count {
            let labels = LabelMap { width: 3, height: 2, indices: vec![0, 1, 1, 0, IGNORE, 1] };
            writer
                .add(&format!("{index:03}"), &RgbImage::from_pixel(3, 2, image::Rgb([index as u8; 3])), &labels)
                .unwrap();
        }
        writer.finish().unwrap();
        (parent, path)
    }

    #[test]
    fn a_set_gives_back_what_was_written() {
        let (_parent, path) = set_of(3);
        let set = LabelledSet::open(&path, None).unwrap();
        assert_eq!((set.len(), set.classes()), (3, &classes()));
        let (image, labels) = set.pair(2).unwrap();
        assert_eq!(image.get_pixel(0, 0).0, [2; 3]);
        assert_eq!(labels.indices, [0, 1, 1, 0, IGNORE, 1]);
    }

    #[test]
    fn a_draw_is_repeatable_disjoint_and_depends_on_the_seed() {
        let (_parent, path) = set_of(40);
        let set = LabelledSet::open(&path, None).unwrap();
        let split = set.draw(16, 1).unwrap();
        assert_eq!(split, set.draw(16, 1).unwrap());
        assert_ne!(split, set.draw(16, 2).unwrap());
        let mut all = [split.chosen.clone(), split.rest.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
        assert!(set.draw(41, 1).unwrap_err().to_string().contains("asked for 41"));
        assert!(set.draw(0, 1).is_err());
    }

    #[test]
    fn a_label_out_of_range_is_named_with_its_place() {
        let (_parent, path) = set_of(1);
        let file = path.join("labels/000.png");
        image::GrayImage::from_raw(3, 2, vec![0, 1, 0, 0, 7, 0]).unwrap().save(&file).unwrap();
        let error = LabelledSet::open(&path, None).unwrap().labels(0).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("value 7 at column 1, row 1") && text.contains("000.png"), "{text}");
        assert!(error.hint().unwrap().contains("classes.toml"));
    }

    #[test]
    fn unlisted_values_can_be_ignored_and_ids_need_not_be_dense() {
        let (_parent, path) = set_of(1);
        let mut sparse = classes();
        (sparse.unlisted, sparse.entries[1].id) = (Unlisted::Ignore, 26);
        sparse.write(&path.join("other.toml")).unwrap();
        image::GrayImage::from_raw(3, 2, vec![0, 26, 1, 0, 255, 9]).unwrap().save(path.join("labels/000.png")).unwrap();
        let set = LabelledSet::open(&path, Some(&path.join("other.toml"))).unwrap();
        assert_eq!(set.labels(0).unwrap().indices, [0, 1, IGNORE, 0, IGNORE, IGNORE]);
    }

    #[test]
    fn palette_pictures_give_their_indices_not_their_colours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("palette.png");
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 2, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(vec![9, 9, 9, 200, 0, 0]);
        encoder.write_header().unwrap().write_image_data(&[1, 0]).unwrap();
        assert_eq!(LabelMap::read(&path, &classes()).unwrap().indices, [1, 0]);
    }

    #[test]
    fn broken_sets_are_refused_with_the_file_at_fault() {
        let (_parent, path) = set_of(2);
        std::fs::remove_file(path.join("labels/001.png")).unwrap();
        assert!(LabelledSet::open(&path, None).unwrap_err().to_string().contains("001.png"));
        std::fs::remove_file(path.join("images/001.png")).unwrap();
        RgbImage::new(4, 4).save(path.join("images/000.png")).unwrap();
        let error = LabelledSet::open(&path, None).unwrap().pair(0).unwrap_err();
        assert!(error.to_string().contains("labels are 3x2 but their picture is 4x4"), "{error}");
        RgbImage::new(3, 2).save(path.join("labels/000.png")).unwrap();
        assert!(LabelledSet::open(&path, None).unwrap().labels(0).unwrap_err().to_string().contains("Rgb"));
        for file in ["images/000.png", "labels/000.png"] {
            std::fs::remove_file(path.join(file)).unwrap();
        }
        assert!(LabelledSet::open(&path, None).unwrap_err().to_string().contains("empty"));
    }

    #[test]
    fn classes_that_contradict_themselves_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("classes.toml");
        for (change, expected) in [
            ("schema = 2", "schema = 1"),
            ("schema = 1\nignore = [1]", "also ignored"),
            ("schema = 1\ncolour = 3", "unknown field"),
        ] {
            let class = |id, name| format!("[[class]]\nid = {id}\nname = {name:?}\ncolor = [1, 2, 3]\n");
            std::fs::write(&path, format!("{change}\n{}{}", class(0, "a"), class(1, "b"))).unwrap();
            assert!(Classes::read(&path).unwrap_err().to_string().contains(expected), "{change}");
        }
    }
}
