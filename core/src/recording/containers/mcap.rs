//! Frames, depth and poses of an MCAP file, each found by the time stamp of the left frame it belongs to.
//!
//! Our own recordings are known by their topics. Of others' recordings any Foxglove `CompressedImage` or `RawImage`
//! (protobuf) will do; the words `left` and `right` in the topics tell the eyes apart.

use super::Container;
use crate::camera::{Camera, CameraIdentity};
use crate::depth::DepthMap;
use crate::frame::{Frame, Timestamp};
use crate::picture_file::{self, Orientation};
use crate::recording::capture_clock::{self, CaptureClock};
use crate::recording::durable::SNIPPETS_TOPIC;
use crate::recording::mcap_file::{Channel, McapFile, Message, MessagePlace, Topic};
use crate::recording::source::Source;
use crate::recording::stamps::read_stamps;
use crate::recording::time_finding::{TimeFault, TimeFinding};
use crate::recording::topics::{self, COMPRESSED_IMAGE, Choice};
use crate::recording::{CAMERA_FRAMES, CAMERA_IDENTITY, CAMERA_NAME, Eye, WORLD_FRAME, messages, raw_image};
use crate::{Error, Result};
use foxglove::messages::{CameraCalibration, CompressedImage, FrameTransform, RawImage};
use nalgebra::Isometry3;
use std::path::Path;

/// Messages of a topic that are looked at to see what is in it, spread over it.
const LOOKS: usize = 16;
/// A gray picture of 16 bits that is brighter nowhere is of a sensor with 12 bits, or is no picture but depth.
const DARK: u16 = 4095;

/// An MCAP file, whatever its name: one that a recorder has not finished ends otherwise.
pub(super) const CONTAINER: Container = Container {
    extensions: &["mcap"],
    recognises: |path| Ok(!path.is_dir()),
    open: |path, _options| Ok(Box::new(McapSource::open(path)?)),
};

/// An MCAP file seen as a recording.
#[derive(Debug)]
struct McapSource {
    file: McapFile,
    images: [Option<Stream>; 2],
    depth: Option<Stream>,
    lidar: Option<Stream>,
    /// The topic with poses.
    poses: Option<usize>,
    /// The topics with each eye's calibration.
    calibrations: [Option<usize>; 2],
    times: Vec<u64>,
    clock: CaptureClock,
    /// When the snippets of a recorder begin; empty where none chose the frames.
    snippets: Vec<u64>,
    /// Topics that look like pictures and were not read, and why.
    unread: Option<String>,
}

/// A topic matched to the left frames.
#[derive(Debug)]
struct Stream {
    topic: usize,
    /// For each left frame the index of the message that belongs to it.
    of_frame: Vec<Option<usize>>,
}

impl McapSource {
    fn open(path: &Path) -> Result<Self> {
        let mut file = McapFile::open(path)?;
        let choice = topics::choose(&file)?;
        let unread = topics::unread(&file, &choice);
        let mut clock = put_on_one_clock(&mut file, &choice);
        let times: Vec<u64> = file.topics[choice.left].messages.iter().map(|message| message.time).collect();
        let mut matched = |topic: usize| {
            let others: Vec<u64> = file.topics[topic].messages.iter().map(|message| message.time).collect();
            let of_frame = match_times(&times, &others, clock.tolerance_nanos);
            if !others.is_empty() && of_frame.iter().all(Option::is_none) {
                clock.findings.push(elsewhere(&file.topics[topic].name, &times, &others));
            }
            // Where nothing of it can be placed, there is no such thing.
            (!others.is_empty()).then_some(Stream { topic, of_frame })
        };
        let left = Stream { topic: choice.left, of_frame: (0..times.len()).map(Some).collect() };
        Ok(Self {
            images: [Some(left), choice.right.and_then(&mut matched)],
            depth: choice.depth.and_then(&mut matched),
            lidar: choice.lidar.and_then(&mut matched),
            poses: choice.poses,
            calibrations: choice.calibrations,
            snippets: file
                .topics
                .iter()
                .filter(|topic| topic.name == SNIPPETS_TOPIC)
                .flat_map(|topic| topic.messages.iter().map(|message| message.time))
                .collect(),
            times,
            clock,
            unread,
            file,
        })
    }
}

impl Source for McapSource {
    fn len(&self) -> usize {
        self.times.len()
    }

    fn timestamp(&self, index: usize) -> Timestamp {
        Timestamp::from_nanos(self.times[index])
    }

    fn has(&self, eye: Eye) -> bool {
        self.images[eye.index()].is_some()
    }

