//! A log on good and on bad disks.

use super::part::masks_in;
use super::*;
use crate::drive::FrameLine;
use crate::publish::{Published, Publisher};
use image::RgbImage;
use std::fs::File;
use std::path::Path;

fn classes() -> Classes {
    let mut classes = Classes::dense(&[("other", [0; 3]), ("red", [255, 0, 0])]);
    classes.entries[1].id = 7;
    classes
}

fn published(frame: usize) -> Published {
    let line = FrameLine { frame, timestamp_ns: Some(1000 + frame as u64), ..FrameLine::default() };
    // Noise, which no compression makes small.
    let noise = (0..64 * 64_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 16 & 1) as u8).collect();
    Published { line, picture: RgbImage::new(0, 0), mask: LabelMap { width: 64, height: 64, indices: noise } }
}

fn log(folder: &Path, budget_bytes: u64, frames: std::ops::Range<usize>) -> MaskLogReport {
    let config = MaskLogConfig { folder: folder.to_owned(), file_bytes: 1 << 20, budget_bytes };
    let log = MaskLog::start(config, classes(), Full::Wait).unwrap();
    let publisher = Publisher::new(vec![log.outlet().clone()], 1);
    for frame in frames {
        let Published { line, picture, mask } = published(frame);
        publisher.publish(&line, &picture, &mask);
    }
    publisher.lose(&FrameLine { frame: 99, error: Some("unplugged".into()), ..FrameLine::default() });
    log.finish()
}

#[test]
fn a_log_opens_with_an_independent_reader_and_holds_masks_lines_and_losses() {
    let folder = tempfile::tempdir().unwrap();
    let report = log(folder.path(), 1 << 30, 0..3);
    assert_eq!(report, MaskLogReport { files: 1, masks: 3, missed: 0, error: None });
    let bytes = std::fs::read(folder.path().join("masks-000001.mcap")).unwrap();
    let messages: Vec<_> = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).collect();
    let of = |topic: &str| messages.iter().filter(|message| message.channel.topic == topic).collect::<Vec<_>>();
    let (masks, lines) = (of(MASK_TOPIC), of(FRAME_TOPIC));
    assert_eq!((masks.len(), lines.len()), (3, 4));
    assert_eq!((masks[1].log_time, masks[1].sequence), (1001, 1));
    assert!(masks[0].channel.metadata["classes"].contains("7 red"));
    let message = <CompressedImage as foxglove::Decode>::decode(masks[0].data.as_ref()).unwrap();
    let mask = image::load_from_memory(&message.data).unwrap().to_luma8();
    let expected: Vec<u8> = published(0).mask.indices.iter().map(|index| index * 7).collect();
    assert_eq!(mask.into_raw(), expected);
    let line: serde_json::Value = serde_json::from_slice(&lines[3].data).unwrap();
    assert_eq!((&line["error"], &line["mask"]), (&"unplugged".into(), &serde_json::Value::Null));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn whatever_the_wall_clock_does_times_run_forward_inside_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = MaskLogConfig { folder: folder.path().to_owned(), file_bytes: 1 << 20, budget_bytes: 1 << 30 };
    // A day ahead when the log begins, right from then on, which nobody asks any more.
    let mut walls = [1_700_086_400_000_000_000_u64, 1_700_000_000_000_000_000].into_iter().cycle();
    let clock = LogClock::new(|| walls.next().unwrap(), || 50);
    let mut writer = Writer::new(config, classes(), clock, FolderLock::take(folder.path()).unwrap().unwrap());
    for (frame, taken) in
        [(0, Some(100)), (1, Some(33_000_100)), (2, None), (3, Some(66_000_100)), (4, Some(60_000_000))]
    {
        let line = FrameLine { frame, timestamp_ns: taken, ..FrameLine::default() };
        let news = match taken {
            Some(_) => News::Frame(Arc::new(Published { line, ..published(frame) })),
            None => News::Lost(Arc::new(line)),
        };
        writer.step(Some(&news)).unwrap();
    }
    writer.end_file().unwrap();
    let bytes = std::fs::read(folder.path().join("masks-000001.mcap")).unwrap();
    let messages = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap);
    let lines = messages.filter(|message| message.channel.topic == FRAME_TOPIC);
    let start = 1_700_086_400_000_000_050;
    let times: Vec<u64> = lines.map(|line| line.log_time - start).collect();
    assert_eq!(times, [0, 33_000_000, 33_000_000, 66_000_000, 66_000_000]);
}

