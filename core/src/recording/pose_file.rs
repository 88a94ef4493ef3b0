//! A file of poses, in either of the two forms that trackers and data sets write.
//!
//! | form | a line | belongs to |
//! |---|---|---|
//! | KITTI | twelve numbers: the 3×4 matrix of a frame, see [`super::poses`] | the frames in order |
//! | TUM | `timestamp tx ty tz qx qy qz qw`: seconds, metres, a unit quaternion | the frames at that time |
//!
//! Lines that begin with `#` and empty lines are skipped. TUM poses are `world_from_camera` of the camera frame (x right, y
//! down, z forward) in a world of the file's own; a frame between two of them gets the pose between.
//!
//! Reference for the second form: Sturm et al., *A Benchmark for the Evaluation of RGB-D SLAM Systems*, IROS 2012.

use super::poses::pose_from_line;
use crate::frame::Timestamp;
use crate::{Error, Result};
use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};
use std::path::Path;

/// Seconds between two timed poses beyond which the way between them is not known: at a walking robot's 1 m/s and half a
/// turn in five seconds a straight blend over 0.25 s is a centimetre off.
const LONGEST_GAP_SECS: f64 = 0.25;

/// How far a quaternion's length may be from 1: files print four digits and more.
const LENGTH_TOLERANCE: f64 = 1e-2;

/// What a pose file holds; poses are `world_from_camera`, metres.
#[derive(Clone, Debug, PartialEq)]
pub enum PoseFile {
    /// One for each frame, in order; the last frames may be without.
    InOrder(Vec<Isometry3<f64>>),
    /// Poses with their times in seconds, increasing.
    Timed(Vec<(f64, Isometry3<f64>)>),
}

impl PoseFile {
    /// Reads a file and recognises its form by the numbers on its first line.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or a line does not fit; the message names the line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = crate::files::read_text(path)?;
        let lines: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .map(|(number, line)| (number + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let malformed = |what| Error::Malformed {
            what,
            path: path.to_path_buf(),
            hint: "a line is KITTI's twelve numbers (a 3x4 matrix) or TUM's eight (timestamp tx ty tz qx qy qz qw)",
        };
        let at_line = |number: usize| move |what| malformed(format!("line {number}: {what}"));
        match lines.first().map(|(_, line)| line.split_whitespace().count()) {
            None => Err(malformed("expected poses, found none".into())),
            Some(8) => {
                let timed: Result<Vec<_>> =
                    lines.iter().map(|(number, line)| timed_from_line(line).map_err(at_line(*number))).collect();
                timed.and_then(|timed| increasing(timed).map_err(malformed))
            }
            Some(_) => {
                let poses = lines.iter().map(|(number, line)| pose_from_line(line).map_err(at_line(*number)));
                poses.collect::<Result<_>>().map(Self::InOrder)
            }
        }
    }

    /// The pose of each frame; none where the file has none for it.
    ///
    /// # Errors
    /// There are more poses in order than frames, or no frame is near a timed pose; the message names `path`.
    pub fn of_frames(&self, times: &[Timestamp], path: &Path) -> Result<Vec<Option<Isometry3<f64>>>> {
        match self {
            Self::InOrder(poses) if poses.len() > times.len() => Err(Error::Malformed {
                what: format!("expected at most one pose for each of {} frames, found {}", times.len(), poses.len()),
                path: path.to_path_buf(),
                hint: "poses belong to the frames in order; remove the rows of frames that are not there",
            }),
            Self::InOrder(poses) => Ok((0..times.len()).map(|index| poses.get(index).copied()).collect()),
            Self::Timed(track) => {
                let poses: Vec<_> = times.iter().map(|time| at_time(track, time.secs())).collect();
                if poses.iter().any(Option::is_some) {
                    return Ok(poses);
                }
                let span = |first: f64, last: f64| format!("{first:.3} to {last:.3} s");
                let frames = span(times.first().map_or(0.0, |t| t.secs()), times.last().map_or(0.0, |t| t.secs()));
                let poses = span(track.first().map_or(0.0, |p| p.0), track.last().map_or(0.0, |p| p.0));
                Err(Error::Malformed {
                    what: format!("no frame has a pose: frames are from {frames}, poses from {poses}"),
                    path: path.to_path_buf(),
                    hint: "both need one clock; frames of a folder have the times in their names (1305031102.175304.png)",
                })
            }
        }
    }
}

fn timed_from_line(line: &str) -> Result<(f64, Isometry3<f64>), String> {
    let numbers = super::poses::numbers_of_line(line)?;
    let [time, tx, ty, tz, qx, qy, qz, qw] = numbers[..] else {
        return Err(format!("expected 8 numbers, found {}", numbers.len()));
    };
    let quaternion = Quaternion::new(qw, qx, qy, qz);
    if (quaternion.norm() - 1.0).abs() > LENGTH_TOLERANCE {
        return Err(format!("expected a unit quaternion, found one of length {:.3}", quaternion.norm()));
    }
    let rotation = UnitQuaternion::from_quaternion(quaternion);
    Ok((time, Isometry3::from_parts(Translation3::new(tx, ty, tz), rotation)))
}

fn increasing(track: Vec<(f64, Isometry3<f64>)>) -> Result<PoseFile, String> {
    match track.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
        None => Ok(PoseFile::Timed(track)),
        Some(pair) => Err(format!("expected increasing times, found {} after {}", pair[1].0, pair[0].0)),
    }
}