    fn has_frame(&self, index: usize, eye: Eye) -> bool {
        self.images[eye.index()].as_ref().is_some_and(|stream| stream.of_frame[index].is_some())
    }

    fn frame(&self, index: usize, eye: Eye) -> Result<Option<Frame>> {
        let Some((channel, message)) = self.message(self.images[eye.index()].as_ref(), index)? else {
            return Ok(None);
        };
        let sequence = if message.sequence == 0 { index as u64 } else { u64::from(message.sequence) };
        let frame = if channel.is(COMPRESSED_IMAGE) {
            let image: CompressedImage = self.decode(channel, &message)?;
            messages::frame_from_compressed(&image, self.timestamp(index), sequence)
        } else {
            let image: RawImage = self.decode(channel, &message)?;
            raw_image::frame_from_raw(&image, self.timestamp(index), sequence)
        };
        frame.map(Some).map_err(|what| self.bad_message(channel, index, &what))
    }

    fn orientation(&self, index: usize, eye: Eye) -> Option<Orientation> {
        let (channel, message) = self.message(self.images[eye.index()].as_ref(), index).ok()??;
        let image: CompressedImage =
            if channel.schema == COMPRESSED_IMAGE { self.decode(channel, &message).ok()? } else { return None };
        picture_file::header(&image.data).ok().map(|header| header.orientation)
    }

    /// Whether the left and right pictures are what they say.
    ///
    /// # Errors
    /// Those of 16 bits are so dark that they are something else.
    fn check_pictures(&self) -> Result<()> {
        for topic in self.images.iter().flatten().map(|stream| &self.file.topics[stream.topic]) {
            let brightest = |place: MessagePlace| {
                let channel = self.file.channel(place);
                if channel.is(COMPRESSED_IMAGE) {
                    return None;
                }
                let image: RawImage = self.decode(channel, &self.file.message(place).ok()?).ok()?;
                raw_image::brightest_of_16_bits(&image)
            };
            // What begins with another encoding is not read any further.
            let brightest = looks(topic).into_iter().map(brightest).take_while(Option::is_some).flatten();
            if let Some(brightest) = brightest.max().filter(|brightest| *brightest <= DARK) {
                return Err(Error::Recording {
                    what: format!(
                        "the pictures of 16 bits on {} are brighter than {brightest} of 65535 nowhere: depth, or a sensor of fewer bits",
                        topic.name
                    ),
                    path: self.file.path().to_path_buf(),
                    hint: "pictures of 16 bits use all of them: multiply those of 12 bits by 16; depth is 16UC1 on a topic of its own",
                });
            }
        }
        Ok(())
    }

    fn camera(&self, eye: Eye) -> Result<Option<Camera>> {
        let Some(topic) = self.calibrations[eye.index()].map(|topic| &self.file.topics[topic]) else { return Ok(None) };
        for &place in &looks(topic) {
            let channel = self.file.channel(place);
            let message: CameraCalibration = self.decode(channel, &self.file.message(place)?)?;
            if is_calibrated(&message) {
                return self.camera_of(channel, message).map(Some);
            }
        }
        Ok(None)
    }

    fn frame_timestamp(&self, index: usize, eye: Eye) -> Option<Timestamp> {
        let stream = self.images[eye.index()].as_ref()?;
        let message = self.file.topics[stream.topic].messages[stream.of_frame[index]?];
        Some(Timestamp::from_nanos(message.time))
    }

    fn time_findings(&self) -> &[TimeFinding] {
        &self.clock.findings
    }

    fn remarks(&self) -> Vec<String> {
        let changes = [Eye::Left, Eye::Right].into_iter().filter_map(|eye| self.changed_calibration(eye));
        self.unread.iter().cloned().chain(changes).collect()
    }

    fn damage(&self) -> Option<&str> {
        self.file.damage.as_deref()
    }

    fn has_depth(&self) -> bool {
        self.depth.is_some()
    }

    fn has_depth_of(&self, index: usize) -> bool {
        self.depth.as_ref().is_some_and(|stream| stream.of_frame[index].is_some())
    }

    fn depth(&self, index: usize) -> Result<Option<DepthMap>> {
        self.depth_of(self.depth.as_ref(), index)
    }

    fn has_lidar(&self) -> bool {
        self.lidar.is_some()
    }

    fn has_lidar_of(&self, index: usize) -> bool {
        self.lidar.as_ref().is_some_and(|stream| stream.of_frame[index].is_some())
    }

