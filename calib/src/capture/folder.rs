//! The views on disk.
//!
//! ```text
//! OUT/capture.json      the board and the camera's picture size: what `solve` has to be told
//! OUT/left/0001.png     what the (left or only) camera saw; right/ for a pair
//! OUT/camera.yaml       the camera, in the end; camera_right.yaml
//! ```
//!
//! A view is written when it is kept, without loss, under its final name only when it is whole. Of a pair the left picture
//! comes last: where it is, the view is whole.

use crate::solve::{BoardShape, Lens, SolveConfig};
use crate::{Error, Result};
use image::DynamicImage;
use parallax_core::board::Board;
use parallax_core::files;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Name of the file that says what the pictures are.
const FACTS: &str = "capture.json";
/// Folders of the pictures.
const EYES: [&str; 2] = ["left", "right"];

/// What the pictures of a folder are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Version of this form; 1.
    pub schema: u32,
    /// The board, as `--board` takes it.
    pub board: String,
    /// The lens model.
    pub model: Lens,
    /// Whether the board's bend is estimated.
    pub bent: bool,
    /// Width and height of the pictures, of each camera.
    pub sizes: Vec<(u32, u32)>,
    /// Where the pictures came from first.
    pub source: String,
    /// What solves them again.
    pub solve: String,
}

impl Facts {
    /// Of a capture into `out`.
    pub fn new(board: &Board, config: &SolveConfig, sizes: &[(u32, u32)], source: &str, out: &Path) -> Self {
        let bent = config.board == BoardShape::Bent;
        let place = |eye: &str| out.join(eye).display().to_string();
        let right = if sizes.len() > 1 { format!(" --right {}", place(EYES[1])) } else { String::new() };
        let solve = format!(
            "parallax-calib solve {}{right} --board {board} --model {}{} --out {}",
            place(EYES[0]),
            config.lens.name(),
            if bent { " --bent" } else { "" },
            out.join("camera.yaml").display(),
        );
        let (board, source) = (board.to_string(), source.to_owned());
        Self { schema: 1, board, model: config.lens, bent, sizes: sizes.to_vec(), source, solve }
    }
}

/// An output folder in use.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    eyes: usize,
    /// The number of the last view.
    last: u32,
    /// Held while this program works in the folder.
    _lock: files::FolderLock,
}

/// What an output folder may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Nothing.
    Refuse,
    /// Views of an earlier capture, which goes on.
    GoOn,
}

impl Folder {
    /// Takes a folder, which is made when it is not there.
    ///
    /// # Errors
    /// [`Error::Capture`] when it holds something and may not, belongs to another board or camera, or is in use.
    pub fn open(root: &Path, facts: &Facts, existing: Existing) -> Result<Self> {
        std::fs::create_dir_all(root).map_err(parallax_core::Error::io("create", root))?;
        let lock = files::FolderLock::take(root)?.ok_or_else(|| {
            Error::capture(
                format!("another capture is at work in {}", root.display()),
                "wait until it has ended, or choose another --out",
            )
        })?;
        let path = root.join(FACTS);
        let is_occupied = holds_other_than(root, FACTS)?;
        let views = numbers(&root.join(EYES[0]))?.len();
        let is_capture = path.is_file();
        let known = is_capture.then(|| read_facts(&path)).transpose()?;
        if let Some(known) = known.filter(|_| views > 0) {
            if existing == Existing::Refuse {
                return Err(Error::capture(
                    format!("there is a capture with {views} views in {}", root.display()),
                    "add --resume to go on with it, or choose another --out",
                ));
            }
            check_same(&known, facts, root)?;
        } else if is_occupied && !is_capture {
            return Err(Error::capture(
                format!("the folder is not empty: {}", root.display()),
                "choose another --out: it is kept as it is",
            ));
        } else {
            // Nothing was kept yet, so nothing binds.
            let text = serde_json::to_string_pretty(facts).map_err(|error| Error::capture(error.to_string(), ""))?;
            files::write_bytes(&path, (text + "\n").as_bytes())?;
        }
        let mut folder = Self { root: root.to_path_buf(), eyes: facts.sizes.len(), last: 0, _lock: lock };
        folder.sweep()?;
        Ok(folder)
    }

