//! Which frames teach depth.
//!
//! ```text
//! frame ──► exposure, sharpness ──► motion since the last kept frame ──► refused, kept, or the start of a new snippet
//! ```
//!
//! Kept frames form *snippets*: in a snippet each frame has, with the one before it, the parallax that partners in training
//! should have, and most of the corners in common. So each is a partner of the next at `--frame-gap 1`, and each but the first
//! and last of a snippet a target with both its source frames. Where no such partner can be found any more (a turn on the
//! spot went too far, the camera was lost, too much time has passed) a new snippet begins. A snippet too short to hold one
//! target is not kept.
//!
//! What is measured and its thresholds are those of `parallax-train doctor` ([`parallax_vision::footage`]).

use std::collections::VecDeque;
use std::time::Duration;

use image::RgbImage;
use parallax_camera::Shot;
use parallax_core::camera::rectify::Rectifier;
use parallax_core::camera::{Camera, Intrinsics};
use parallax_core::frame::Timestamp;
use parallax_core::model_input::PictureResizer;
use parallax_vision::footage::statistics::quantile;
use parallax_vision::footage::{
    BLURRED, CameraMotion, Followed, LEAST_FOLLOWED, LEAST_PARALLAX_PX, MOST_FLOW, MotionMeasure, Sight,
    TARGET_PARALLAX_PX, blur, exposure,
};
use serde::Serialize;

/// Part of the corners that is still found where waiting for more parallax would lose the near things, which have most of
/// it: what is left would be the far ones, and their parallax takes for ever.
const NEAR_ARE_LEAVING: f64 = 0.75;
/// A frame this much more blurred than the sharper quarter of the last frames is no partner for them. Sharp footage of
/// KITTI varies by 0.06 over a drive; blur of a pixel at training size adds 0.25.
const MUCH_BLURRIER: f64 = 0.12;
/// The last frames, …
const LAST_FRAMES: usize = 100;
/// … as soon as there are some.
const FEWEST_FRAMES: usize = 5;
/// Partners are no farther apart in time: by then what is loose in a scene has moved.
const MOST_APART: Duration = Duration::from_secs(3);
/// Shortest and longest focal length, in widths, that a camera without calibration is tried with: 100° to 40° from side to
/// side …
const FOCAL_LENGTHS: [f64; 2] = [0.42, 1.37];
/// … in so many steps, of which the best is refined by so many halvings: to 1 %, which leaves less of a turn than the doctor
/// lets pass for one.
const FOCAL_STEPS: usize = 6;
const FOCAL_HALVINGS: usize = 4;

/// How the gate looks at frames.
#[derive(Debug, Clone, PartialEq)]
pub struct GateConfig {
    /// Width and height that training will have: all is measured in its pixels.
    pub size: (u32, u32),
    /// The left camera at the frames' own size, where it is known.
    pub camera: Option<Camera>,
    /// Frames that a snippet needs to be kept.
    pub least_frames: usize,
}

/// Why a frame is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It cannot be decoded.
    Unreadable,
    /// Too much of it is white.
    OverExposed,
    /// Too much of it is black.
    UnderExposed,
    /// It has too little contrast.
    Flat,
    /// It is not sharp.
    Blurred,
    /// It is the same picture as the last kept one.
    Duplicate,
    /// The camera has not moved since the last kept frame.
    Static,
    /// The camera has only turned since then.
    RotationOnly,
    /// It has moved, but too little yet.
    LittleParallax,
    /// It has no partners: its snippet ended before it held a target.
    Alone,
}

impl Refusal {
    /// All of them, in the order in which a frame is looked at.
    pub const ALL: [Self; 10] = [
        Self::Unreadable,
        Self::OverExposed,
        Self::UnderExposed,
        Self::Flat,
        Self::Blurred,
        Self::Duplicate,
        Self::Static,
        Self::RotationOnly,
        Self::LittleParallax,
        Self::Alone,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OverExposed => "over-exposed",
            Self::UnderExposed => "under-exposed",
            Self::Flat => "flat",
            Self::Blurred => "blurred",
            Self::Duplicate => "duplicate",
            Self::Static => "static",
            Self::RotationOnly => "rotation only",
            Self::LittleParallax => "little parallax",
            Self::Alone => "alone",
        }
    }
}

/// A frame that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What the camera saw.
    pub shot: Shot,
    /// Number of its snippet, from 0 on.
    pub snippet: u64,
    /// Parallax to the frame before it in its snippet, pixels; none for the first.
    pub parallax_px: Option<f64>,
    /// 1 sharp to 0 without edges.
    pub sharpness: f64,
    /// What it looks like, small.
    pub sight: Sight,
}

