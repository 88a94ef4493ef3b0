use super::*;
use parallax_core::camera::{Camera, Intrinsics};
use parallax_core::frame::{Frame, PixelFormat, Timestamp};
use parallax_core::recording::{RecordingHeader, RecordingWriter};

/// Noise, which no encoder makes smaller: about 310 kB.
fn shot(number: u64) -> Shot {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let data = (0..640 * 480).map(|_| next()).collect();
    let timestamp = Timestamp::from_nanos(1_000_000_000 + number * 100_000_000);
    let (width, height, format) = (640, 480, PixelFormat::Gray8);
    let left = Frame { timestamp, sequence: number, width, height, format, data, ..Frame::default() };
    Shot { left, right: None }
}

fn config(folder: &Path, budget: u64) -> StoreConfig {
    StoreConfig {
        folder: folder.to_path_buf(),
        budget: Some(budget),
        keep_free: 0,
        roll_time: Duration::from_secs(3600),
        roll_bytes: u64::MAX,
        encoding: Encoding::Png,
        source: None,
    }
}

fn open(folder: &Path, budget: u64) -> Store {
    Store::open(config(folder, budget), DurableHeader::default()).unwrap()
}

/// Writes a file of three frames of this value each.
fn write_file(store: &mut Store, number: u64, value: f64) {
    for frame in 0..3 {
        let shot = shot(3 * number + frame);
        let note = FrameNote { value, ..FrameNote::default() };
        store.add(&Entry { shot: &shot, note: &note, begins: frame == 0 }).unwrap();
    }
    store.end_file().unwrap();
}

fn names_of(store: &Store) -> Vec<String> {
    store.files().iter().map(|file| file.name.clone()).collect()
}

#[test]
fn the_least_valuable_file_goes_however_new_or_old_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path(), 4_200_000);
    // Four files of 0.93 MB fit.
    for (number, value) in [0.9, 0.2, 0.5, 0.8].into_iter().enumerate() {
        write_file(&mut store, number as u64, value);
    }
    assert_eq!(store.evicted, Evicted::default());
    write_file(&mut store, 4, 0.1);
    assert_eq!(names_of(&store), ["000000.mcap", "000002.mcap", "000003.mcap", "000004.mcap"]);
    write_file(&mut store, 5, 0.7);
    assert_eq!(
        names_of(&store),
        ["000000.mcap", "000002.mcap", "000003.mcap", "000005.mcap"],
        "the newest was worth least"
    );
    assert_eq!((store.evicted.files, store.evicted.frames), (2, 6));
    let bytes: u64 = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(bytes, store.bytes());
    assert!(bytes <= 4_200_000);
}

#[test]
fn values_are_known_again_at_the_next_start_with_and_without_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path(), 9_000_000);
    for (number, value) in [0.25, 0.75].into_iter().enumerate() {
        write_file(&mut store, number as u64, value);
    }
    let before = store.files().to_vec();
    drop(store);
    assert_eq!(open(folder.path(), 9_000_000).files(), before);
    std::fs::remove_file(folder.path().join(INDEX)).unwrap();
    assert_eq!(open(folder.path(), 9_000_000).files(), before);
    std::fs::write(folder.path().join(INDEX), "half an ind").unwrap();
    assert_eq!(open(folder.path(), 9_000_000).files(), before);
    // A smaller budget takes the least valuable one at once.
    assert_eq!(names_of(&open(folder.path(), 1_500_000)), ["000001.mcap"]);
}

#[test]
fn what_fits_no_budget_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path(), 500_000);
    let note = FrameNote::default();
    let mut added = Ok(());
    for number in 0..9 {
        added = added.and_then(|()| store.add(&Entry { shot: &shot(number), note: &note, begins: false }));
    }
    let error = added.unwrap_err();
    assert!(matches!(error, EdgeError::NoRoom { .. }) && error.hint().is_some(), "{error}");
    store.abandon().unwrap();
    assert!(store.bytes() <= 500_000);
}