    /// Removes what an interrupted capture left half done, and finds the last view.
    fn sweep(&mut self) -> Result<()> {
        for eye in 0..self.eyes {
            let place = self.place(eye);
            std::fs::create_dir_all(&place).map_err(parallax_core::Error::io("create", &place))?;
            for entry in std::fs::read_dir(&place).map_err(parallax_core::Error::io("read", &place))? {
                let path = entry.map_err(parallax_core::Error::io("read", &place))?.path();
                if is_unfinished_view(path.file_name().unwrap_or_default()) {
                    std::fs::remove_file(&path).map_err(parallax_core::Error::io("remove", &path))?;
                }
            }
        }
        let left = numbers(&self.place(0))?;
        if self.eyes > 1 {
            for number in numbers(&self.place(1))? {
                if left.binary_search(&number).is_err() {
                    let path = self.place(1).join(name(number));
                    std::fs::remove_file(&path).map_err(parallax_core::Error::io("remove", &path))?;
                }
            }
        }
        self.last = left.last().copied().unwrap_or_default();
        Ok(())
    }

    /// Writes the pictures of a view, left first in `pictures`; returns their name.
    ///
    /// # Errors
    /// They cannot be written; nothing of the view is left then.
    pub(super) fn add(&mut self, pictures: &[DynamicImage]) -> Result<String> {
        let name = name(self.last + 1);
        for (eye, picture) in pictures.iter().enumerate().rev() {
            let path = self.place(eye).join(&name);
            if let Err(error) = files::write_picture(&path, picture) {
                for other in eye + 1..pictures.len() {
                    // What cannot be removed is swept at the next start.
                    let _ = std::fs::remove_file(self.place(other).join(&name));
                }
                return Err(error.into());
            }
        }
        self.last += 1;
        Ok(name)
    }

    /// The folder of one camera's pictures.
    pub fn place(&self, eye: usize) -> PathBuf {
        self.root.join(EYES[eye])
    }

