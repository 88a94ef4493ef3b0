//! The classes of a labelled set and their values in label pictures.

use super::IGNORE;
use crate::files::{read_text, write_bytes};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Value of its pixels in label pictures; networks count classes by their position in the list instead.
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

    /// Two classes of one colour, by their positions, where there are.
    pub(super) fn twins(&self) -> Option<(usize, usize)> {
        let twin_of = |at: usize| (0..at).find(|&before| self.entries[before].color == self.entries[at].color);
        (0..self.entries.len()).find_map(|at| Some((twin_of(at)?, at)))
    }

    /// For each label value the dense index, [`IGNORE`], or none where the value is a mistake.
    pub(super) fn index_of_value(&self) -> [Option<u8>; 256] {
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
