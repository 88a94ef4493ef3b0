//! Which frames can be targets, and why footage cannot teach.

use parallax_core::camera::baseline_of_pair;
use parallax_core::recording::Eye;

use super::speed::Speed;
use super::supervision::{PoseSource, RangeChannel, Supervision, TermsConfig};
use super::{Footage, Partner};
use crate::Error;

/// What to do about a pair whose right camera is not known.
const RIGHT_CAMERA: &str = "put camera_right.yaml beside the frames, or name one with --right-camera: a ROS camera file whose P holds \
                            -fx * baseline";

/// A frame that can be a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) drive: usize,
    pub(super) index: usize,
    pub(super) eye: Eye,
}

impl Sample {
    /// The frame of a partner that is `gap` frames away.
    pub(super) fn partner(self, partner: Partner, gap: usize) -> Self {
        match partner {
            Partner::Earlier => Self { index: self.index - gap, ..self },
            Partner::Later => Self { index: self.index + gap, ..self },
            Partner::OtherEye => Self { eye: other(self.eye), ..self },
        }
    }
}

pub(super) fn other(eye: Eye) -> Eye {
    match eye {
        Eye::Left => Eye::Right,
        Eye::Right => Eye::Left,
    }
}

/// What is asked of the footage.
#[derive(Debug)]
pub(super) struct Demands<'a> {
    pub(super) supervisions: &'a [Supervision],
    pub(super) terms: &'a TermsConfig,
    pub(super) gap: usize,
    /// One per drive, where speed is to be known.
    pub(super) speeds: &'a [Speed],
}

