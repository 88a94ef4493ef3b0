//! Are there frames missing? Do both eyes have theirs?

use std::ops::Add as _;

use parallax_core::recording::{Eye, Recording, TimeFault};
use parallax_vision::footage::statistics::{median, quantile};

use super::super::report::{Check, Verdict};
use super::percent;

/// A period this much longer than the usual one has lost a frame.
const GAP_PERIODS: f64 = 1.5;
/// A pause longer than this, in periods, is a stop of the recording and not a loss.
const PAUSE_PERIODS: f64 = 20.0;
/// Losses: a pair across one shows the motion of two frames, which training survives where it is rare.
const LOST_WARN: f64 = 0.005;
const LOST_FAIL: f64 = 0.1;
/// Frames of one stamp are so far apart at most.
const STANDING_SECS: f64 = 1e-6;
/// Times that wander by more than this part of a period (95th percentile): what is matched by time suffers.
const JITTER_WARN: f64 = 0.25;
/// Time between the eyes, as a part of the period: at 5 % what moves 20 px from frame to frame is a pixel off.
const SKEW_WARN: f64 = 0.05;
const SKEW_FAIL: f64 = 0.25;
/// Frames without their right partner are left out of training.
const UNPAIRED_WARN: f64 = 0.02;
const UNPAIRED_FAIL: f64 = 0.5;

/// Stamps that differ from log times, repeat, run back or are missing.
#[must_use]
pub fn clocks(recording: &Recording) -> Option<Check> {
    const NAME: &str = "clocks";
    if !recording.has_recorded_times() {
        return None;
    }
    let findings = recording.time_findings();
    if findings.is_empty() {
        return Some(Check::new(NAME, Verdict::Pass, "stamps and log times agree to a period"));
    }
    let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let mut check = Check::new(NAME, Verdict::Warn, texts.join("; ")).or_else_do(
        "let the writer set log times to when a message came and stamps to when it was taken, both on one clock that is never set",
    );
    for finding in findings {
        *check.numbers.entry(finding.fault.name()).or_default() += finding.count as f64;
    }
    let most = findings.iter().filter(|finding| finding.fault == TimeFault::Apart).map(|finding| finding.nanos).max();
    check.numbers.extend(most.map(|nanos| ("apart_secs", nanos as f64 * 1e-9)));
    Some(check)
}

/// Lost frames, pauses and jitter; for a folder, gaps in the numbers of its files.
#[must_use]
pub fn time_stamps(recording: &Recording) -> Check {
    const NAME: &str = "time stamps";
    if !recording.has_recorded_times() {
        return file_numbers(recording, NAME);
    }
    if recording.is_chosen() {
        let snippets = recording.stretch(recording.len() - 1) + 1;
        let what = format!("a recorder chose the frames, in {snippets} snippets: times tell nothing of losses");
        return Check::new(NAME, Verdict::Pass, what);
    }
    let times: Vec<f64> = (0..recording.len()).map(|index| recording.timestamp(index).secs()).collect();
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let Some(period) = median(steps.iter().copied().filter(|step| *step > STANDING_SECS)) else {
        return Check::new(NAME, Verdict::Unknown, "there are too few different times");
    };
    let lost: f64 = steps
        .iter()
        .filter(|step| is_loss(**step / period))
        .map(|step| (step / period).round() - 1.0)
        .fold(0.0, f64::add);
    let pauses = steps.iter().filter(|step| **step / period > PAUSE_PERIODS).count();
    let standing = steps.iter().filter(|step| **step <= STANDING_SECS).count();
    let regular = steps.iter().map(|step| step / period).filter(|step| *step <= GAP_PERIODS);
    let jitter = quantile(regular.map(|step| (step - 1.0).abs()), 0.95).unwrap_or(0.0);
    let lost_share = lost / (lost + recording.len() as f64);
    let broken = if pauses + standing > 0 { Verdict::Warn } else { Verdict::Pass };
    let verdict =
        Verdict::of(lost_share, LOST_WARN, LOST_FAIL).max(Verdict::of(jitter, JITTER_WARN, f64::INFINITY)).max(broken);
    let mut findings = vec![format!(
        "{:.1} frames a second, jitter {}, {lost:.0} frames lost ({})",
        1.0 / period,
        percent(jitter),
        percent(lost_share)
    )];
    if pauses > 0 {
        findings.push(format!("{pauses} pauses"));
    }
    if standing > 0 {
        findings.push(format!("{standing} times that do not advance"));
    }
    Check::new(NAME, verdict, findings.join(", "))
        .or_else_do(
            "frames are lost or late: record to a faster disk, or at a lower rate; cut the recording at its pauses",
        )
        .with_numbers([
            ("frames_per_second", 1.0 / period),
            ("lost_frames", lost),
            ("lost_share", lost_share),
            ("jitter", jitter),
            ("pauses", pauses as f64),
        ])
}

