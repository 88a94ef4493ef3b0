//! Frames, depth and poses of an MCAP file, each found by the time stamp of the left frame it belongs to.
//!
//! Our own recordings are known by their topics. Of others' recordings any Foxglove `CompressedImage` or `RawImage`
//! (protobuf) will do; the words `left` and `right` in the topics tell the eyes apart.

use super::durable::SNIPPETS_TOPIC;
use super::mcap_file::{Channel, McapFile, Message, MessagePlace};
use super::{
    CAMERA_FRAMES, CAMERA_IDENTITY, CAMERA_NAME, DEPTH_TOPIC, Eye, LIDAR_TOPIC, POSE_TOPIC, WORLD_FRAME,
    calibration_topic, image_topic,
};
use crate::camera::{Camera, CameraIdentity};
use crate::depth::DepthMap;
use crate::frame::{Frame, Timestamp};
use crate::picture_file::{self, Orientation};
use crate::recording::messages;
use crate::{Error, Result};
use foxglove::messages::{CameraCalibration, CompressedImage, FrameTransform, RawImage};
use nalgebra::Isometry3;
use std::path::Path;

const COMPRESSED_IMAGE: &str = "foxglove.CompressedImage";
const RAW_IMAGE: &str = "foxglove.RawImage";
/// Frame period assumed where there are fewer than two frames, for matching other streams: 10 Hz, KITTI's rate.
const ASSUMED_PERIOD_NANOS: u64 = 100_000_000;

/// An MCAP file seen as a recording.
#[derive(Debug)]
pub(super) struct McapSource {
    file: McapFile,
    images: [Option<Stream>; 2],
    depth: Option<Stream>,
    lidar: Option<Stream>,
    /// Index of the channel with poses.
    poses: Option<usize>,
    times: Vec<u64>,
    tolerance_nanos: u64,
    /// When the snippets of a recorder begin; empty where none chose the frames.
    snippets: Vec<u64>,
}

/// A channel matched to the left frames.
#[derive(Debug)]
struct Stream {
    channel: usize,
    /// For each left frame the index of the message that belongs to it.
    of_frame: Vec<Option<usize>>,
}

