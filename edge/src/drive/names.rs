//! What masks are called: as the picture that they belong to, where a picture has a name.
//!
//! | source | mask |
//! |---|---|
//! | a folder of pictures, a picture | `NAME.png` for the picture `NAME.jpg` |
//! | … in which two names differ in their extension alone, or in capitals | `NAME.jpg.png`, so that every picture has a mask of its own |
//! | … a name longer than a file's may be, or played several times | `000042.png`, the frame's number |
//! | anything else | `000042.png`, the frame's number |

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use parallax_camera::Source;

/// The longest name of a picture that a mask takes over: `NAME.png.partial` has to fit into the 255 bytes of a file system.
const LONGEST: usize = 255 - ".png.partial".len();

/// The names of a source's pictures and of their masks.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// For each frame the picture's path in the source, and the mask's name without extension.
    named: Vec<(String, String)>,
    /// Whether a frame's number says which picture it is: every picture comes once.
    once: bool,
}

impl Names {
    pub(super) fn of(source: &Source) -> Self {
        let pictures: Vec<&Path> = (0..).map_while(|index| source.picture(index)).collect();
        let file_names = pictures.iter().map(|path| text(path.file_name().unwrap_or_default().as_ref()));
        let masks = mask_names(&file_names.collect::<Vec<_>>());
        let paths = pictures.iter().map(|path| text(path));
        Self { once: source.frames() == Some(pictures.len()), named: paths.zip(masks).collect() }
    }

    /// The picture of a frame, as its path in the source; none where pictures have no names.
    pub(super) fn picture(&self, frame: usize) -> Option<&str> {
        let number = frame.checked_rem(self.named.len())?;
        Some(self.named[number].0.as_str())
    }

    /// What the files of a frame are called, without extension.
    pub(super) fn mask(&self, frame: usize) -> String {
        match self.named.get(frame).filter(|_| self.once) {
            Some((_, mask)) => mask.clone(),
            None => format!("{frame:06}"),
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// For each file name a name without extension that no other has, not even where capitals do not count.
fn mask_names(file_names: &[String]) -> Vec<String> {
    let stem = |name: &str| Path::new(name).file_stem().map_or_else(String::new, |stem| text(stem.as_ref()));
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for name in file_names {
        *count.entry(stem(name).to_lowercase()).or_default() += 1;
    }
    let is_alone = |name: &str| count[&stem(name).to_lowercase()] == 1 && stem(name).len() <= LONGEST;
    let mut taken: BTreeSet<String> =
        file_names.iter().filter(|name| is_alone(name)).map(|name| stem(name).to_lowercase()).collect();
    let mask = |(index, name): (usize, &String)| {
        if is_alone(name) {
            return stem(name);
        }
        let numbers = (index..).step_by(file_names.len()).map(|number| format!("{number:06}"));
        let mut others = Some(name.clone()).filter(|name| name.len() <= LONGEST).into_iter().chain(numbers);
        others.find(|other| taken.insert(other.to_lowercase())).unwrap_or_default()
    };
    file_names.iter().enumerate().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(names: &[&str]) -> Vec<String> {
        mask_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_mask_is_called_as_its_picture_and_no_two_alike() {
        assert_eq!(masks(&["left 1.jpg", "ü.2.png", "7.bmp"]), ["left 1", "ü.2", "7"]);
        assert_eq!(masks(&["a.jpg", "a.png", "b.png"]), ["a.jpg", "a.png", "b"]);
        // The whole name of one picture may be the name without extension of another.
        assert_eq!(masks(&["a.jpg", "a.png", "a.jpg.bmp"]), ["000000", "a.png", "a.jpg"]);
        assert_eq!(masks(&["Road.png", "road.png"]), ["Road.png", "000001"], "capitals do not count on a memory card");
        let long = format!("{}.png", "x".repeat(250));
        assert_eq!(masks(&["a.png", &long, "000001.png"]), ["a", "000004", "000001"]);
    }
}
