//! Makes the batches of depth pre-training, each a function of the seed and its step alone.

use parallax_core::camera::Intrinsics;
use parallax_core::model_input::ModelInput;
use parallax_core::recording::Eye;
use rand::RngExt as _;

use super::appearance::{Appearance, Augmentation};
use super::augmentation::{Mirroring, append_input, append_planes, shrink};
use super::crop::{CropConfig, View, random_place};
use super::order::{Purpose, random, samples_of_step};
use super::samples::{Demands, Sample};
use super::speed::Speed;
use super::supervision::{Supervision, TermsConfig};
use super::zoom::Zoom;
use super::{DepthBatch, Footage, Motion, Partner, RangeBatch, SourceBatch, Surroundings, TermBatch, unit};
use crate::Error;

/// Which batches.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthBatchesConfig {
    /// What teaches.
    pub supervisions: Vec<Supervision>,
    /// How.
    pub terms: TermsConfig,
    /// The contract between a picture and the networks' numbers.
    pub input: ModelInput,
    /// Frames between a target and its neighbours.
    pub frame_gap: usize,
    /// Images per batch.
    pub batch: usize,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// How much smaller than the image each disparity map is, finest first.
    pub strides: Vec<usize>,
    /// Windows cut from the frames; none: whole frames.
    pub crop: Option<CropConfig>,
    /// How much the networks' input is altered; half of the pictures are mirrored. None: pictures as they are.
    pub augmentation: Option<Augmentation>,
}

/// Makes the batches of a run.
#[derive(Debug)]
pub struct DepthBatches {
    /// Where the frames come from.
    pub footage: Footage,
    /// Which batches.
    pub config: DepthBatchesConfig,
    /// Metres of a depth unit, where the data fix it.
    pub metres_per_unit: Option<f64>,
    speeds: Vec<Speed>,
    samples: Vec<Sample>,
}

impl DepthBatches {
    /// Finds the usable targets and the unit of length.
    ///
    /// # Errors
    /// When there is no target, or the footage lacks what the supervision needs.
    pub fn new(footage: Footage, config: DepthBatchesConfig) -> Result<Self, Error> {
        let drives = 0..footage.drives();
        let speed = |drive| config.terms.speed.as_ref().map(|speed| Speed::of(speed, footage.recording(drive).path()));
        let speeds = drives.clone().filter_map(speed).collect::<Result<Vec<_>, _>>()?;
        let demands = Demands {
            supervisions: &config.supervisions,
            terms: &config.terms,
            gap: config.frame_gap,
            speeds: &speeds,
        };
        let mut samples = Vec::new();
        for drive in drives {
            check_crop(&footage, drive, config.crop)?;
            samples.extend(demands.samples(&footage, drive)?);
        }
        if samples.is_empty() {
            return Err(Error::Data {
                what: "no frame has all that the supervision needs".into(),
                path: footage.recording(0).path().to_path_buf(),
                hint: "check that images, poses, ranges and speeds have the same names or time stamps, or lower --frame-gap",
            });
        }
        let metres_per_unit = unit::metres_per_unit(&footage, &demands, &samples)?;
        Ok(Self { footage, config, metres_per_unit, speeds, samples })
    }

    /// The same batches in the unit of an earlier run, `metres` long, if both know metres: its network goes on to mean the same
    /// depths.
    #[must_use]
    pub fn in_unit(self, metres: Option<f64>) -> Self {
        Self { metres_per_unit: self.metres_per_unit.map(|found| metres.unwrap_or(found)), ..self }
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
        let images = self.config.batch;
        let samples = samples_of_step(self.config.seed, step, images, self.samples.len());
        let mut batch = self.empty();
        for (slot, sample) in samples.into_iter().enumerate() {
            let place = step * images as u64 + slot as u64;
            self.append(self.samples[sample], place, &mut batch)?;
        }
        batch.pyramid = self.config.strides.iter().map(|stride| shrink(&batch.target, batch.width, *stride)).collect();
        Ok(batch)
    }

