use super::*;
use parallax_core::frame::{Frame, PixelFormat, Timestamp};

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

fn open(folder: &Path, budget: u64) -> Store {
    let config = StoreConfig {
        folder: folder.to_path_buf(),
        budget: Some(budget),
        keep_free: 0,
        roll_time: Duration::from_secs(3600),
        roll_bytes: u64::MAX,
        encoding: Encoding::Png,
    };
    Store::open(config, DurableHeader::default()).unwrap()
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