#[test]
fn files_of_earlier_runs_are_kept_within_the_budget_and_a_torn_one_is_made_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    log(folder.path(), 1 << 30, 0..3);
    let own = std::fs::read(at("masks-000001.mcap")).unwrap();
    std::fs::remove_file(at("masks-000001.mcap")).unwrap();
    for name in ["masks-000003.mcap", "masks-000004.mcap"] {
        std::fs::write(at(name), [&own[..], &[0; 600_000]].concat()).unwrap();
    }
    std::fs::write(at("masks-000005.mcap.partial"), &own[..own.len() - 40]).unwrap();
    // Somebody's, by whatever name.
    std::fs::write(at("mine.mcap"), vec![0; 4 << 20]).unwrap();
    let mut other = mcap::Writer::new(File::create(at("masks-000001.mcap")).unwrap()).unwrap();
    other.finish().unwrap();
    std::fs::write(at("masks-1.mcap"), "mine").unwrap();
    log(folder.path(), 2 << 20, 0..1);
    let left = ["masks-000001.mcap", "masks-000004.mcap", "masks-000005.mcap", "masks-000006.mcap"];
    assert_eq!(names(folder.path()), [&left[..], &["masks-1.mcap", "mine.mcap"]].concat());
    assert_eq!(masks_in(&at("masks-000005.mcap")).unwrap(), 3);
}

#[test]
fn what_a_power_cut_has_emptied_or_zeroed_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in
        [("masks-000001.mcap", 900), ("masks-000002.mcap.partial", 900), ("masks-000003.mcap.partial", 0)]
    {
        std::fs::write(folder.path().join(name), vec![0; size]).unwrap();
    }
    log(folder.path(), 1 << 30, 0..1);
    let left = ["masks-000001.mcap.damaged", "masks-000002.mcap.partial.damaged", "masks-000003.mcap"];
    assert_eq!(names(folder.path()), left);
}

#[test]
fn a_folder_takes_one_log_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = MaskLogConfig { folder: folder.path().to_owned(), file_bytes: 1 << 20, budget_bytes: 1 << 30 };
    let first = MaskLog::start(config.clone(), classes(), Full::Wait).unwrap();
    let second = MaskLog::start(config.clone(), classes(), Full::Wait).unwrap_err();
    assert!(second.to_string().contains("another program") && second.hint().is_some(), "{second}");
    first.finish();
    assert_eq!(names(folder.path()), ["masks-000001.mcap"]);
    MaskLog::start(config, classes(), Full::Wait).unwrap().finish();
}

#[test]
fn a_full_disk_loses_nothing_that_was_on_it_and_what_is_said_is_what_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = MaskLogConfig { folder: folder.path().to_owned(), file_bytes: 1 << 30, budget_bytes: 1 << 31 };
    let lock = FolderLock::take(folder.path()).unwrap().unwrap();
    let mut writer = Writer::new(config, classes(), LogClock::recorded(), lock);
    writer.file = Some(writer.begin().unwrap());
    let step = |writer: &mut Writer, frame| writer.step(Some(&News::Frame(Arc::new(published(frame)))));
    (0..3).for_each(|frame| step(&mut writer, frame).unwrap());
    writer.file.as_mut().unwrap().flush().unwrap();
    // From here on the disk is full.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let disk = std::mem::replace(&mut writer.file.as_mut().unwrap().file, full);
    (3..5).for_each(|frame| step(&mut writer, frame).unwrap());
    let error = writer.file.as_mut().unwrap().flush().unwrap_err();
    assert!(error.hint().unwrap().contains("disk is full"), "{error}");
    writer.give_up(&error);
    drop(disk);
    step(&mut writer, 5).unwrap();
    let MaskLogReport { files, masks, missed, error } = writer.report.clone();
    assert_eq!((files, masks, missed, error.is_some()), (1, 3, 3, true));
    assert_eq!(masks_in(&folder.path().join("masks-000001.mcap")).unwrap(), 3);
    assert_eq!(names(folder.path()), ["masks-000001.mcap"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_the_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let config = MaskLogConfig { folder: file, file_bytes: 1, budget_bytes: 1 };
    assert!(MaskLog::start(config, classes(), Full::Wait).is_err());
}
