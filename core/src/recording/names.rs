//! What files that are made of pictures are called: as the picture that they belong to.
//!
//! | picture | file made of it |
//! |---|---|
//! | `NAME.jpg` | `NAME.png` |
//! | … where two names differ in their extension alone, or in capitals | `NAME.jpg.png`, so that every picture has a file of its own |
//! | … with a name longer than a file's may be, or without a name | `000042.png`, the frame's number |

use super::{Eye, Recording};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The longest name of a picture that is taken over: `NAME.png.partial` has to fit into the 255 bytes of a file system.
const LONGEST: usize = 255 - ".png.partial".len();

impl Recording {
    /// What files made of each frame are called, without extension: as the left picture, or the frame's number.
    pub fn frame_names(&self) -> Vec<String> {
        let files: Option<Vec<String>> = (0..self.len())
            .map(|index| Some(self.image_path(index, Eye::Left)?.file_name()?.to_string_lossy().into_owned()))
            .collect();
        files.map_or_else(
            || (0..self.len()).map(|index| format!("{index:06}")).collect(),
            |files| distinct_names(&files),
        )
    }
}

/// For each file name a name without extension that no other has, not even where capitals do not count.
pub fn distinct_names(file_names: &[String]) -> Vec<String> {
    let stem =
        |name: &str| Path::new(name).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for name in file_names {
        *count.entry(stem(name).to_lowercase()).or_default() += 1;
    }
    let is_alone = |name: &str| count[&stem(name).to_lowercase()] == 1 && stem(name).len() <= LONGEST;
    let mut taken: BTreeSet<String> =
        file_names.iter().filter(|name| is_alone(name)).map(|name| stem(name).to_lowercase()).collect();
    let own = |(index, name): (usize, &String)| {
        if is_alone(name) {
            return stem(name);
        }
        let numbers = (index..).step_by(file_names.len()).map(|number| format!("{number:06}"));
        let mut others = Some(name.clone()).filter(|name| name.len() <= LONGEST).into_iter().chain(numbers);
        others.find(|other| taken.insert(other.to_lowercase())).unwrap_or_default()
    };
    file_names.iter().enumerate().map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(names: &[&str]) -> Vec<String> {
        distinct_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_file_is_called_as_its_picture_and_no_two_alike() {
        assert_eq!(called(&["left 1.jpg", "ü.2.png", "7.bmp"]), ["left 1", "ü.2", "7"]);
        assert_eq!(called(&["a.jpg", "a.png", "b.png"]), ["a.jpg", "a.png", "b"]);
        // The whole name of one picture may be the name without extension of another.
        assert_eq!(called(&["a.jpg", "a.png", "a.jpg.bmp"]), ["000000", "a.png", "a.jpg"]);
        assert_eq!(called(&["Road.png", "road.png"]), ["Road.png", "000001"], "capitals do not count on a memory card");
        let long = format!("{}.png", "x".repeat(250));
        assert_eq!(called(&["a.png", &long, "000001.png"]), ["a", "000004", "000001"]);
    }
}
