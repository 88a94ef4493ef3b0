use super::*;
use crate::camera::Intrinsics;
use crate::recording::{Recording, origin};
use image::RgbImage;
use std::path::Path;

fn frame(index: u64) -> Frame {
    let picture = RgbImage::from_fn(48, 32, |x, y| image::Rgb([(x * 5) as u8, (y * 7) as u8, (index * 9) as u8]));
    Frame::from_rgb(picture, Timestamp::from_nanos(1_000_000_000 + index * 40_000_000), index + 3)
}

fn header() -> DurableHeader {
    let intrinsics = Intrinsics { fx: 40.0, fy: 40.0, cx: 23.5, cy: 15.5 };
    let camera = Camera::pinhole("front", 48, 32, intrinsics);
    let about = BTreeMap::from([("uri".to_owned(), "/dev/video0".to_owned())]);
    DurableHeader { cameras: [Some(camera), None], about }
}

/// Frames in chunks of three, a new snippet every four, and what the file must not exceed.
fn write(path: &Path, frames: u64) -> DurableWriter {
    let mut writer = DurableWriter::create(path, header()).unwrap();
    for index in 0..frames {
        let frame = frame(index);
        if index.is_multiple_of(4) {
            writer.begin_snippet(frame.timestamp, &serde_json::json!({ "snippet": index / 4 })).unwrap();
        }
        writer.write_frame(Eye::Left, &frame, Encoding::Png).unwrap();
        writer.write_note(frame.timestamp, &serde_json::json!({ "sequence": frame.sequence })).unwrap();
        if index % 3 == 2 {
            let promised = writer.bytes_when_finished();
            writer.flush().unwrap();
            assert!(writer.bytes() <= promised && writer.bytes_when_finished() <= promised);
        }
    }
    writer
}

fn holds(path: &Path, frames: u64) {
    let recording = Recording::open(path).unwrap();
    assert_eq!((recording.len() as u64, recording.damage()), (frames, None));
    assert_eq!(recording.camera(Eye::Left).unwrap().name, "front");
    for index in 0..frames {
        assert_eq!(recording.frame(index as usize, Eye::Left).unwrap(), frame(index));
        assert_eq!(recording.stretch(index as usize), index as usize / 4);
    }
    // The summary is what readers of the field start from.
    let bytes = std::fs::read(path).unwrap();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    assert_eq!(summary.stats.as_ref().unwrap().message_count, mcap::MessageStream::new(&bytes).unwrap().count() as u64);
    let indexed: usize =
        summary.chunk_indexes.iter().map(|chunk| summary.stream_chunk(&bytes, chunk).unwrap().count()).sum();
    assert_eq!(indexed as u64, summary.stats.unwrap().message_count);
    assert_eq!((summary.channels.len(), summary.metadata_indexes.len()), (4, 1));
}

#[test]
fn a_finished_file_is_whole_and_no_longer_than_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let writer = write(&path, 11);
    let promised = writer.bytes_when_finished();
    assert_eq!(writer.finish().unwrap(), Some(path.clone()));
    assert!(std::fs::metadata(&path).unwrap().len() <= promised);
    holds(&path, 11);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_cut_off_anywhere_becomes_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let partial = folder.path().join("a.mcap.partial");
    let mut writer = write(&path, 12);
    writer.flush().unwrap();
    drop(writer);
    let whole = std::fs::read(&partial).unwrap();
    let mut ends: Vec<u64> = Vec::new();
    for cut in (0..=whole.len()).step_by(97).chain([whole.len()]) {
        std::fs::write(&partial, &whole[..cut]).unwrap();
        match make_whole(&partial).unwrap() {
            Some(made) => {
                assert_eq!(made, path);
                let frames = Recording::open(&path).unwrap().len() as u64;
                holds(&path, frames);
                ends.push(frames);
            }
            None => assert!(ends.is_empty() && !partial.exists(), "a whole chunk was thrown away at {cut}"),
        }
    }
    assert!(ends.is_sorted(), "a longer file holds more");
    ends.dedup();
    assert_eq!(ends, [3, 6, 9, 12]);
}

#[test]
fn a_last_chunk_that_power_took_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let partial = folder.path().join("a.mcap.partial");
    let before_the_last = write(&path, 9).bytes() as usize;
    drop(write(&path, 12));
    let mut bytes = std::fs::read(&partial).unwrap();
    // The length is there, the contents are not: what a file system may leave of the last write.
    bytes[before_the_last + 200..].fill(0);
    std::fs::write(&partial, &bytes).unwrap();
    assert_eq!(make_whole(&partial).unwrap(), Some(path.clone()));
    holds(&path, 9);
}

#[test]
fn an_end_that_was_written_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    write(&path, 6).finish().unwrap();
    let before = std::fs::read(&path).unwrap();
    let partial = unfinished_path(&path);
    std::fs::rename(&path, &partial).unwrap();
    make_whole(&partial).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&partial, "something else altogether").unwrap();
    assert!(make_whole(&partial).unwrap_err().hint().is_some());
}

#[test]
fn a_recording_without_frames_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let writer = DurableWriter::create(&folder.path().join("a.mcap"), header()).unwrap();
    assert_eq!(writer.finish().unwrap(), None);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_recorders_file_is_known_by_its_head_whole_or_torn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    write(&path, 3).finish().unwrap();
    let found = origin(&path).unwrap().unwrap();
    assert!(found.is_recorder() && found.library.starts_with("parallax "), "{found:?}");
    let whole = std::fs::read(&path).unwrap();
    // Cut off anywhere behind the head it is known still; before its end and zeroed it is nothing that we know.
    for cut in (0..=whole.len()).step_by(13) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let is_known = origin(&path).unwrap().is_some_and(|found| found.is_recorder());
        assert!(is_known == (cut > 60) || (60..120).contains(&cut), "{cut}: {is_known}");
    }
    std::fs::write(&path, vec![0; whole.len()]).unwrap();
    assert_eq!(origin(&path).unwrap(), None);
    std::fs::write(&path, [&whole[..8], &[255; 64]].concat()).unwrap();
    assert_eq!(origin(&path).unwrap(), None);
    std::fs::write(&path, [&whole[..8], &vec![0; 1 << 16]].concat()).unwrap();
    assert_eq!(origin(&path).unwrap(), None);
}