impl McapSource {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = McapFile::open(path)?;
        let (left, right) = choose_images(&file)?;
        let times: Vec<u64> = file.channels[left].messages.iter().map(|message| message.time).collect();
        // Half a period: a stream recorded by another clock tick still finds its frame, but never the next one.
        let tolerance_nanos = median_period(&times) / 2;
        let matched = |channel: usize| {
            let messages = file.channels[channel].messages.iter().map(|message| message.time);
            Stream { channel, of_frame: match_times(&times, &messages.collect::<Vec<_>>(), tolerance_nanos) }
        };
        let named =
            |topic, schema| file.channels.iter().position(|channel| channel.topic == topic && is(channel, schema));
        Ok(Self {
            images: [Some(matched(left)), right.map(matched)],
            depth: named(DEPTH_TOPIC, RAW_IMAGE).map(matched),
            lidar: named(LIDAR_TOPIC, RAW_IMAGE).map(matched),
            poses: named(POSE_TOPIC, "foxglove.FrameTransform"),
            snippets: file
                .channels
                .iter()
                .filter(|channel| channel.topic == SNIPPETS_TOPIC)
                .flat_map(|channel| channel.messages.iter().map(|message| message.time))
                .collect(),
            times,
            tolerance_nanos,
            file,
        })
    }

    pub(super) fn stretch(&self, index: usize) -> usize {
        self.snippets.partition_point(|start| *start <= self.times[index]).saturating_sub(1)
    }

    pub(super) fn is_chosen(&self) -> bool {
        !self.snippets.is_empty()
    }

    pub(super) fn json_messages(&self, topic: &str) -> Result<Vec<(Timestamp, serde_json::Value)>> {
        let channel = self.file.channels.iter().find(|channel| channel.topic == topic && channel.encoding == "json");
        let places = channel.map(|channel| channel.messages.as_slice()).unwrap_or_default();
        let read = |place: &MessagePlace| {
            let value = serde_json::from_slice(&self.file.message(*place)?.data);
            let value = value.map_err(|error| Error::Recording {
                what: format!("{topic} holds a message that is no JSON: {error}"),
                path: self.file.path().to_path_buf(),
                hint: "the file was written with another schema or is damaged",
            })?;
            Ok((Timestamp::from_nanos(place.time), value))
        };
        places.iter().map(read).collect()
    }

    pub(super) fn damage(&self) -> Option<&str> {
        self.file.damage.as_deref()
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    pub(super) fn timestamp(&self, index: usize) -> Timestamp {
        Timestamp::from_nanos(self.times[index])
    }

    /// When an eye took its picture of a frame.
    pub(super) fn frame_timestamp(&self, index: usize, eye: Eye) -> Option<Timestamp> {
        let stream = self.images[eye.index()].as_ref()?;
        let message = self.file.channels[stream.channel].messages[stream.of_frame[index]?];
        Some(Timestamp::from_nanos(message.time))
    }

    pub(super) fn has(&self, eye: Eye) -> bool {
        self.images[eye.index()].is_some()
    }

    pub(super) fn has_depth(&self) -> bool {
        self.depth.is_some()
    }

    pub(super) fn has_lidar(&self) -> bool {
        self.lidar.is_some()
    }

    pub(super) fn has_depth_of(&self, index: usize) -> bool {
        self.depth.as_ref().is_some_and(|stream| stream.of_frame[index].is_some())
    }

    pub(super) fn has_lidar_of(&self, index: usize) -> bool {
        self.lidar.as_ref().is_some_and(|stream| stream.of_frame[index].is_some())
    }

    pub(super) fn has_frame(&self, index: usize, eye: Eye) -> bool {
        self.images[eye.index()].as_ref().is_some_and(|stream| stream.of_frame[index].is_some())
    }

    /// The camera that took this eye's pictures, where the recording says.
    pub(super) fn camera(&self, eye: Eye) -> Result<Option<Camera>> {
        let Some(stream) = &self.images[eye.index()] else { return Ok(None) };
        let Some(channel) = calibration_of(&self.file, &self.file.channels[stream.channel].topic, eye) else {
            return Ok(None);
        };
        let Some(&place) = channel.messages.first() else { return Ok(None) };
        let message: CameraCalibration = self.decode(channel, &self.file.message(place)?)?;
        // Foxglove and ROS: K[0] = 0 means that the camera is not calibrated.
        if message.k.first().is_none_or(|&fx| fx == 0.0) {
            return Ok(None);
        }
        let name = channel.metadata.get(CAMERA_NAME).cloned().unwrap_or_else(|| message.frame_id.clone());
        let wrong = |what| Error::Camera { what, path: Some(self.file.path().to_path_buf()) };
        let camera = messages::camera_from_calibration(message, name).map_err(wrong)?;
        let (stated, found) = (channel.metadata.get(CAMERA_IDENTITY), CameraIdentity::of(&camera));
        if stated.is_some_and(|stated| stated != found.as_str()) {
            let topic = &channel.topic;
            return Err(wrong(format!(
                "the calibration on {topic} is not the one that was recorded: its hash differs"
            )));
        }
        Ok(Some(camera))
    }

    /// The frame, or none when this eye has none at that time.
    pub(super) fn frame(&self, index: usize, eye: Eye) -> Result<Option<Frame>> {
        let Some((channel, message)) = self.message(self.images[eye.index()].as_ref(), index)? else {
            return Ok(None);
        };
        let sequence = if message.sequence == 0 { index as u64 } else { u64::from(message.sequence) };
        let frame = if channel.schema == COMPRESSED_IMAGE {
            let image: CompressedImage = self.decode(channel, &message)?;
            messages::frame_from_compressed(&image, self.timestamp(index), sequence)
        } else {
            let image: RawImage = self.decode(channel, &message)?;
            messages::frame_from_raw(&image, self.timestamp(index), sequence)
        };
        frame.map(Some).map_err(|what| self.bad_message(channel, index, &what))
    }

    /// How EXIF turns the picture of a frame; none where there is no picture, or none that carries EXIF.
    pub(super) fn orientation(&self, index: usize, eye: Eye) -> Option<Orientation> {
        let (channel, message) = self.message(self.images[eye.index()].as_ref(), index).ok()??;
        let image: CompressedImage =
            if channel.schema == COMPRESSED_IMAGE { self.decode(channel, &message).ok()? } else { return None };
        picture_file::header(&image.data).ok().map(|header| header.orientation)
    }

    pub(super) fn depth(&self, index: usize) -> Result<Option<DepthMap>> {
        self.depth_of(self.depth.as_ref(), index)
    }

    pub(super) fn lidar(&self, index: usize) -> Result<Option<DepthMap>> {
        self.depth_of(self.lidar.as_ref(), index)
    }

    /// Where the left camera is; none where the recording does not say.
    pub(super) fn pose(&self, index: usize) -> Result<Option<Isometry3<f64>>> {
        let Some(channel) = self.poses.map(|channel| &self.file.channels[channel]) else { return Ok(None) };
        let time = self.times[index];
        let start =
            channel.messages.partition_point(|message| message.time.saturating_add(self.tolerance_nanos) < time);
        let near = channel.messages[start..]
            .iter()
            .take_while(|message| message.time <= time.saturating_add(self.tolerance_nanos));
        // The nearest first: others' files hold every transform of the robot on one topic.
        let mut near: Vec<_> = near.collect();
        near.sort_by_key(|message| message.time.abs_diff(time));
        for &place in near {
            let transform: FrameTransform = self.decode(channel, &self.file.message(place)?)?;
            let wanted = transform.child_frame_id == CAMERA_FRAMES[0] && transform.parent_frame_id == WORLD_FRAME;
            if let Some(pose) = messages::pose_from_transform(&transform).filter(|_| wanted) {
                return Ok(Some(pose));
            }
        }
        Ok(None)
    }

    fn depth_of(&self, stream: Option<&Stream>, index: usize) -> Result<Option<DepthMap>> {
        let Some((channel, message)) = self.message(stream, index)? else { return Ok(None) };
        let image: RawImage = self.decode(channel, &message)?;
        messages::depth_from_raw(&image).map(Some).map_err(|what| self.bad_message(channel, index, &what))
    }

    fn message(&self, stream: Option<&Stream>, index: usize) -> Result<Option<(&Channel, Message)>> {
        let Some(stream) = stream else { return Ok(None) };
        let channel = &self.file.channels[stream.channel];
        let Some(at) = stream.of_frame[index] else { return Ok(None) };
        Ok(Some((channel, self.file.message(channel.messages[at])?)))
    }

    fn decode<M: prost::Message + Default>(&self, channel: &Channel, message: &Message) -> Result<M> {
        M::decode(message.data.clone()).map_err(|error| Error::Recording {
            what: format!("{} holds a message that is no {}: {error}", channel.topic, channel.schema),
            path: self.file.path().to_path_buf(),
            hint: "the file was written with another schema or is damaged",
        })
    }

    fn bad_message(&self, channel: &Channel, index: usize, what: &str) -> Error {
        Error::Recording {
            what: format!("frame {index} on {}: {what}", channel.topic),
            path: self.file.path().to_path_buf(),
            hint: "skip this frame or record again",
        }
    }
}