    fn empty(&self) -> DepthBatch {
        let terms = &self.config.terms;
        let known = || Motion::Known(Vec::new());
        let of_video = || if terms.poses.is_learned() { Motion::Learned { ways: Vec::new() } } else { known() };
        let surroundings = || {
            let (width, height) = self.around()?;
            Some(Surroundings { width, height, image: Vec::new(), places: Vec::new() })
        };
        let source = |partner, motion| SourceBatch {
            partner,
            image: Vec::new(),
            surroundings: surroundings(),
            input: Vec::new(),
            motion,
        };
        let term = |supervision: &Supervision| {
            let sources = match supervision {
                Supervision::Video => vec![source(Partner::Earlier, of_video()), source(Partner::Later, of_video())],
                Supervision::Stereo => vec![source(Partner::OtherEye, known())],
                Supervision::Range => return None,
            };
            let weight = terms.weights.of(*supervision);
            Some(TermBatch { supervision: *supervision, weight, sources, out_of_view: terms.out_of_view })
        };
        let (width, height) = self.size();
        DepthBatch {
            width,
            height,
            names: Vec::new(),
            target: Vec::new(),
            input: Vec::new(),
            pyramid: Vec::new(),
            views: Vec::new(),
            intrinsics: Vec::new(),
            terms: self.config.supervisions.iter().filter_map(term).collect(),
            ranges: (self.config.supervisions.contains(&Supervision::Range))
                .then(|| RangeBatch { weight: terms.weights.of(Supervision::Range), depth: Vec::new() }),
        }
    }

    /// Width and height of the pictures that are trained on.
    fn size(&self) -> (usize, usize) {
        match self.config.crop {
            Some(crop) => (crop.width, crop.height),
            None => (self.footage.width(), self.footage.height()),
        }
    }

    /// Width and height at which sources are read, where those are not the target's.
    fn around(&self) -> Option<(usize, usize)> {
        let sizes = || (0..self.footage.drives()).map(|drive| self.footage.frame_size(drive));
        let smallest = (sizes().map(|(width, _)| width).min()?, sizes().map(|(_, height)| height).min()?);
        self.config.crop?.around(smallest)
    }

    fn append(&self, sample: Sample, place: u64, batch: &mut DepthBatch) -> Result<(), Error> {
        let Sample { drive, index, eye } = sample;
        let mut random = random(self.config.seed, Purpose::Augmentation, place);
        let augmentation = self.config.augmentation;
        let mirrored = augmentation.is_some() && random.random_bool(0.5);
        let mirroring = if mirrored { Mirroring::Yes } else { Mirroring::No };
        let zoom = self.random_zoom(drive, &mut random);
        let frame_of = |sample: Sample| self.footage.frame_at(drive, sample.index, sample.eye, zoom.to);
        let target = frame_of(sample)?;
        let appearance = match augmentation {
            Some(augmentation) => Appearance::random(augmentation, &target, &mut random),
            None => Appearance::unchanged(),
        };
        let view = self.random_view(sample, zoom, mirroring, &mut random);

        let path = self.footage.recording(drive).path();
        batch.names.push(format!("frame {index} ({}) of {}", eye.name(), path.display()));
        batch.views.push(view);
        batch.intrinsics.extend(self.footage.intrinsics(drive, eye).map(|frame: Intrinsics| view.camera(frame)));
        let target = view.cut(target);
        append_planes(&target, mirroring, &mut batch.target);
        let seen = appearance.with_holes(&target, &mut random);
        append_input(&seen, mirroring, appearance.color(), &self.config.input, &mut batch.input);
        for source in batch.terms.iter_mut().flat_map(|term| &mut term.sources) {
            let partner = sample.partner(source.partner, self.config.frame_gap);
            let frame = frame_of(partner)?;
            if let Some(Surroundings { width, height, image, places }) = &mut source.surroundings {
                let larger = view.about((*width, *height));
                append_planes(&larger.cut(frame.clone()), mirroring, image);
                places.push(view.place_in(&larger));
            }
            let frame = view.cut(frame);
            append_planes(&frame, mirroring, &mut source.image);
            match &mut source.motion {
                Motion::Known(motions) => motions.push(self.known_motion(sample, partner, &view)?),
                Motion::Learned { ways } => {
                    ways.extend(self.way(sample, partner, &view));
                    let seen = appearance.of(&frame, &mut random);
                    append_input(&seen, mirroring, appearance.color(), &self.config.input, &mut source.input);
                }
            }
        }
        if let Some(ranges) = &mut batch.ranges {
            self.append_ranges(sample, &view, &mut ranges.depth)?;
        }
        Ok(())
    }

