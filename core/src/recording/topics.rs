//! Which topics of an MCAP file are whose: pictures of each eye, depth, ranges, poses, calibrations.
//!
//! Our own recordings are known by their topics. Of others' recordings any Foxglove `CompressedImage` or `RawImage`
//! (protobuf) will do; the words `left` and `right` in the topics tell the eyes apart.

use super::mcap_file::{Channel, McapFile, Topic};
use super::{DEPTH_TOPIC, Eye, LIDAR_TOPIC, POSE_TOPIC, calibration_topic, image_topic};
use crate::{Error, Result};

pub(super) const COMPRESSED_IMAGE: &str = "foxglove.CompressedImage";
const RAW_IMAGE: &str = "foxglove.RawImage";
const FRAME_TRANSFORM: &str = "foxglove.FrameTransform";
const CAMERA_CALIBRATION: &str = "foxglove.CameraCalibration";
const IMAGES: [&str; 2] = [COMPRESSED_IMAGE, RAW_IMAGE];
/// What can be read.
pub(super) const READ_SCHEMAS: [&str; 4] = [COMPRESSED_IMAGE, RAW_IMAGE, FRAME_TRANSFORM, CAMERA_CALIBRATION];

/// Places of topics in [`McapFile::topics`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) left: usize,
    pub(super) right: Option<usize>,
    pub(super) depth: Option<usize>,
    pub(super) lidar: Option<usize>,
    pub(super) poses: Option<usize>,
    /// Of the left and the right eye.
    pub(super) calibrations: [Option<usize>; 2],
}

/// Chooses the topics.
///
/// # Errors
/// No topic has pictures, it cannot be told which are the left camera's, or the channels of a topic hold different things.
pub(super) fn choose(file: &McapFile) -> Result<Choice> {
    let (left, right) = choose_images(file)?;
    let named = |name: &str, schemas: &[&str]| {
        let found = file.topics.iter().position(|topic| topic.name == name && holds(file, topic, schemas));
        found.map(|at| one_kind(file, at, schemas)).transpose()
    };
    let calibration = |image: usize, eye| calibration_of(file, &file.topics[image].name, eye).transpose();
    Ok(Choice {
        left: one_kind(file, left, &IMAGES)?,
        right: right.map(|right| one_kind(file, right, &IMAGES)).transpose()?,
        depth: named(DEPTH_TOPIC, &[RAW_IMAGE])?,
        lidar: named(LIDAR_TOPIC, &[RAW_IMAGE])?,
        poses: named(POSE_TOPIC, &[FRAME_TRANSFORM])?,
        calibrations: [calibration(left, Eye::Left)?, right.map_or(Ok(None), |right| calibration(right, Eye::Right))?],
    })
}

/// Whether any channel of the topic holds messages of one of these schemas.
fn holds(file: &McapFile, topic: &Topic, schemas: &[&str]) -> bool {
    file.channels_of(topic).any(|channel| schemas.iter().any(|schema| channel.is(schema)))
}

/// The topic, if all of its channels hold messages of these schemas.
fn one_kind(file: &McapFile, at: usize, schemas: &[&str]) -> Result<usize> {
    let topic = &file.topics[at];
    if file.channels_of(topic).all(|channel| schemas.iter().any(|schema| channel.is(schema))) {
        return Ok(at);
    }
    let kinds: Vec<String> = file.channels_of(topic).map(ToString::to_string).collect();
    Err(Error::Recording {
        what: format!("the channels of {} hold different things: {}", topic.name, kinds.join("; ")),
        path: file.path().to_path_buf(),
        hint: "give each its own topic, or keep the channels of one kind in the file",
    })
}

/// The topics of the left (or only) and of the right eye.
fn choose_images(file: &McapFile) -> Result<(usize, Option<usize>)> {
    let named = |eye| file.topics.iter().position(|topic| topic.name == image_topic(eye) && is_image(file, topic));
    if let Some(left) = named(Eye::Left) {
        return Ok((left, named(Eye::Right)));
    }
    let images: Vec<usize> = (0..file.topics.len()).filter(|&at| is_image(file, &file.topics[at])).collect();
    let with_word = |word: &str| -> Vec<usize> {
        images.iter().copied().filter(|&at| file.topics[at].name.to_lowercase().contains(word)).collect()
    };
    match (images.as_slice(), with_word("left").as_slice(), with_word("right").as_slice()) {
        ([only], ..) | (_, [only], []) => Ok((*only, None)),
        (_, [left], [right]) => Ok((*left, Some(*right))),
        ([], ..) => Err(no_images(file)),
        _ => Err(Error::Recording {
            what: format!("cannot tell which images are the left camera's, found {}", list(file)),
            path: file.path().to_path_buf(),
            hint: "keep the topics of one camera or of one left and right pair: `mcap filter IN -o OUT -y TOPIC`",
        }),
    }
}