/// A recording that no recorder has written.
fn write_other_recording(path: &Path) -> Vec<u8> {
    let camera = Camera::pinhole("mine", 640, 480, Intrinsics { fx: 500.0, fy: 500.0, cx: 320.0, cy: 240.0 });
    let mut writer = RecordingWriter::create(path, &RecordingHeader { left: camera, right: None }).unwrap();
    for number in 0..3 {
        writer.write_frame(Eye::Left, &shot(number).left, Encoding::Png).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn what_no_recorder_has_written_is_left_alone_and_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut others: Vec<(&str, Vec<u8>)> = ["drive.mcap", "000003.mcap", "000004.mcap.partial", "mine.mcap.partial"]
        .map(|name| (name, write_other_recording(&at(name))))
        .into();
    for name in ["thesis.docx.partial", "recorder.json.partial", "zeros.mcap", "000005.mcap.gz", "notes.txt"] {
        std::fs::write(at(name), [0; 99]).unwrap();
        others.push((name, vec![0; 99]));
    }
    std::fs::create_dir(at("000008.mcap")).unwrap();
    std::fs::write(at("recorder.json"), "{\"schema\": 1, \"microphone\": true}").unwrap();
    // Room for three files of 0.93 MB: with the others' 3.7 MB there would be none.
    let mut store = open(folder.path(), 3_100_000);
    for number in 0..5 {
        write_file(&mut store, number, 0.5);
    }
    assert_eq!(store.evicted.files, 2);
    assert!(store.files().iter().all(|file| file.name.as_str() >= "000009.mcap"), "{:?}", names_of(&store));
    for (name, bytes) in &others {
        assert!(std::fs::read(at(name)).unwrap() == *bytes, "{name} was touched");
    }
    assert_eq!(std::fs::read(at("recorder.json.damaged")).unwrap(), b"{\"schema\": 1, \"microphone\": true}");
    drop(store);
    assert_eq!(names_of(&open(folder.path(), 3_100_000)).len(), 3);
    for (name, bytes) in &others {
        assert!(std::fs::read(at(name)).unwrap() == *bytes, "{name} was touched at the next start");
    }
}

#[test]
fn what_cannot_be_read_is_set_aside_and_what_can_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut store = open(folder.path(), 90_000_000);
    for number in 0..3 {
        write_file(&mut store, number, 0.5);
    }
    let whole = std::fs::read(at("000000.mcap")).unwrap();
    drop(store);
    // What file systems leave of a file after a power cut: the length without the bytes, nothing, or what was there before.
    std::fs::write(at("000001.mcap"), vec![0; whole.len()]).unwrap();
    std::fs::write(at("000003.mcap.partial"), vec![0; 5000]).unwrap();
    std::fs::write(at("000004.mcap.partial"), "").unwrap();
    std::fs::write(at("000005.mcap"), "").unwrap();
    std::fs::write(at("000006.mcap"), "a letter").unwrap();
    std::fs::write(at("000007.mcap"), [&whole[..4096], &vec![0; 90_000]].concat()).unwrap();
    // Torn, under a number whose whole file is there as well.
    std::fs::write(at("000002.mcap.partial"), &whole[..whole.len() - 300]).unwrap();
    let mut store = open(folder.path(), 90_000_000);
    assert_eq!(names_of(&store), ["000000.mcap", "000002.mcap", "000008.mcap"]);
    assert_eq!((store.recovered.as_slice(), store.damaged.len()), (["000008.mcap".to_owned()].as_slice(), 5));
    assert!(std::fs::read(at("000006.mcap.damaged")).unwrap() == b"a letter");
    for name in ["000001.mcap", "000003.mcap.partial", "000005.mcap", "000007.mcap"] {
        assert!(!at(name).exists() && at(&format!("{name}.damaged")).exists(), "{name}");
    }
    write_file(&mut store, 9, 0.5);
    assert_eq!(names_of(&store).last().unwrap(), "000009.mcap");
}

#[test]
fn what_is_recorded_from_is_not_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path(), 9_000_000);
    for (number, value) in [0.1, 0.9].into_iter().enumerate() {
        write_file(&mut store, number as u64, value);
    }
    drop(store);
    let source = folder.path().join("./000000.mcap");
    let from = |source: &Path, budget| {
        let config = StoreConfig { source: Some(source.to_path_buf()), ..config(folder.path(), budget) };
        Store::open(config, DurableHeader::default())
    };
    let mut store = from(&source, 3_100_000).unwrap();
    for number in 2..5 {
        write_file(&mut store, number, 0.5);
    }
    assert_eq!(names_of(&store), ["000000.mcap", "000001.mcap", "000004.mcap"], "the source was worth least");
    drop(store);
    // Of a folder that is recorded from, nothing may go.
    let refused = from(folder.path(), 1_000_000).err().unwrap();
    assert!(matches!(refused, EdgeError::NoRoom { .. }), "{refused}");
    assert_eq!(names_of(&from(folder.path(), 9_000_000).unwrap()).len(), 3);
}

#[test]
fn a_folder_takes_one_recorder_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path(), 9_000_000);
    store.add(&Entry { shot: &shot(0), note: &FrameNote::default(), begins: true }).unwrap();
    let second = Store::open(config(folder.path(), 9_000_000), DurableHeader::default()).err().unwrap();
    assert!(second.to_string().contains("another program") && second.hint().is_some(), "{second}");
    store.end_file().unwrap();
    assert_eq!(names_of(&store), ["000000.mcap"]);
    drop(store);
    assert_eq!(names_of(&open(folder.path(), 9_000_000)), ["000000.mcap"]);
}

#[test]
fn kept_is_what_the_files_hold() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path(), 90_000_000);
    write_file(&mut store, 0, 0.5);
    // Frames of 310 kB: every fourth one brings those before it to the disk.
    for number in 3..9 {
        let note = FrameNote { value: 0.25, snippet: number / 5, ..FrameNote::default() };
        store.add(&Entry { shot: &shot(number), note: &note, begins: number == 3 || number == 8 }).unwrap();
    }
    assert_eq!(store.kept(), Kept { frames: 9, snippets: 3, unwritten: 0 });
    store.abandon().unwrap();
    let held: Vec<usize> =
        store.files().iter().map(|file| Recording::open(folder.path().join(&file.name)).unwrap().len()).collect();
    assert_eq!(held, [3, 4]);
    assert_eq!(store.kept(), Kept { frames: 7, snippets: 2, unwritten: 2 });
    assert!((store.files()[1].value - 1.0).abs() < 1e-12, "worth what is in it");
    // Of a file without one whole chunk nothing is kept.
    store.add(&Entry { shot: &shot(9), note: &FrameNote::default(), begins: true }).unwrap();
    store.abandon().unwrap();
    assert_eq!(store.kept(), Kept { frames: 7, snippets: 2, unwritten: 3 });
}