impl Demands<'_> {
    fn ask(&self, supervision: Supervision) -> bool {
        self.supervisions.contains(&supervision)
    }

    fn poses_are_given(&self) -> bool {
        self.ask(Supervision::Video) && !self.terms.poses.is_learned()
    }

    /// The targets of a drive.
    ///
    /// # Errors
    /// When the drive lacks something that is asked of it as a whole.
    pub(super) fn samples(&self, footage: &Footage, drive: usize) -> Result<Vec<Sample>, Error> {
        self.check_video(footage, drive)?;
        self.check_stereo(footage, drive)?;
        self.check_ranges(footage, drive)?;
        let margin = if self.ask(Supervision::Video) { self.gap } else { 0 };
        let last = footage.recording(drive).len().saturating_sub(margin);
        let eyes: &[Eye] = if self.ask(Supervision::Stereo) { &[Eye::Left, Eye::Right] } else { &[Eye::Left] };
        Ok((margin..last)
            .flat_map(|index| eyes.iter().map(move |eye| Sample { drive, index, eye: *eye }))
            .filter(|sample| self.fits(footage, *sample))
            .collect())
    }

    fn fits(&self, footage: &Footage, sample: Sample) -> bool {
        let recording = footage.recording(sample.drive);
        let there = |sample: Sample| recording.has_frame(sample.index, sample.eye);
        if !there(sample) {
            return false;
        }
        let video = || {
            let neighbours = [Partner::Earlier, Partner::Later].map(|partner| sample.partner(partner, self.gap));
            let posed = |sample: &Sample| footage.has_pose(sample.drive, sample.index);
            let all_posed = !self.poses_are_given() || (posed(&sample) && neighbours.iter().all(posed));
            let all_driven = self.terms.speed.is_none()
                || neighbours.iter().all(|neighbour| self.way_m(footage, sample, *neighbour).is_some());
            // A recorder that left frames out says where: what is on the other side is no neighbour.
            let unbroken = |neighbour: &Sample| recording.stretch(neighbour.index) == recording.stretch(sample.index);
            neighbours.iter().all(unbroken) && neighbours.into_iter().all(there) && all_posed && all_driven
        };
        let stereo = || there(sample.partner(Partner::OtherEye, self.gap));
        // Where something else teaches too, a frame without ranges learns from that.
        let range = || self.supervisions.len() > 1 || footage.has_ranges(sample.drive, sample.index);
        (!self.ask(Supervision::Video) || video())
            && (!self.ask(Supervision::Stereo) || stereo())
            && (!self.ask(Supervision::Range) || range())
    }

    /// How far the wheels went between two frames of a drive, metres.
    pub(super) fn way_m(&self, footage: &Footage, a: Sample, b: Sample) -> Option<f64> {
        let [first, last] = [a.index.min(b.index), a.index.max(b.index)];
        let secs = |index| footage.recording(a.drive).timestamp(index).secs();
        self.speeds.get(a.drive)?.way_m(secs(first), secs(last))
    }

    fn check_video(&self, footage: &Footage, drive: usize) -> Result<(), Error> {
        let recording = footage.recording(drive);
        let least = 2 * self.gap + 1;
        if !self.ask(Supervision::Video) {
            return Ok(());
        }
        // A recorder's last file may hold less than a snippet of this gap; that is no reason to refuse the others.
        if recording.len() < least && !recording.is_chosen() {
            let what = format!("video needs at least {least} frames, found {}", recording.len());
            return data(footage, drive, what, "give a longer recording, or lower --frame-gap");
        }
        let posed = (0..recording.len()).filter(|index| footage.has_pose(drive, *index)).count();
        if self.poses_are_given() && posed == 0 {
            return data(
                footage,
                drive,
                "given poses need the camera's poses, found none".into(),
                "put poses.txt beside the frames, name a file with --poses FILE, or leave --poses out to learn the motion",
            );
        }
        if self.poses_are_given() && posed < recording.len() && self.terms.poses == PoseSource::Given {
            tracing::info!(
                "{}: {} of {} frames have no pose and are left out",
                recording.path().display(),
                recording.len() - posed,
                recording.len()
            );
        }
        Ok(())
    }

    fn check_stereo(&self, footage: &Footage, drive: usize) -> Result<(), Error> {
        if !self.ask(Supervision::Stereo) {
            return Ok(());
        }
        if !footage.recording(drive).has(Eye::Right) {
            let hint = "leave stereo out of --from, or give a stereo recording";
            return data(footage, drive, "stereo needs right images, found none".into(), hint);
        }
        let camera = |eye| footage.recording(drive).camera(eye);
        let Some((left, right)) = camera(Eye::Left).zip(camera(Eye::Right)) else {
            let what = "stereo needs the right camera with its baseline, found none";
            return data(footage, drive, what.into(), RIGHT_CAMERA);
        };
        match baseline_of_pair(left, right) {
            Err(what) if right.baseline_m().is_none() => data(footage, drive, what, RIGHT_CAMERA),
            Err(what) => data(
                footage,
                drive,
                what,
                "exchange the camera files (or the pictures), or calibrate the pair again: P[0,3] of the right one is -fx * baseline \
                 in pixels and metres",
            ),
            Ok(_) if !alike(footage, drive) => data(
                footage,
                drive,
                "the rectified cameras of a pair must have the same focal length and centre".into(),
                "calibrate the pair together, so that both camera files hold the same P but for its baseline",
            ),
            Ok(_) => Ok(()),
        }
    }

    fn check_ranges(&self, footage: &Footage, drive: usize) -> Result<(), Error> {
        if !self.ask(Supervision::Range) {
            return Ok(());
        }
        let found = (0..footage.recording(drive).len()).any(|index| footage.has_ranges(drive, index));
        let what = match self.terms.range {
            None => "range needs measured depth, found none".into(),
            Some(channel) => format!("range needs measurements of the kind `{channel}`, found none"),
        };
        let hint = match self.terms.range {
            Some(RangeChannel::Lidar) => "give a recording with /lidar/depth, or leave --range out",
            _ => {
                "give a recording with depth or lidar, or put 16-bit PNGs (metres x 256) into depth/ beside the frames"
            }
        };
        if found { Ok(()) } else { data(footage, drive, what, hint) }
    }
}

fn data(footage: &Footage, drive: usize, what: String, hint: &'static str) -> Result<(), Error> {
    Err(Error::Data { what, path: footage.recording(drive).path().to_path_buf(), hint })
}

/// Whether both eyes have the same intrinsics to half a pixel: the loss projects with the target's alone.
fn alike(footage: &Footage, drive: usize) -> bool {
    let eyes = [Eye::Left, Eye::Right].map(|eye| footage.intrinsics(drive, eye));
    let [Some(left), Some(right)] = eyes else { return false };
    let differences = [left.fx - right.fx, left.fy - right.fy, left.cx - right.cx, left.cy - right.cy];
    differences.iter().all(|difference| difference.abs() < 0.5)
}