fn is_image(file: &McapFile, topic: &Topic) -> bool {
    holds(file, topic, &IMAGES) && topic.name != LIDAR_TOPIC && !is_depth(&topic.name)
}

fn is_depth(name: &str) -> bool {
    name.to_lowercase().contains("depth")
}

fn no_images(file: &McapFile) -> Error {
    let is_of = |encoding: &str| file.channels.iter().any(|channel| channel.is_used && channel.encoding == encoding);
    let hint = if is_of("cdr") || is_of("ros1") {
        "messages of ROS (cdr, ros1) are not read: convert the bag to Foxglove's schemas in protobuf, or to a folder of images"
    } else {
        "record with Foxglove's schemas, or give a folder of images"
    };
    let mut what = format!("expected Foxglove images (CompressedImage or RawImage, protobuf), found {}", list(file));
    if let Some(damage) = &file.damage {
        what = format!("{what}; {damage}");
    }
    Error::Recording { what, path: file.path().to_path_buf(), hint }
}

fn list(file: &McapFile) -> String {
    if file.topics.is_empty() {
        return "no topics".to_owned();
    }
    let kinds = |topic: &Topic| {
        let mut kinds: Vec<String> = file.channels_of(topic).map(Channel::to_string).collect();
        kinds.dedup();
        kinds.join("; ")
    };
    let topics = file.topics.iter().map(|topic| format!("{} ({})", topic.name, kinds(topic)));
    topics.collect::<Vec<_>>().join(", ")
}

/// The calibration that belongs to an image topic: ours by name, others' by the longest name in common.
fn calibration_of(file: &McapFile, image: &str, eye: Eye) -> Option<Result<usize>> {
    let mut calibrations = (0..file.topics.len()).filter(|&at| holds(file, &file.topics[at], &[CAMERA_CALIBRATION]));
    let name = |at: usize| file.topics[at].name.as_str();
    let folder = |at: usize| name(at).rsplit_once('/').map_or("", |(folder, _)| folder);
    let found = if image == image_topic(eye) {
        calibrations.find(|&at| name(at) == calibration_topic(eye))
    } else {
        let near = |at: usize| image.strip_prefix(folder(at)).is_some_and(|rest| rest.starts_with('/'));
        calibrations.filter(|&at| near(at)).max_by_key(|&at| folder(at).len())
    };
    found.map(|at| one_kind(file, at, &[CAMERA_CALIBRATION]))
}

/// Topics that look like pictures or their cameras and are not read, and why; none where there are none.
pub(super) fn unread(file: &McapFile, choice: &Choice) -> Option<String> {
    let read = [Some(choice.left), choice.right, choice.depth, choice.lidar];
    let of_topic = |at: usize| {
        let topic = &file.topics[at];
        let channel = file.channels_of(topic).find(|channel| looks_like_picture(&channel.schema))?;
        let why = if !channel.is(COMPRESSED_IMAGE) && !channel.is(RAW_IMAGE) {
            "not one of Foxglove's messages that are read"
        } else if is_depth(&topic.name) {
            "depth is read on /camera/left/depth"
        } else {
            "neither the left camera's nor the right one's"
        };
        Some(format!("{} ({channel}): {why}", topic.name))
    };
    let unread = (0..file.topics.len()).filter(|at| !read.contains(&Some(*at))).filter_map(of_topic);
    let unread: Vec<String> = unread.collect();
    (!unread.is_empty()).then(|| format!("not read: {}", unread.join("; ")))
}

/// By the name of a schema, of Foxglove or of others.
fn looks_like_picture(schema: &str) -> bool {
    let schema = schema.to_lowercase();
    let about_pictures = ["annotation", "marker"].iter().any(|word| schema.contains(word));
    !about_pictures && ["image", "video", "camerainfo"].iter().any(|word| schema.contains(word))
}
