//! One batch of depth pre-training: target frames, their source frames, and how the cameras stand.

use parallax_core::camera::Intrinsics;
use parallax_core::model_input::ModelInput;
use parallax_core::recording::Eye;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::Footage;
use super::augmentation::{ColorChange, Mirroring, append_input, append_planes, shrink};
use super::order::{Purpose, random, samples_of_step};
use crate::Error;
use crate::loss::depth::STEREO_BASELINE;

/// What teaches depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Supervision {
    /// Neighbouring frames; the motion between them is learned too.
    Video,
    /// The other eye of a rectified pair; the motion is the baseline.
    Stereo,
}

impl Supervision {
    /// `video` or `stereo`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Stereo => "stereo",
        }
    }
}

/// How the source cameras of a batch stand to the target's.
#[derive(Debug, Clone, PartialEq)]
pub enum Motion {
    /// Known shifts along x, one per image: `source_from_target`, depth units.
    Shift(Vec<f32>),
    /// To be learned; the source frame was taken later than the target.
    LearnedLater,
    /// To be learned; the source frame was taken earlier.
    LearnedEarlier,
}

/// One source frame per target.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// `[batch, 3, height, width]`, values in 0..1.
    pub image: Vec<f32>,
    /// The same as the pose network sees it; empty where the motion is known.
    pub input: Vec<f32>,
    /// Where the source cameras stand.
    pub motion: Motion,
}

/// One term of the loss.
#[derive(Debug, Clone)]
pub struct TermBatch {
    /// What teaches.
    pub supervision: Supervision,
    /// Its source frames.
    pub sources: Vec<SourceBatch>,
}

/// A batch, as plain numbers.
#[derive(Debug, Clone)]
pub struct DepthBatch {
    /// Names of the target frames.
    pub names: Vec<String>,
    /// `[batch, 3, height, width]`, values in 0..1.
    pub target: Vec<f32>,
    /// The target as the networks see it.
    pub input: Vec<f32>,
    /// The target at the size of each disparity map, finest first.
    pub pyramid: Vec<Vec<f32>>,
    /// One per image, at training size.
    pub intrinsics: Vec<Intrinsics>,
    /// One per kind of supervision.
    pub terms: Vec<TermBatch>,
}

/// Makes the batches of a run.
#[derive(Debug)]
pub struct DepthBatches {
    /// Where the frames come from.
    pub footage: Footage,
    /// The contract between a picture and the networks' numbers.
    pub input: ModelInput,
    /// What teaches.
    pub supervisions: Vec<Supervision>,
    /// Frames between a target and its neighbours.
    pub frame_gap: usize,
    /// Images per batch.
    pub batch: usize,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// How much smaller than the image each disparity map is, finest first.
    pub strides: Vec<usize>,
    /// Metres of a depth unit, where stereo fixes it.
    pub metres_per_unit: Option<f64>,
    samples: Vec<Sample>,
}

/// A frame that can be a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    drive: usize,
    index: usize,
    eye: Eye,
}

impl DepthBatches {
    /// Finds the usable targets.
    ///
    /// # Errors
    /// When there is none, or stereo is asked of footage that is not.
    pub fn new(
        footage: Footage,
        input: ModelInput,
        supervisions: Vec<Supervision>,
        frame_gap: usize,
        batch: usize,
        seed: u64,
        strides: Vec<usize>,
    ) -> Result<Self, Error> {
        let mut samples = Vec::new();
        for drive in 0..footage.drives() {
            check_drive(&footage, drive, &supervisions, frame_gap)?;
            samples.extend(usable(&footage, drive, &supervisions, frame_gap));
        }
        if samples.is_empty() {
            return Err(Error::Data {
                what: "no frame has all the neighbours that the supervision needs".into(),
                path: footage.recording(0).path().to_path_buf(),
                hint: "check that left and right images have the same names or time stamps, or lower --frame-gap",
            });
        }
        let stereo = supervisions.contains(&Supervision::Stereo);
        let baseline = footage.baseline_m(0).filter(|_| stereo);
        let metres_per_unit = baseline.map(|metres| metres / f64::from(STEREO_BASELINE));
        Ok(Self { footage, input, supervisions, frame_gap, batch, seed, strides, metres_per_unit, samples })
    }