/// Decides frame by frame; see the module.
pub struct Gate {
    config: GateConfig,
    lens: Lens,
    resizer: PictureResizer,
    picture: RgbImage,
    small: RgbImage,
    /// How blurred the last frames were.
    blurs: VecDeque<f64>,
    /// The last frame that was kept, at least for now.
    reference: Option<Reference>,
    /// The best frame since then whose parallax is not quite enough.
    candidate: Option<Kept>,
    /// Of a snippet that is still too short.
    pending: Vec<Kept>,
    snippet: u64,
    /// Frames of the snippet so far.
    length: usize,
}

struct Reference {
    sight: Sight,
    timestamp: Timestamp,
}

/// What is known of the camera at training size.
enum Lens {
    Known { intrinsics: Intrinsics, rectify: Option<Rectifier> },
    Unknown,
}

/// What came of a frame: those that are kept now, and those that are not.
#[derive(Debug, Default)]
pub struct Decision {
    /// In the order they were taken.
    pub kept: Vec<Kept>,
    /// One for each frame that was decided against.
    pub refused: Vec<Refusal>,
}

impl Gate {
    /// Looks at frames of one camera.
    pub fn new(config: GateConfig) -> Self {
        let (width, height) = config.size;
        let lens = match &config.camera {
            Some(camera) => {
                let small = camera.resized(width, height);
                let rectify = small.needs_rectification().then(|| Rectifier::new(&small));
                Lens::Known { intrinsics: small.rectified().intrinsics, rectify }
            }
            None => Lens::Unknown,
        };
        Self {
            config,
            lens,
            resizer: PictureResizer::default(),
            picture: RgbImage::default(),
            small: RgbImage::new(width, height),
            blurs: VecDeque::new(),
            reference: None,
            candidate: None,
            pending: Vec::new(),
            snippet: 0,
            length: 0,
        }
    }

    /// Looks at the next frame.
    pub fn offer(&mut self, shot: &Shot) -> Decision {
        let mut decision = Decision::default();
        match self.look(shot) {
            Ok((sight, sharpness)) => {
                let shot = shot.clone();
                let kept = Kept { shot, snippet: 0, parallax_px: None, sharpness, sight };
                self.judge(kept, &mut decision);
            }
            Err(refusal) => decision.refused.push(refusal),
        }
        decision
    }

    /// The frames that were being waited with; the next frame begins a new snippet. For the end, for a camera that was lost
    /// and for a new file.
    pub fn cut(&mut self) -> Decision {
        let mut decision = Decision::default();
        if let Some(candidate) = self.candidate.take() {
            self.keep(candidate, &mut decision);
        }
        self.reference = None;
        self.end_snippet(&mut decision);
        decision
    }

    /// A picture as it is measured and its sharpness, or what is wrong with it by itself.
    fn look(&mut self, shot: &Shot) -> Result<(Sight, f64), Refusal> {
        shot.left.write_rgb(&mut self.picture).map_err(|_| Refusal::Unreadable)?;
        let exposure = exposure(&self.picture);
        if exposure.is_over() {
            return Err(Refusal::OverExposed);
        } else if exposure.is_under() {
            return Err(Refusal::UnderExposed);
        } else if exposure.is_flat() {
            return Err(Refusal::Flat);
        }
        self.resizer.resize_into(&self.picture, &mut self.small);
        let sight = match &self.lens {
            Lens::Known { rectify: Some(map), .. } => {
                Sight::new(&map.rectify(&self.small).map_err(|_| Refusal::Unreadable)?)
            }
            _ => Sight::new(&self.small),
        };
        let most = self.most_blurred();
        let blur = blur(&sight.gray).ok_or(Refusal::Blurred)?;
        self.blurs.push_back(blur);
        if self.blurs.len() > LAST_FRAMES {
            self.blurs.pop_front();
        }
        if blur <= most { Ok((sight, 1.0 - blur)) } else { Err(Refusal::Blurred) }
    }

    /// How blurred a frame may be.
    fn most_blurred(&self) -> f64 {
        let usual = quantile(self.blurs.iter().copied(), 0.25).filter(|_| self.blurs.len() >= FEWEST_FRAMES);
        usual.map_or(BLURRED, |usual| BLURRED.min(usual + MUCH_BLURRIER))
    }

    /// The motion since the reference.
    fn motion(&self, followed: &Followed) -> MotionMeasure {
        match &self.lens {
            Lens::Known { intrinsics, .. } => MotionMeasure::new(followed, intrinsics),
            Lens::Unknown => self.motion_of_unknown_lens(followed),
        }
    }