    fn lidar(&self, index: usize) -> Result<Option<DepthMap>> {
        self.depth_of(self.lidar.as_ref(), index)
    }

    fn world_from_camera(&self, index: usize) -> Option<Isometry3<f64>> {
        self.pose(index).ok().flatten()
    }

    fn stretch(&self, index: usize) -> usize {
        let begun = |starts: &[u64]| starts.partition_point(|start| *start <= self.times[index]);
        begun(&self.snippets).saturating_sub(1) + begun(&self.clock.breaks)
    }

    fn is_chosen(&self) -> bool {
        !self.snippets.is_empty()
    }

    fn json_messages(&self, topic: &str) -> Result<Vec<(Timestamp, serde_json::Value)>> {
        let found = self.file.topics.iter().find(|found| found.name == topic);
        let places = found.map(|found| found.messages.iter()).unwrap_or_default();
        let mut places = places.filter(|place| self.file.channel(**place).encoding == "json");
        let read = |place: &MessagePlace| {
            let value = serde_json::from_slice(&self.file.message(*place)?.data);
            let value = value.map_err(|error| Error::Recording {
                what: format!("{topic} holds a message that is no JSON: {error}"),
                path: self.file.path().to_path_buf(),
                hint: "the file was written with another schema or is damaged",
            })?;
            Ok((Timestamp::from_nanos(place.time), value))
        };
        places.by_ref().map(read).collect()
    }
}

impl McapSource {
    fn camera_of(&self, channel: &Channel, message: CameraCalibration) -> Result<Camera> {
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
        Ok(camera)
    }

    /// Says so where the calibrations of an eye are not all the same.
    fn changed_calibration(&self, eye: Eye) -> Option<String> {
        let topic = &self.file.topics[self.calibrations[eye.index()]?];
        let read = |place: &MessagePlace| {
            let message: CameraCalibration =
                self.decode(self.file.channel(*place), &self.file.message(*place).ok()?).ok()?;
            is_calibrated(&message).then_some(CameraCalibration { timestamp: None, ..message })
        };
        let mut found = looks(topic).iter().filter_map(read).collect::<Vec<_>>().into_iter();
        let first = found.next()?;
        let other = found.find(|other| *other != first)?;
        let fx = |message: &CameraCalibration| message.k.first().copied().unwrap_or_default();
        Some(format!(
            "the calibrations on {} are not all the same (fx {} and {}): the first is taken",
            topic.name,
            fx(&first),
            fx(&other)
        ))
    }

    fn depth_of(&self, stream: Option<&Stream>, index: usize) -> Result<Option<DepthMap>> {
        let Some((channel, message)) = self.message(stream, index)? else { return Ok(None) };
        let image: RawImage = self.decode(channel, &message)?;
        messages::depth_from_raw(&image).map(Some).map_err(|what| self.bad_message(channel, index, &what))
    }