    /// Whether there are views.
    pub const fn is_empty(&self) -> bool {
        self.last == 0
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Whether there is anything in a folder but a file of this name, whole or not.
fn holds_other_than(folder: &Path, known: &str) -> Result<bool> {
    for entry in std::fs::read_dir(folder).map_err(parallax_core::Error::io("read", folder))? {
        let name = entry.map_err(parallax_core::Error::io("read", folder))?.file_name();
        if name != known && !is_unfinished(&name, known) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `name` is what a killed capture has left of `file`; earlier versions called it `FILE.partial`.
fn is_unfinished(name: &OsStr, file: &str) -> bool {
    files::is_partial_of(name, OsStr::new(file)) || name == format!("{file}.partial").as_str()
}

/// Whether a killed capture has left this of a picture.
fn is_unfinished_view(file: &OsStr) -> bool {
    let number = file.to_str().and_then(|file| file.split_once('.')?.0.parse::<u32>().ok());
    number.is_some_and(|number| is_unfinished(file, &name(number)))
}

fn name(number: u32) -> String {
    format!("{number:04}.png")
}

/// The numbers of the views in a folder, in order.
fn numbers(folder: &Path) -> Result<Vec<u32>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut numbers = Vec::new();
    for entry in entries {
        let file = entry.map_err(parallax_core::Error::io("read", folder))?.file_name();
        numbers.extend(file.to_str().and_then(|file| file.strip_suffix(".png")?.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn read_facts(path: &Path) -> Result<Facts> {
    let text = files::read_text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        Error::capture(
            format!("expected what `parallax-calib capture` writes, {error}: {}", path.display()),
            "choose another --out",
        )
    })
}

/// Views of another board or camera cannot be solved together with new ones.
fn check_same(known: &Facts, asked: &Facts, root: &Path) -> Result<()> {
    let sizes = |facts: &Facts| {
        facts.sizes.iter().map(|(width, height)| format!("{width}x{height}")).collect::<Vec<_>>().join(" and ")
    };
    for (what, known, asked) in [
        ("board", known.board.clone(), asked.board.clone()),
        ("lens model", known.model.name().to_owned(), asked.model.name().to_owned()),
        ("pictures", sizes(known), sizes(asked)),
    ] {
        if known != asked {
            return Err(Error::capture(
                format!("{what} of the capture in {}: {known}, got {asked}", root.display()),
                "go on with the same board, model and camera, or choose another --out",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(root: &Path, eyes: usize) -> Facts {
        let config = SolveConfig { lens: Lens::PlumbBob, board: BoardShape::Flat };
        Facts::new(&"chessboard:9x6:25mm".parse().unwrap(), &config, &vec![(8, 6); eyes], "/dev/video0", root)
    }

    fn pictures(eyes: usize) -> Vec<DynamicImage> {
        vec![DynamicImage::new_rgb8(8, 6); eyes]
    }

    #[test]
    fn a_capture_goes_on_where_it_ended_and_half_views_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("new/out");
        let mut folder = Folder::open(&root, &facts(&root, 2), Existing::Refuse).unwrap();
        assert_eq!([folder.add(&pictures(2)).unwrap(), folder.add(&pictures(2)).unwrap()], ["0001.png", "0002.png"]);
        drop(folder);
        // Killed between the pictures of a pair, and in the middle of one.
        std::fs::copy(root.join("right/0002.png"), root.join("right/0003.png")).unwrap();
        for half in ["left/0003.png.partial", "left/0003.png.parallax.partial"] {
            std::fs::write(root.join(half), b"half").unwrap();
        }
        std::fs::write(root.join("left/thesis.docx.partial"), b"somebody's").unwrap();
        let refused = Folder::open(&root, &facts(&root, 2), Existing::Refuse).unwrap_err();
        assert!(refused.to_string().contains("2 views") && refused.hint().unwrap().contains("--resume"), "{refused}");
        let mut folder = Folder::open(&root, &facts(&root, 2), Existing::GoOn).unwrap();
        let left: Vec<_> = std::fs::read_dir(root.join("left")).unwrap().collect();
        assert!(left.len() == 3 && !root.join("right/0003.png").exists());
        assert_eq!(std::fs::read(root.join("left/thesis.docx.partial")).unwrap(), b"somebody's");
        assert_eq!(folder.add(&pictures(2)).unwrap(), "0003.png");
    }

    #[test]
    fn a_capture_that_was_killed_before_its_first_view_starts_anew() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("out");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("capture.json.partial"), b"{ \"sche").unwrap();
        drop(Folder::open(&root, &facts(&root, 1), Existing::Refuse).unwrap());
        // And once more, with another camera: nothing was kept.
        assert!(Folder::open(&root, &facts(&root, 2), Existing::Refuse).unwrap().is_empty());
    }

    #[test]
    fn what_does_not_belong_together_is_refused_by_name() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("out");
        let mut held = Folder::open(&root, &facts(&root, 1), Existing::Refuse).unwrap();
        held.add(&pictures(1)).unwrap();
        let busy = Folder::open(&root, &facts(&root, 1), Existing::GoOn).unwrap_err();
        assert!(busy.to_string().contains("at work"), "{busy}");
        drop(held);
        let other = Facts { board: "chessboard:7x5:30mm".to_owned(), ..facts(&root, 1) };
        let error = Folder::open(&root, &other, Existing::GoOn).unwrap_err();
        assert!(error.to_string().contains("chessboard:9x6:25mm, got chessboard:7x5:30mm"), "{error}");
        let error = Folder::open(&root, &facts(&root, 2), Existing::GoOn).unwrap_err();
        assert!(error.to_string().contains("8x6, got 8x6 and 8x6"), "{error}");
        let mine = parent.path().join("mine");
        std::fs::create_dir(&mine).unwrap();
        std::fs::write(mine.join("thesis.txt"), b"").unwrap();
        for existing in [Existing::Refuse, Existing::GoOn] {
            let error = Folder::open(&mine, &facts(&mine, 1), existing).unwrap_err();
            assert!(error.to_string().contains("not empty"), "{error}");
        }
        // A file of that name that is another program's is no capture.
        std::fs::write(mine.join("capture.json"), b"{\"exposure\": 3}").unwrap();
        assert!(Folder::open(&mine, &facts(&mine, 1), Existing::GoOn).is_err());
        assert_eq!(std::fs::read(mine.join("capture.json")).unwrap(), b"{\"exposure\": 3}");
    }

    #[test]
    fn a_view_that_cannot_be_written_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("out");
        let mut folder = Folder::open(&root, &facts(&root, 2), Existing::Refuse).unwrap();
        std::fs::remove_dir(root.join("left")).unwrap();
        assert!(folder.add(&pictures(2)).is_err());
        assert_eq!(std::fs::read_dir(root.join("right")).unwrap().count(), 0);
        std::fs::create_dir(root.join("left")).unwrap();
        assert_eq!(folder.add(&pictures(2)).unwrap(), "0001.png");
    }
}
