//! What masks are called: as the picture that they belong to, where a picture has a name.
//!
//! | source | mask |
//! |---|---|
//! | a folder of pictures, a picture | as [`distinct_names`] of the pictures' files: `NAME.png` |
//! | … played several times | `000042.png`, the frame's number |
//! | anything else | `000042.png`, the frame's number |

use std::path::Path;

use parallax_camera::Source;
use parallax_core::recording::distinct_names;

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
        let masks = distinct_names(&file_names.collect::<Vec<_>>());
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