fn is(channel: &Channel, schema: &str) -> bool {
    channel.schema == schema && channel.encoding == "protobuf" && !channel.messages.is_empty()
}

/// The channels of the left (or only) and of the right eye.
fn choose_images(file: &McapFile) -> Result<(usize, Option<usize>)> {
    let named = |eye| file.channels.iter().position(|channel| channel.topic == image_topic(eye) && is_image(channel));
    if let Some(left) = named(Eye::Left) {
        return Ok((left, named(Eye::Right)));
    }
    let images: Vec<usize> = (0..file.channels.len()).filter(|&at| is_image(&file.channels[at])).collect();
    let with_word = |word: &str| -> Vec<usize> {
        images.iter().copied().filter(|&at| file.channels[at].topic.to_lowercase().contains(word)).collect()
    };
    match (images.as_slice(), with_word("left").as_slice(), with_word("right").as_slice()) {
        ([only], ..) | (_, [only], []) => Ok((*only, None)),
        (_, [left], [right]) => Ok((*left, Some(*right))),
        ([], ..) => Err(Error::Recording {
            what: format!("expected Foxglove images (CompressedImage or RawImage, protobuf), found {}", topics(file)),
            path: file.path().to_path_buf(),
            hint: "record with Foxglove's schemas, or give a folder of images",
        }),
        _ => Err(Error::Recording {
            what: format!("cannot tell which images are the left camera's, found {}", topics(file)),
            path: file.path().to_path_buf(),
            hint: "keep the topics of one camera or of one left and right pair: `mcap filter IN -o OUT -y TOPIC`",
        }),
    }
}

