//! Event files for TensorBoard: the log's numbers and the sample pictures, over the steps.
//!
//! ```text
//! file   = record*
//! record = length u64 │ masked crc of length u32 │ Event (protobuf) │ masked crc of Event u32        little-endian
//! masked = rotate_right(crc32c, 15) + 0xa282ead8
//! ```
//!
//! Reference: TensorFlow's public format descriptions, *TFRecord* and `event.proto`, `summary.proto`; the checksum is
//! CRC-32C of RFC 3720, appendix B.4.
//!
//! Every sitting of a run writes a file of its own. A resumed one begins with a session start at its first step: TensorBoard
//! then forgets what a killed sitting had written of that step and later ones.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;

use super::Sample;
use super::log::LogLine;
use crate::Error;

/// What every event file's name begins with.
pub(super) const PREFIX: &str = "events.out.tfevents.";

/// The form of the file: the only one there is.
const FILE_VERSION: &str = "brain.Event:2";

/// `SessionLog.SessionStatus.START`.
const SESSION_START: i32 = 1;

/// An event file of this sitting.
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Starts a file in a run folder; the first step that it may tell of is the one after `done`.
    pub(super) fn create(folder: &Path, done: u64) -> Result<Self, Error> {
        let now = since_epoch();
        // TensorBoard reads the files of a folder in the order of their names: seconds first, as its own writers do.
        let name = format!("{PREFIX}{:010}.{:09}.parallax", now.as_secs(), now.subsec_nanos());
        let path = folder.join(name);
        let file = File::create_new(&path).map_err(Error::io("create", &path))?;
        let mut events = Self { path, file };
        events.write(Event { file_version: Some(FILE_VERSION.into()), ..Event::at(0) })?;
        let start = SessionLog { status: SESSION_START };
        events.write(Event { session_log: Some(start), ..Event::at(done + 1) })?;
        Ok(events)
    }

    /// The loss, its terms, the loss on the validation footage if it was looked at, the learning rate and the time of a step.
    pub(super) fn append_numbers(&mut self, line: &LogLine) -> Result<(), Error> {
        let number = |tag: String, value: f64| Value { tag, number: Some(value as f32), image: None };
        let mut values: Vec<Value> =
            line.terms.iter().map(|(name, value)| number(format!("loss/{name}"), *value)).collect();
        values.push(number("loss/total".into(), line.loss));
        values.extend(line.validation.map(|loss| number("loss/validation".into(), loss)));
        values.push(number("learning_rate".into(), line.learning_rate));
        values.push(number("seconds_per_step".into(), line.seconds));
        self.write(Event { summary: Some(Summary { value: values }), ..Event::at(line.step) })
    }

    /// A sample picture after `step` steps.
    pub(super) fn append_picture(&mut self, step: u64, sample: &Sample) -> Result<(), Error> {
        let (width, height) = sample.picture.dimensions();
        let encoded = parallax_core::files::png_bytes(&sample.picture.clone().into())
            .map_err(|error| Error::Drawing { what: "a sample for TensorBoard", reason: error.to_string() })?;
        let image = Image { height: height as i32, width: width as i32, colorspace: 3, encoded_image_string: encoded };
        let value = Value { tag: format!("samples/{}", sample.name), number: None, image: Some(image) };
        self.write(Event { summary: Some(Summary { value: vec![value] }), ..Event::at(step) })
    }

    /// One record, in one call to the system: a killed run leaves at most its last record unfinished.
    fn write(&mut self, event: Event) -> Result<(), Error> {
        self.file.write_all(&record(&event.encode_to_vec())).map_err(Error::io("write", &self.path))
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked(crc32c(&length)).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked(crc32c(data)).to_le_bytes());
    record
}

fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 with Castagnoli's polynomial, bits in reverse order.
fn crc32c(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc_table();
    !data.iter().fold(!0, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

/// `tensorflow.Event`, as far as we write it.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

impl Event {
    fn at(step: u64) -> Self {
        Self { wall_time: since_epoch().as_secs_f64(), step: step as i64, ..Self::default() }
    }
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `tensorflow.Summary.Value`; `number` is its `simple_value`.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    number: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
}

/// `tensorflow.Summary.Image`.
#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::LossTerm;

    fn events(mut bytes: &[u8]) -> Vec<Event> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let (whole, rest) = bytes.split_at(16 + length);
            assert_eq!(record(&whole[12..12 + length]), whole, "the framing repeats itself");
            found.push(Event::decode(&whole[12..12 + length]).unwrap());
            bytes = rest;
        }
        found
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa, "RFC 3720, B.4: 32 bytes of zeroes");
    }

    #[test]
    fn a_file_tells_its_form_where_it_starts_and_what_was_learned() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path(), 7).unwrap();
        let terms = [LossTerm { name: "stereo", value: 0.25 }, LossTerm { name: "smoothness", value: 0.5 }];
        file.append_numbers(&LogLine::new(8, &terms, 1e-3, 0.5)).unwrap();
        let picture = image::RgbImage::from_pixel(3, 2, image::Rgb([9, 8, 7]));
        file.append_picture(8, &Sample { name: "depth".into(), picture: picture.clone() }).unwrap();

        let read = events(&std::fs::read(&file.path).unwrap());
        assert_eq!(read[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!((read[1].step, read[1].session_log.clone()), (8, Some(SessionLog { status: 1 })));
        let numbers = read[2].summary.as_ref().unwrap();
        let total = numbers.value.iter().find(|value| value.tag == "loss/total").unwrap();
        assert_eq!((read[2].step, total.number), (8, Some(0.75)));
        let image = read[3].summary.as_ref().unwrap().value[0].image.clone().unwrap();
        assert_eq!(image::load_from_memory(&image.encoded_image_string).unwrap().to_rgb8(), picture);
    }
}