    fn message(&self, stream: Option<&Stream>, index: usize) -> Result<Option<(&Channel, Message)>> {
        let Some(stream) = stream else { return Ok(None) };
        let Some(at) = stream.of_frame[index] else { return Ok(None) };
        let place = self.file.topics[stream.topic].messages[at];
        Ok(Some((self.file.channel(place), self.file.message(place)?)))
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

    fn pose(&self, index: usize) -> Result<Option<Isometry3<f64>>> {
        let Some(topic) = self.poses.map(|topic| &self.file.topics[topic]) else { return Ok(None) };
        let (time, tolerance) = (self.times[index], self.clock.tolerance_nanos);
        let start = topic.messages.partition_point(|message| message.time.saturating_add(tolerance) < time);
        let near = topic.messages[start..].iter().take_while(|message| message.time <= time.saturating_add(tolerance));
        // The nearest first: others' files hold every transform of the robot on one topic.
        let mut near: Vec<_> = near.collect();
        near.sort_by_key(|message| message.time.abs_diff(time));
        for &place in near {
            let transform: FrameTransform = self.decode(self.file.channel(place), &self.file.message(place)?)?;
            let wanted = transform.child_frame_id == CAMERA_FRAMES[0] && transform.parent_frame_id == WORLD_FRAME;
            if let Some(pose) = messages::pose_from_transform(&transform).filter(|_| wanted) {
                return Ok(Some(pose));
            }
        }
        Ok(None)
    }
}

/// Foxglove: K[0] = 0 means that the camera is not calibrated, as in ROS.
fn is_calibrated(message: &CameraCalibration) -> bool {
    message.k.first().is_some_and(|&fx| fx != 0.0)
}

/// Some messages of a topic in order: the first of each channel, the last, and some between.
fn looks(topic: &Topic) -> Vec<MessagePlace> {
    let count = topic.messages.len();
    let spread =
        (0..LOOKS.min(count)).map(|look| look * count.saturating_sub(1) / LOOKS.min(count).saturating_sub(1).max(1));
    let firsts = topic
        .channels
        .iter()
        .filter_map(|channel| topic.messages.iter().position(|place| usize::from(place.channel) == *channel));
    let chosen: std::collections::BTreeSet<usize> = spread.chain(firsts).collect();
    chosen.into_iter().map(|at| topic.messages[at]).collect()
}

/// Gives all messages that are read their times of capture; those of other topics are forgotten.
fn put_on_one_clock(file: &mut McapFile, choice: &Choice) -> CaptureClock {
    let measured: Vec<usize> =
        [Some(choice.left), choice.right, choice.depth, choice.lidar].into_iter().flatten().collect();
    let has_text = |topic: &Topic| file.channels_of(topic).any(|channel| channel.encoding == "json");
    let texts: Vec<usize> = (0..file.topics.len()).filter(|at| has_text(&file.topics[*at])).collect();
    let others = choice.poses.into_iter().chain(texts).filter(|at| !measured.contains(at));
    let placed: Vec<usize> = measured.iter().copied().chain(others).collect();
    let mut topics: Vec<Topic> = Vec::new();
    for &at in &placed {
        topics.push(Topic { messages: std::mem::take(&mut file.topics[at].messages), ..file.topics[at].clone() });
    }
    if let Some(error) = read_stamps(file, &mut topics) {
        file.damage.get_or_insert_with(|| error.to_string());
    }
    let clock = capture_clock::decide(&mut topics, measured.len(), |place| file.position(place));
    for at in 0..file.topics.len() {
        // A calibration holds from when it was read on: its place in the file is its order.
        if !choice.calibrations.contains(&Some(at)) {
            file.topics[at].messages = Vec::new();
        }
    }
    for (at, topic) in placed.into_iter().zip(topics) {
        file.topics[at] = topic;
    }
    clock
}

/// Says how far the messages of a topic are from any picture.
fn elsewhere(topic: &str, times: &[u64], others: &[u64]) -> TimeFinding {
    let nearest = |other: &u64| {
        let after = times.partition_point(|time| time < other);
        times[after.saturating_sub(1)..(after + 1).min(times.len())].iter().map(|time| time.abs_diff(*other)).min()
    };
    let nanos = others.iter().filter_map(nearest).min().unwrap_or_default();
    TimeFinding { fault: TimeFault::Elsewhere, topic: topic.to_owned(), count: others.len(), of: others.len(), nanos }
}

/// For each time the index of the nearest other time, unless that is farther than `tolerance` or nearer to another time. Both are
/// sorted.
fn match_times(times: &[u64], others: &[u64], tolerance: u64) -> Vec<Option<usize>> {
    let nearest = |&time: &u64| {
        let after = others.partition_point(|&other| other < time);
        let candidates = after.saturating_sub(1)..(after + 1).min(others.len());
        let nearest = candidates.min_by_key(|&at| others[at].abs_diff(time))?;
        (others[nearest].abs_diff(time) <= tolerance).then_some(nearest)
    };
    let mut matched: Vec<Option<usize>> = times.iter().map(nearest).collect();
    // What two frames ask for belongs to the nearer one.
    let mut owner = 0;
    for at in 1..matched.len() {
        match (matched[owner], matched[at]) {
            (Some(one), Some(other)) if one == other => {
                let away = |at: usize| others[one].abs_diff(times[at]);
                let loser = if away(at) < away(owner) { std::mem::replace(&mut owner, at) } else { at };
                matched[loser] = None;
            }
            (_, Some(_)) => owner = at,
            (_, None) => {}
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_matched_to_the_nearest_frame_within_half_a_period() {
        let frames = [1000, 1100, 1200, 1300];
        assert_eq!(capture_clock::median_period(&frames), 100);
        assert_eq!(match_times(&frames, &[1010, 1205, 1351], 50), [Some(0), None, Some(1), None]);
        assert_eq!(match_times(&frames, &[], 50), [None; 4]);
        // Two frames that came close ask for one message.
        assert_eq!(match_times(&[1000, 1030, 1100, 1200], &[1025, 1190], 50), [None, Some(0), None, Some(1)]);
        assert_eq!(match_times(&[1000, 1030, 1100], &[1005], 50), [Some(0), None, None]);
    }
}
