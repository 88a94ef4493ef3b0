//! A folder of images, or a single image, seen as a recording.
//!
//! | what | where |
//! |---|---|
//! | left or only images | in the folder itself, in `frames/`, `left/`, `image_02/` or `image_02/data/` |
//! | right images | `frames_right/`, `right/`, `image_03/` or `image_03/data/` |
//! | cameras | `camera.yaml`, `camera_right.yaml` |
//! | poses | `poses.txt`, see [`PoseFile`] |
//! | depth | `depth/NAME.png` for the frame `NAME.*`, metres × 256 |

use super::{Container, files_of, no_footage};
use crate::camera::{Camera, ros_yaml};
use crate::depth::{DepthMap, DepthUnit};
use crate::frame::{Frame, Timestamp};
use crate::picture_file::{self, PictureHeader, Turns};
use crate::recording::common_size::CommonSize;
use crate::recording::source::Source;
use crate::recording::{Eye, PoseFile, messages};
use crate::{Error, Result};
use nalgebra::Isometry3;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Extensions taken for images.
const IMAGES: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];
/// Left and right subfolders, in the order in which they are looked for; the folder itself comes last.
const LAYOUTS: [[&str; 2]; 5] = [
    ["frames", "frames_right"],
    ["left", "right"],
    ["image_02/data", "image_03/data"],
    ["image_02", "image_03"],
    ["", "right"],
];

/// A folder of images in one of [`LAYOUTS`], or an image.
pub(super) const CONTAINER: Container = Container {
    extensions: &[],
    recognises: |path| if path.is_dir() { Ok(find_layout(path)?.is_some()) } else { Ok(is_image(path)) },
    open: |path, options| {
        let source =
            if path.is_dir() { PictureSource::folder(path, options.fps)? } else { PictureSource::single(path) };
        Ok(Box::new(source))
    },
};

/// Images on disk with what lies beside them.
#[derive(Debug)]
struct PictureSource {
    root: PathBuf,
    left: Vec<PathBuf>,
    /// For each left image the right one; empty without a right camera.
    right: Vec<Option<PathBuf>>,
    /// For each left image its depth; empty without depth.
    depth: Vec<Option<PathBuf>>,
    /// For each left image the pose of its camera; empty without a pose file.
    poses: Vec<Option<Isometry3<f64>>>,
    times: Vec<Timestamp>,
}

impl PictureSource {
    /// Lists a folder; `fps` gives the frames their time stamps where their names do not.
    fn folder(root: &Path, fps: f64) -> Result<Self> {
        let (left, right_folder) = find_layout(root)?.ok_or_else(|| no_footage(root))?;
        let right = match images_in(&right_folder)? {
            right if right.is_empty() => Vec::new(),
            right => pair_up(root, &left, &right)?,
        };
        let depth = by_stem(&left, images_in(&root.join("depth"))?);
        let times = times_in_names(&left)
            .unwrap_or_else(|| (0..left.len()).map(|index| Timestamp::from_secs_f64(index as f64 / fps)).collect());
        let pose_file = root.join("poses.txt");
        let poses =
            if pose_file.is_file() { PoseFile::read(&pose_file)?.of_frames(&times, &pose_file)? } else { Vec::new() };
        Ok(Self { root: root.to_path_buf(), left, right, depth, poses, times })
    }

    /// One image as a recording of one frame.
    fn single(path: &Path) -> Self {
        Self {
            root: path.parent().unwrap_or(Path::new("")).to_path_buf(),
            left: vec![path.to_path_buf()],
            right: Vec::new(),
            depth: Vec::new(),
            poses: Vec::new(),
            times: vec![Timestamp::default()],
        }
    }

    fn image(&self, index: usize, eye: Eye) -> Option<&Path> {
        match eye {
            Eye::Left => self.left.get(index).map(PathBuf::as_path),
            Eye::Right => self.right.get(index)?.as_deref(),
        }
    }
}

impl Source for PictureSource {
    fn len(&self) -> usize {
        self.left.len()
    }

    fn timestamp(&self, index: usize) -> Timestamp {
        self.times[index]
    }

    fn has(&self, eye: Eye) -> bool {
        eye == Eye::Left || !self.right.is_empty()
    }

    fn has_frame(&self, index: usize, eye: Eye) -> bool {
        self.image(index, eye).is_some()
    }

    fn frame(&self, index: usize, eye: Eye) -> Result<Option<Frame>> {
        let Some(path) = self.image(index, eye) else { return Ok(None) };
        Ok(Some(messages::frame_from_picture(picture_file::read_picture(path)?, self.timestamp(index), index as u64)))
    }

    /// Width and height of all images as shown, from their heads, and how EXIF turns those of each eye. Images whose head
    /// cannot be read are left for [`PictureSource::frame`] to report, so that one bad file does not spoil a drive.
    fn common_size(&self, path: &Path) -> Result<CommonSize> {
        let left = self.left.iter().map(|path| (Eye::Left, path));
        let images = left.chain(self.right.iter().flatten().map(|path| (Eye::Right, path)));
        let mut first: Option<(&PathBuf, PictureHeader)> = None;
        let mut unreadable = None;
        let mut turns = [Turns::default(); 2];
        for (eye, image) in images {
            match (picture_file::read_header(image), &first) {
                (Ok(header), Some((other, expected))) if header.size() != PictureHeader::size(expected) => {
                    return Err(different_sizes((other, *expected), (image, header)));
                }
                (Ok(header), _) => {
                    turns[eye.index()].note(header.orientation);
                    first.get_or_insert((image, header));
                }
                (Err(error), _) => unreadable = unreadable.or(Some(error)),
            }
        }
        match (first, unreadable) {
            (Some((_, header)), _) => Ok(CommonSize { size_px: header.size(), turns }),
            (None, Some(error)) => Err(error),
            (None, None) => Err(no_footage(path)),
        }
    }