fn is_loss(periods: f64) -> bool {
    (GAP_PERIODS..=PAUSE_PERIODS).contains(&periods)
}

/// The numbers of the image files should go up by one and the same step.
fn file_numbers(recording: &Recording, name: &'static str) -> Check {
    let paths = (0..recording.len()).filter_map(|index| recording.image_path(index, Eye::Left));
    let numbers: Vec<f64> = paths.filter_map(|path| last_number(&path.file_stem()?.to_string_lossy())).collect();
    let steps: Vec<f64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let step = match median(steps.iter().copied()) {
        Some(step) if numbers.len() == recording.len() && step > 0.0 => step,
        _ => {
            return Check::new(
                name,
                Verdict::Unknown,
                "a folder of images has no times, and the names of these no numbers",
            );
        }
    };
    let lost: f64 = steps
        .iter()
        .filter(|found| is_loss(**found / step))
        .map(|found| (found / step).round() - 1.0)
        .fold(0.0, f64::add);
    let pauses = steps.iter().filter(|found| **found / step > PAUSE_PERIODS).count();
    let lost_share = lost / (lost + recording.len() as f64);
    let verdict =
        Verdict::of(lost_share, LOST_WARN, LOST_FAIL).max(if pauses > 0 { Verdict::Warn } else { Verdict::Pass });
    let mut findings =
        vec![format!("a folder has no times; {lost:.0} numbers are missing among its files ({})", percent(lost_share))];
    if pauses > 0 {
        findings.push(format!("{pauses} longer jumps"));
    }
    Check::new(name, verdict, findings.join(", "))
        .or_else_do("frames are missing: copy them again, or put each unbroken stretch into a folder of its own")
        .with_numbers([("lost_frames", lost), ("lost_share", lost_share), ("pauses", pauses as f64)])
}

/// The last run of digits in a name.
fn last_number(name: &str) -> Option<f64> {
    let end = name.rfind(|letter: char| letter.is_ascii_digit())? + 1;
    let digits = name[..end].bytes().rev().take_while(u8::is_ascii_digit).count();
    name[end - digits..end].parse().ok()
}

