//! One file of a log: whole chunks on the disk, and what is on its way there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use foxglove::Encode as _;
use foxglove::messages::CompressedImage;
use mcap::records::MessageHeader;
use parallax_core::Error as CoreError;
use parallax_core::files::rename_durably;
use parallax_core::labels::{Classes, LabelMap};
use parallax_core::recording::{Spool, make_whole, unfinished_path};

use super::shelf::LIBRARY;
use super::{FRAME_SCHEMA, FRAME_TOPIC, MASK_TOPIC, mask_message};
use crate::drive::FrameLine;
use crate::{EdgeError, Result};

/// One file.
pub(super) struct Part {
    path: PathBuf,
    pub(super) file: File,
    mcap: mcap::Writer<Spool>,
    /// What is made and not yet on the disk.
    spool: Spool,
    /// Bytes of whole chunks on the disk.
    on_disk: u64,
    /// Masks written, on the disk or on their way.
    pub(super) masks: u64,
    mask_channel: u16,
    frame_channel: u16,
    pub(super) flushed_at: Instant,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Part").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Part {
    pub(super) fn begin(path: PathBuf, classes: &Classes) -> Result<Self> {
        let partial = unfinished_path(&path);
        let file = File::create_new(&partial).map_err(CoreError::io("create", &partial))?;
        let spool = Spool::default();
        let begin = || {
            let mut mcap = mcap::WriteOptions::new()
                .library(LIBRARY)
                .disable_seeking(true)
                .compression(Some(mcap::Compression::Zstd))
                .compression_threads(0)
                .create(spool.clone())?;
            let image = CompressedImage::get_schema();
            let image_schema =
                image.map_or(Ok(0), |schema| mcap.add_schema(&schema.name, &schema.encoding, &schema.data))?;
            let line_schema = mcap.add_schema("parallax.Frame", "jsonschema", FRAME_SCHEMA.as_bytes())?;
            let names = classes.entries.iter().map(|class| format!("{} {}", class.id, class.name));
            let metadata = BTreeMap::from([("classes".to_owned(), names.collect::<Vec<_>>().join(", "))]);
            let encoding = CompressedImage::get_message_encoding();
            let mask_channel = mcap.add_channel(image_schema, MASK_TOPIC, &encoding, &metadata)?;
            let frame_channel = mcap.add_channel(line_schema, FRAME_TOPIC, "json", &BTreeMap::new())?;
            Ok((mcap, mask_channel, frame_channel))
        };
        let (mcap, mask_channel, frame_channel) = begin().map_err(|error| refused(&partial, error))?;
        let flushed_at = Instant::now();
        Ok(Self { path, file, mcap, spool, on_disk: 0, masks: 0, mask_channel, frame_channel, flushed_at })
    }

    pub(super) fn write(&mut self, line: &FrameLine, mask: Option<(&LabelMap, &Classes)>, time: u64) -> Result<()> {
        let head =
            |channel_id| MessageHeader { channel_id, sequence: line.frame as u32, log_time: time, publish_time: time };
        self.masks += u64::from(mask.is_some());
        let mut write = || {
            if let Some((mask, classes)) = mask {
                let message = mask_message(mask, classes, time)?;
                self.mcap.write_to_known_channel(&head(self.mask_channel), &message)?;
            }
            let json = serde_json::to_vec(line).map_err(std::io::Error::from)?;
            self.mcap.write_to_known_channel(&head(self.frame_channel), &json)
        };
        write().map_err(|error| refused(&self.path, error))
    }

    /// Everything onto the disk, as whole chunks; the size of the file then.
    pub(super) fn flush(&mut self) -> Result<u64> {
        self.mcap.flush().map_err(|error| refused(&self.path, error))?;
        self.flushed_at = Instant::now();
        self.write_spool()?;
        Ok(self.on_disk)
    }

    /// Bytes that a crash would lose.
    pub(super) fn waiting(&self) -> u64 {
        self.spool.waiting()
    }

    fn write_spool(&mut self) -> Result<()> {
        let bytes = self.spool.take();
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            let _ = self.file.set_len(self.on_disk);
            return Err(CoreError::io("write", &self.path)(error).into());
        }
        self.on_disk += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file and gives it its name. The masks in it, if there is a file, and what has kept it from holding all.
    pub(super) fn finish(mut self) -> Result<(Option<u64>, Option<EdgeError>)> {
        let ended = self.mcap.finish().map(|_| ()).map_err(|error| refused(&self.path, error));
        if let Err(error) = ended.and_then(|()| self.write_spool()) {
            return Ok((self.abandon()?, Some(error)));
        }
        rename_durably(&unfinished_path(&self.path), &self.path)?;
        Ok((Some(self.masks), None))
    }

    /// Ends the file with what is on the disk: the masks in it, if one chunk of it is whole.
    pub(super) fn abandon(self) -> Result<Option<u64>> {
        let whole = make_whole(&unfinished_path(&self.path))?;
        whole.as_deref().map(masks_in).transpose()
    }
}

/// Counts the masks of a whole file.
pub(super) fn masks_in(path: &Path) -> Result<u64> {
    let bytes = std::fs::read(path).map_err(CoreError::io("read", path))?;
    let summary = mcap::Summary::read(&bytes).map_err(|error| refused(path, error))?.unwrap_or_default();
    let mask_channel = summary.channels.values().find(|channel| channel.topic == MASK_TOPIC);
    let counts = summary.stats.map(|stats| stats.channel_message_counts).unwrap_or_default();
    Ok(mask_channel.and_then(|channel| counts.get(&channel.id).copied()).unwrap_or(0))
}

/// Keeps what the system said, so that a full disk is recognised as one.
fn refused(path: &Path, error: mcap::McapError) -> EdgeError {
    let source = match error {
        mcap::McapError::Io(source) => source,
        other => std::io::Error::other(other),
    };
    EdgeError::Core(CoreError::io("write", path)(source))
}