    /// The camera file beside the images, where there is one.
    fn camera(&self, eye: Eye) -> Result<Option<Camera>> {
        let path = self.root.join(["camera.yaml", "camera_right.yaml"][eye.index()]);
        if path.is_file() { ros_yaml::read(&path).map(Some) } else { Ok(None) }
    }

    /// Counted at the frame rate that was given, or in names that anybody may have chosen.
    fn has_recorded_times(&self) -> bool {
        false
    }

    fn image_path(&self, index: usize, eye: Eye) -> Option<&Path> {
        self.image(index, eye)
    }

    fn has_depth(&self) -> bool {
        !self.depth.is_empty()
    }

    fn has_depth_of(&self, index: usize) -> bool {
        self.depth.get(index).is_some_and(Option::is_some)
    }

    fn depth(&self, index: usize) -> Result<Option<DepthMap>> {
        match self.depth.get(index).and_then(Option::as_ref) {
            Some(path) => {
                let depth = DepthMap::read_png(path, DepthUnit::KittiStep)?;
                // Measured on the stored pixels of a picture that EXIF turns: its size tells.
                match picture_file::read_header(&self.left[index]) {
                    Ok(picture) if is_as_stored(&depth, picture) => Ok(Some(depth.turned(picture.orientation))),
                    _ => Ok(Some(depth)),
                }
            }
            None => Ok(None),
        }
    }

    fn world_from_camera(&self, index: usize) -> Option<Isometry3<f64>> {
        self.poses.get(index).copied().flatten()
    }
}

/// The times that names of images say, as data sets write them: seconds with a point (`1305031102.175304.png`, TUM) or
/// nineteen digits of nanoseconds (EuRoC). None unless all names do and the times increase.
fn times_in_names(images: &[PathBuf]) -> Option<Vec<Timestamp>> {
    let of_name = |path: &PathBuf| {
        let name = path.file_stem()?.to_str()?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match name.split_once('.') {
            Some((secs, part)) if digits(secs) && digits(part) => {
                // By digits, not through f64: nanoseconds of 2011 do not fit its mantissa.
                let nanos: u64 = format!("{part:0<9}").get(..9)?.parse().ok()?;
                Some(Timestamp::from_nanos(secs.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)?))
            }
            None if name.len() == 19 && digits(name) => name.parse().ok().map(Timestamp::from_nanos),
            _ => None,
        }
    };
    let times: Vec<Timestamp> = images.iter().map(of_name).collect::<Option<_>>()?;
    times.windows(2).all(|pair| pair[0] < pair[1]).then_some(times)
}

/// The left images and the folder of the right ones (which may not exist); none when there are no images.
fn find_layout(root: &Path) -> Result<Option<(Vec<PathBuf>, PathBuf)>> {
    for [left, right] in LAYOUTS {
        let images = images_in(&root.join(left))?;
        if !images.is_empty() {
            return Ok(Some((images, root.join(right))));
        }
    }
    Ok(None)
}

/// The images (PNG, JPEG, BMP) that lie in a folder itself, in natural order; none for a folder that does not exist.
///
/// # Errors
/// The folder cannot be listed.
pub fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { files_of(folder, is_image) } else { Ok(Vec::new()) }
}

/// Right images by equal names; when no name is shared (`left01`, `right01`), by order.
fn pair_up(root: &Path, left: &[PathBuf], right: &[PathBuf]) -> Result<Vec<Option<PathBuf>>> {
    let paired = by_stem(left, right.to_vec());
    if !paired.is_empty() {
        return Ok(paired);
    }
    if left.len() != right.len() {
        return Err(Error::Recording {
            what: format!("expected as many right as left images, found {} and {}", right.len(), left.len()),
            path: root.to_path_buf(),
            hint: "give the two images of a pair the same name, or remove those without a partner",
        });
    }
    Ok(right.iter().cloned().map(Some).collect())
}

/// For each image the other file of the same name but for the extension; empty when there is none at all.
fn by_stem(images: &[PathBuf], others: Vec<PathBuf>) -> Vec<Option<PathBuf>> {
    let mut others: BTreeMap<_, _> =
        others.into_iter().filter_map(|path| Some((path.file_stem()?.to_os_string(), path))).collect();
    let found: Vec<_> = images.iter().map(|image| others.remove(image.file_stem()?)).collect();
    if found.iter().all(Option::is_none) { Vec::new() } else { found }
}

fn is_as_stored(depth: &DepthMap, picture: PictureHeader) -> bool {
    let size = (depth.width, depth.height);
    size == picture.stored && size != picture.size()
}

fn different_sizes(first: (&Path, PictureHeader), second: (&Path, PictureHeader)) -> Error {
    let describe = |(path, header): (&Path, PictureHeader)| {
        let (width, height) = header.size();
        let turned = if header.is_turned() {
            format!(" by {}", picture_file::orientation_name(header.orientation))
        } else {
            String::new()
        };
        format!("{} is {width}x{height}{turned}", path.file_name().unwrap_or_default().to_string_lossy())
    };
    Error::Recording {
        what: format!("all images must have one size, but {} and {}", describe(first), describe(second)),
        path: second.0.to_path_buf(),
        hint: "put the images of each camera, and those that EXIF turns otherwise, into a folder of their own",
    }
}

/// Whether the name is that of an image.
fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    IMAGES.iter().any(|known| extension.eq_ignore_ascii_case(known))
}