    /// By how much a frame is enlarged; nothing is drawn where it is not.
    fn random_zoom(&self, drive: usize, random: &mut impl rand::Rng) -> Zoom {
        let frame = self.footage.frame_size(drive);
        let most = self.config.crop.and_then(|crop| crop.zoom).filter(|_| self.config.augmentation.is_some());
        most.map_or(Zoom::none(frame), |most| Zoom::random(frame, most, random))
    }

    /// Which part of the enlarged frame is shown.
    fn random_view(&self, sample: Sample, zoom: Zoom, mirroring: Mirroring, random: &mut impl rand::Rng) -> View {
        let drive = sample.drive;
        let (width, height) = self.size();
        let (left, top) = random_place((zoom.to.0, zoom.from.1), (width, height), random);
        let camera = self.footage.intrinsics(drive, sample.eye);
        View {
            camera: self.footage.camera_number(drive),
            zoom,
            left,
            top: camera.map_or(top, |camera| zoom.first_row(top, height, camera)),
            width,
            height,
            mirroring,
        }
    }

    /// Metres of a depth unit in a window: things in an enlarged frame are as many times nearer.
    fn units(&self, view: &View) -> f64 {
        self.metres_per_unit.unwrap_or(1.0) * view.zoom.factor()
    }

    fn known_motion(&self, target: Sample, source: Sample, view: &View) -> Result<crate::geometry::RigidMotion, Error> {
        let motion = self.footage.motion(target.drive, [(source.index, source.eye), (target.index, target.eye)]);
        let motion = motion.ok_or_else(|| Error::Data {
            what: format!("frame {} or {} has no pose", source.index, target.index),
            path: self.footage.recording(target.drive).path().to_path_buf(),
            hint: "the recording changed while it was read: start again",
        })?;
        Ok(view.mirroring.motion(&super::motion::in_units(&motion, self.units(view))))
    }

    fn way(&self, target: Sample, source: Sample, view: &View) -> Option<f32> {
        let Self { config, speeds, .. } = self;
        let demands =
            Demands { supervisions: &config.supervisions, terms: &config.terms, gap: config.frame_gap, speeds };
        demands.way_m(&self.footage, target, source).map(|metres| (metres / self.units(view)) as f32)
    }

    /// Ranges belong to the left eye: a right frame has none.
    fn append_ranges(&self, sample: Sample, view: &View, depth: &mut Vec<f32>) -> Result<(), Error> {
        let ranges = match sample.eye {
            Eye::Left => self.footage.ranges_at(sample.drive, sample.index, view.zoom.to)?,
            Eye::Right => None,
        };
        let start = depth.len();
        match ranges {
            Some(ranges) => view.append_map(&ranges, depth),
            None => depth.resize(start + view.width * view.height, 0.0),
        }
        let units_per_metre = self.units(view).recip() as f32;
        depth[start..].iter_mut().for_each(|range| *range *= units_per_metre);
        Ok(())
    }
}

fn check_crop(footage: &Footage, drive: usize, crop: Option<CropConfig>) -> Result<(), Error> {
    let (width, height) = footage.frame_size(drive);
    match crop {
        Some(crop) if crop.width > width || crop.height > height => Err(Error::Data {
            what: format!("a crop of {}x{} does not fit into frames of {width}x{height}", crop.width, crop.height),
            path: footage.recording(drive).path().to_path_buf(),
            hint: "give --crop WxH no larger than the frames, its sides multiples of 32",
        }),
        _ => Ok(()),
    }
}