    /// Number of frames that can be targets.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples.len()
    }

    /// The batch of a step; a function of the seed and `step` alone.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub fn batch(&self, step: u64) -> Result<DepthBatch, Error> {
        let samples = samples_of_step(self.seed, step, self.batch, self.samples.len());
        let mut batch = self.empty();
        for (slot, sample) in samples.into_iter().enumerate() {
            let place = step * self.batch as u64 + slot as u64;
            self.append(self.samples[sample], place, &mut batch)?;
        }
        let width = self.footage.width();
        batch.pyramid = self.strides.iter().map(|stride| shrink(&batch.target, width, *stride)).collect();
        Ok(batch)
    }

    fn empty(&self) -> DepthBatch {
        let source = |motion| SourceBatch { image: Vec::new(), input: Vec::new(), motion };
        let term = |supervision: &Supervision| TermBatch {
            supervision: *supervision,
            sources: match supervision {
                Supervision::Video => vec![source(Motion::LearnedEarlier), source(Motion::LearnedLater)],
                Supervision::Stereo => vec![source(Motion::Shift(Vec::new()))],
            },
        };
        DepthBatch {
            names: Vec::new(),
            target: Vec::new(),
            input: Vec::new(),
            pyramid: Vec::new(),
            intrinsics: Vec::new(),
            terms: self.supervisions.iter().map(term).collect(),
        }
    }

    fn append(&self, sample: Sample, place: u64, batch: &mut DepthBatch) -> Result<(), Error> {
        let Sample { drive, index, eye } = sample;
        let mut random = random(self.seed, Purpose::Augmentation, place);
        let mirroring = if random.random_bool(0.5) { Mirroring::Yes } else { Mirroring::No };
        let target = self.footage.frame(drive, index, eye)?;
        let color = ColorChange::random(&target, &mut random);

        let path = self.footage.recording(drive).path();
        batch.names.push(format!("frame {index} ({}) of {}", eye.name(), path.display()));
        if let Some(intrinsics) = self.footage.intrinsics(drive, eye) {
            batch.intrinsics.push(mirroring.camera(intrinsics, self.footage.width()));
        }
        append_planes(&target, mirroring, &mut batch.target);
        append_input(&target, mirroring, &color, &self.input, &mut batch.input);
        for source in batch.terms.iter_mut().flat_map(|term| &mut term.sources) {
            let (index, eye) = match source.motion {
                Motion::LearnedEarlier => (index - self.frame_gap, eye),
                Motion::LearnedLater => (index + self.frame_gap, eye),
                Motion::Shift(_) => (index, other(eye)),
            };
            let frame = self.footage.frame(drive, index, eye)?;
            append_planes(&frame, mirroring, &mut source.image);
            match &mut source.motion {
                Motion::Shift(shifts) => shifts.push(mirroring.shift(self.shift_to(drive, eye))),
                _ => append_input(&frame, mirroring, &color, &self.input, &mut source.input),
            }
        }
        Ok(())
    }

    /// `source_from_target` along x for the source eye: what the right camera sees lies further left by the baseline.
    fn shift_to(&self, drive: usize, source: Eye) -> f32 {
        let metres = self.footage.baseline_m(drive).unwrap_or(0.0);
        let units = (metres / self.metres_per_unit.unwrap_or(1.0)) as f32;
        match source {
            Eye::Right => -units,
            Eye::Left => units,
        }
    }
}

fn other(eye: Eye) -> Eye {
    match eye {
        Eye::Left => Eye::Right,
        Eye::Right => Eye::Left,
    }
}

fn check_drive(footage: &Footage, drive: usize, supervisions: &[Supervision], gap: usize) -> Result<(), Error> {
    let recording = footage.recording(drive);
    let error = |what: String, hint| Err(Error::Data { what, path: recording.path().to_path_buf(), hint });
    if supervisions.contains(&Supervision::Video) && recording.len() < 2 * gap + 1 {
        let what = format!("video needs at least {} frames, found {}", 2 * gap + 1, recording.len());
        return error(what, "give a longer recording, or lower --frame-gap");
    }
    if !supervisions.contains(&Supervision::Stereo) {
        return Ok(());
    }
    if !recording.has(Eye::Right) {
        return error("stereo needs right images, found none".into(), "use --from video, or a stereo recording");
    }
    match footage.baseline_m(drive) {
        Some(baseline) if baseline > 1e-3 && !alike(footage, drive) => error(
            "the rectified cameras of a pair must have the same focal length and centre".into(),
            "calibrate the pair together, so that both camera files hold the same P but for its baseline",
        ),
        Some(baseline) if baseline > 1e-3 => Ok(()),
        _ => error(
            "stereo needs the right camera with its baseline, found none".into(),
            "put camera_right.yaml beside the frames: a ROS camera file whose P holds -fx * baseline",
        ),
    }
}

/// Whether both eyes have the same intrinsics to half a pixel: the loss projects with the target's alone.
fn alike(footage: &Footage, drive: usize) -> bool {
    let eyes = [Eye::Left, Eye::Right].map(|eye| footage.intrinsics(drive, eye));
    let [Some(left), Some(right)] = eyes else { return false };
    let differences = [left.fx - right.fx, left.fy - right.fy, left.cx - right.cx, left.cy - right.cy];
    differences.iter().all(|difference| difference.abs() < 0.5)
}

fn usable(footage: &Footage, drive: usize, supervisions: &[Supervision], gap: usize) -> Vec<Sample> {
    let recording = footage.recording(drive);
    let video = supervisions.contains(&Supervision::Video);
    let stereo = supervisions.contains(&Supervision::Stereo);
    let eyes: &[Eye] = if stereo { &[Eye::Left, Eye::Right] } else { &[Eye::Left] };
    let margin = if video { gap } else { 0 };
    let last = recording.len().saturating_sub(margin);
    let fits = |sample: &Sample| {
        let neighbours =
            if video { vec![sample.index - gap, sample.index, sample.index + gap] } else { vec![sample.index] };
        neighbours.into_iter().all(|index| recording.has_frame(index, sample.eye))
            && (!stereo || recording.has_frame(sample.index, other(sample.eye)))
    };
    (margin..last)
        .flat_map(|index| eyes.iter().map(move |eye| Sample { drive, index, eye: *eye }))
        .filter(fits)
        .collect()
}