/// Time between the eyes as recorded, and left frames without a right one.
#[must_use]
pub fn stereo_times(recording: &Recording) -> Check {
    const NAME: &str = "stereo times";
    let frames = recording.len();
    let paired: Vec<usize> = (0..frames).filter(|index| recording.has_frame(*index, Eye::Right)).collect();
    let unpaired = 1.0 - paired.len() as f64 / frames as f64;
    let apart = recording.eyes_apart();
    let [middle, skew, periods] = apart.map_or([0.0; 3], |apart| [apart.middle_secs, apart.most_secs, apart.periods]);
    let verdict = Verdict::of(periods, SKEW_WARN, SKEW_FAIL).max(Verdict::of(unpaired, UNPAIRED_WARN, UNPAIRED_FAIL));
    let times = if apart.is_some() {
        format!("the right eye is {:.1} ms late (90 % within {:.1} ms), ", 1e3 * middle, 1e3 * skew)
    } else {
        String::new()
    };
    Check::new(NAME, verdict, format!("{times}{} of the left frames have no right one", percent(unpaired)))
        .or_else_do("trigger both cameras together; check that the right camera's frames are all recorded")
        .with_numbers([("skew_secs", middle), ("skew_p90_secs", skew), ("unpaired_share", unpaired)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_file_is_its_last() {
        assert_eq!(last_number("cam2_000123"), Some(123.0));
        assert_eq!(last_number("0007é"), Some(7.0));
        assert_eq!(last_number("é12"), Some(12.0));
        assert_eq!(last_number("frame"), None);
    }

    /// An MCAP record.
    fn record(opcode: u8, body: &[u8]) -> Vec<u8> {
        [&[opcode][..], &(body.len() as u64).to_le_bytes(), body].concat()
    }

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
    }

    /// A number of protobuf.
    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    /// A recording of gray pictures by their log times and stamps, both in nanoseconds.
    fn recording(folder: &tempfile::TempDir, times: impl IntoIterator<Item = (u64, u64)>) -> Recording {
        const MAGIC: &[u8] = b"\x89MCAP0\r\n";
        let schema = [&1_u16.to_le_bytes()[..], &text("foxglove.RawImage"), &text("protobuf"), &[0; 4]].concat();
        let channel = [&[1, 0, 1, 0][..], &text("/cam/image"), &text("protobuf"), &[0; 4]].concat();
        let mut bytes =
            [MAGIC, &record(1, &[text(""), text("test")].concat()), &record(3, &schema), &record(4, &channel)].concat();
        for (logged, taken) in times {
            let taken = [vec![8], varint(taken / 1_000_000_000), vec![16], varint(taken % 1_000_000_000)].concat();
            let image = [
                &[10, taken.len() as u8][..],
                &taken,
                // 4x2 pixels, mono8 in rows of 4 bytes.
                &[0x15, 4, 0, 0, 0, 0x1d, 2, 0, 0, 0, 0x22, 5],
                b"mono8",
                &[0x2d, 4, 0, 0, 0, 0x32, 8],
                &[90; 8],
            ];
            let head = [&[1, 0, 0, 0, 0, 0][..], &logged.to_le_bytes(), &logged.to_le_bytes()].concat();
            bytes.extend(record(5, &[head, image.concat()].concat()));
        }
        bytes.extend([record(15, &[0; 4]), record(2, &[0; 20]), MAGIC.to_vec()].concat());
        let path = folder.path().join("drive.mcap");
        std::fs::write(&path, bytes).unwrap();
        Recording::open(path).unwrap()
    }

    #[test]
    fn stamps_that_log_times_do_not_agree_with_are_a_finding_and_the_rate_is_that_of_the_stamps() {
        let folder = tempfile::tempdir().unwrap();
        let start = 1_700_000_000_000_000_000;
        let agreeing = recording(&folder, (0..20).map(|index| start + index * 100_000_000).map(|time| (time, time)));
        assert_eq!(clocks(&agreeing).unwrap().verdict, Verdict::Pass);
        // Written by a script, a picture every millisecond.
        let written = (0..20).map(|index| (2 * start + index * 1_000_000, start + index * 100_000_000));
        let written = recording(&folder, written);
        let check = clocks(&written).unwrap();
        assert_eq!((check.verdict, check.numbers["log_and_stamp_apart"]), (Verdict::Warn, 20.0));
        assert!(check.finding.contains("53.9 years") && check.remedy.is_some(), "{}", check.finding);
        let rate = time_stamps(&written);
        assert_eq!(rate.verdict, Verdict::Pass);
        assert!((rate.numbers["frames_per_second"] - 10.0).abs() < 1e-3, "{:?}", rate.numbers);
    }
}