    /// Without calibration: with the focal length that explains most by a turn. What is left then is parallax for any lens.
    fn motion_of_unknown_lens(&self, followed: &Followed) -> MotionMeasure {
        let (width, height) = (f64::from(self.config.size.0), f64::from(self.config.size.1));
        let measure = |log_focal: f64| {
            let f = width * log_focal.exp();
            let (cx, cy) = ((width - 1.0) / 2.0, (height - 1.0) / 2.0);
            MotionMeasure::new(followed, &Intrinsics { fx: f, fy: f, cx, cy })
        };
        let mut step = (FOCAL_LENGTHS[1] / FOCAL_LENGTHS[0]).ln() / (FOCAL_STEPS - 1) as f64;
        let better = |a: &(f64, MotionMeasure), b: &(f64, MotionMeasure)| a.1.parallax_px.total_cmp(&b.1.parallax_px);
        let tried = (0..FOCAL_STEPS).map(|at| FOCAL_LENGTHS[0].ln() + step * at as f64);
        let mut best = tried.map(|at| (at, measure(at))).min_by(better).unwrap_or_else(|| (0.0, measure(0.0)));
        for _ in 0..FOCAL_HALVINGS {
            step *= 0.5;
            let beside = [best.0 - step, best.0 + step].map(|at| (at, measure(at)));
            best =
                beside.into_iter().fold(best, |best, other| if better(&other, &best).is_lt() { other } else { best });
        }
        best.1
    }

    fn judge(&mut self, mut frame: Kept, decision: &mut Decision) {
        // Twice at most: the second time against a candidate that has become the reference.
        loop {
            let Some(reference) = &self.reference else { return self.begin_snippet(frame, decision) };
            let followed = Followed::new(&reference.sight, &frame.sight);
            let motion = self.motion(&followed);
            let width = f64::from(self.config.size.0);
            let too_far = motion.motion == CameraMotion::Lost
                || followed.share() < LEAST_FOLLOWED
                || motion.flow_p90_px > MOST_FLOW * width;
            tracing::debug!(
                "frame {}: {:?}, {:.0} % followed, flow {:.1} px, fastest tenth {:.1} px, parallax {:.2} px",
                frame.shot.left.sequence,
                motion.motion,
                100.0 * followed.share(),
                motion.flow_median_px,
                motion.flow_p90_px,
                motion.parallax_px
            );
            let apart = frame.shot.left.timestamp.since(reference.timestamp);
            let refusal = match motion.motion {
                CameraMotion::SamePicture => Refusal::Duplicate,
                _ if too_far => {
                    if let Some(candidate) = self.candidate.take() {
                        self.keep(candidate, decision);
                        continue;
                    }
                    return self.begin_snippet(frame, decision);
                }
                CameraMotion::Stands => Refusal::Static,
                CameraMotion::Turns => Refusal::RotationOnly,
                _ if motion.parallax_px < LEAST_PARALLAX_PX => Refusal::LittleParallax,
                _ if apart > MOST_APART => return self.begin_snippet(frame, decision),
                _ => {
                    frame.parallax_px = Some(motion.parallax_px);
                    if motion.parallax_px >= TARGET_PARALLAX_PX || followed.share() < NEAR_ARE_LEAVING {
                        return self.keep(frame, decision);
                    }
                    self.offer_candidate(frame, decision);
                    return;
                }
            };
            decision.refused.push(refusal);
            return;
        }
    }

    /// Of two frames with too little parallax the one with more waits.
    fn offer_candidate(&mut self, frame: Kept, decision: &mut Decision) {
        let better = self.candidate.as_ref().is_none_or(|waiting| frame.parallax_px > waiting.parallax_px);
        let loser = if better { self.candidate.replace(frame) } else { Some(frame) };
        decision.refused.extend(loser.map(|_| Refusal::LittleParallax));
    }

    fn begin_snippet(&mut self, frame: Kept, decision: &mut Decision) {
        self.end_snippet(decision);
        self.keep(Kept { parallax_px: None, ..frame }, decision);
    }

    fn end_snippet(&mut self, decision: &mut Decision) {
        if self.length > 0 {
            self.snippet += u64::from(self.pending.is_empty());
            self.length = 0;
        }
        decision.refused.extend(self.pending.drain(..).map(|_| Refusal::Alone));
        decision.refused.extend(self.candidate.take().map(|_| Refusal::LittleParallax));
    }

    fn keep(&mut self, mut frame: Kept, decision: &mut Decision) {
        let timestamp = frame.shot.left.timestamp;
        self.reference = Some(Reference { sight: frame.sight.clone(), timestamp });
        decision.refused.extend(self.candidate.take().map(|_| Refusal::LittleParallax));
        frame.snippet = self.snippet;
        self.length += 1;
        self.pending.push(frame);
        if self.length >= self.config.least_frames {
            decision.kept.append(&mut self.pending);
        }
    }
}