fn is_image(channel: &Channel) -> bool {
    let image = is(channel, COMPRESSED_IMAGE) || is(channel, RAW_IMAGE);
    image && channel.topic != LIDAR_TOPIC && !channel.topic.to_lowercase().contains("depth")
}

fn topics(file: &McapFile) -> String {
    if file.channels.is_empty() {
        return "no topics".to_owned();
    }
    let topics = file.channels.iter().map(|channel| format!("{} ({})", channel.topic, channel.schema));
    topics.collect::<Vec<_>>().join(", ")
}

/// The calibration that belongs to an image topic: ours by name, others' by the longest name in common.
fn calibration_of<'a>(file: &'a McapFile, image: &str, eye: Eye) -> Option<&'a Channel> {
    let calibrations = || file.channels.iter().filter(|channel| is(channel, "foxglove.CameraCalibration"));
    if image == image_topic(eye) {
        return calibrations().find(|channel| channel.topic == calibration_topic(eye));
    }
    let folder = |topic: &'a str| topic.rsplit_once('/').map_or("", |(folder, _)| folder);
    calibrations()
        .filter(|channel| image.strip_prefix(folder(&channel.topic)).is_some_and(|rest| rest.starts_with('/')))
        .max_by_key(|channel| folder(&channel.topic).len())
}

fn median_period(times: &[u64]) -> u64 {
    let mut periods: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    periods.sort_unstable();
    periods.get(periods.len() / 2).copied().unwrap_or(ASSUMED_PERIOD_NANOS)
}

/// For each time the index of the nearest other time, unless that is farther than `tolerance`. Both are sorted.
fn match_times(times: &[u64], others: &[u64], tolerance: u64) -> Vec<Option<usize>> {
    let nearest = |&time: &u64| {
        let after = others.partition_point(|&other| other < time);
        let candidates = after.saturating_sub(1)..(after + 1).min(others.len());
        let nearest = candidates.min_by_key(|&at| others[at].abs_diff(time))?;
        (others[nearest].abs_diff(time) <= tolerance).then_some(nearest)
    };
    times.iter().map(nearest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_matched_to_the_nearest_frame_within_half_a_period() {
        let frames = [1000, 1100, 1200, 1300];
        assert_eq!(median_period(&frames), 100);
        assert_eq!(match_times(&frames, &[1010, 1205, 1351], 50), [Some(0), None, Some(1), None]);
        assert_eq!(match_times(&frames, &[], 50), [None; 4]);
    }
}