/// The pose at a time, blended from the two around it.
fn at_time(track: &[(f64, Isometry3<f64>)], secs: f64) -> Option<Isometry3<f64>> {
    let after = track.partition_point(|(time, _)| *time < secs);
    let (later, pose) = track.get(after)?;
    if *later == secs {
        return Some(*pose);
    }
    let (earlier, before) = track.get(after.checked_sub(1)?)?;
    let gap = later - earlier;
    (gap <= LONGEST_GAP_SECS).then(|| before.lerp_slerp(pose, (secs - earlier) / gap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Vector3;

    fn read(text: &str) -> Result<PoseFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("poses.txt");
        std::fs::write(&path, text).unwrap();
        PoseFile::read(&path)
    }

    fn frames(secs: &[f64]) -> Vec<Timestamp> {
        secs.iter().map(|secs| Timestamp::from_secs_f64(*secs)).collect()
    }

    const TRACK: &str = "# timestamp tx ty tz qx qy qz qw\n10.0 0 0 0 0 0 0 1\n10.1 1 0 2 0 0.0998334 0 0.9950042\n";

    #[test]
    fn a_frame_between_two_timed_poses_has_the_pose_between() {
        let poses = read(TRACK).unwrap().of_frames(&frames(&[9.9, 10.0, 10.05, 10.2]), Path::new("")).unwrap();
        assert!(poses[0].is_none() && poses[3].is_none());
        assert_eq!(poses[1].unwrap(), Isometry3::identity());
        let between = poses[2].unwrap();
        assert!((between.translation.vector - Vector3::new(0.5, 0.0, 1.0)).norm() < 1e-6);
        assert!((between.rotation.scaled_axis() - Vector3::y() * 0.1).norm() < 1e-5);
    }

    #[test]
    fn nothing_is_made_up_across_a_long_gap() {
        let poses = read("1 0 0 0 0 0 0 1\n2 1 0 0 0 0 0 1\n").unwrap();
        let poses = poses.of_frames(&frames(&[1.0, 1.5, 2.0]), Path::new("")).unwrap();
        assert_eq!(poses.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn clocks_that_never_meet_are_told() {
        let error = read(TRACK).unwrap().of_frames(&frames(&[0.0, 0.1]), Path::new("poses.txt")).unwrap_err();
        assert!(error.to_string().contains("0.000 to 0.100 s") && error.to_string().contains("10.000"), "{error}");
    }

    #[test]
    fn rows_in_order_may_be_fewer_than_frames_but_not_more() {
        let poses = read("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 1\n").unwrap();
        let of_three = poses.of_frames(&frames(&[0.0, 0.1, 0.2]), Path::new("")).unwrap();
        assert!(of_three[1].is_some() && of_three[2].is_none());
        assert!(poses.of_frames(&frames(&[0.0]), Path::new("")).unwrap_err().to_string().contains("1 frames, found 2"));
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, says) in [
            ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0 3\n", "line 2: expected a unit quaternion"),
            ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0\n", "line 2: expected 8 numbers, found 7"),
            ("2 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1\n", "increasing times"),
            ("# nothing\n", "found none"),
            ("1 2 3\n", "line 1: expected 12 numbers, found 3"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
