//! `parallax-train pretrain`: depth from video, stereo or a range sensor, or one of its rivals, without labels.

use std::path::PathBuf;

use clap::Args;
use parallax_core::program::{print, tell};
use parallax_models::Network;
use parallax_train::data::{
    Augmentation, CropConfig, CropSources, FrameSize, IntrinsicsSource, PoseSource, RangeChannel, SpeedSource,
    Supervision, TermsConfig, Weights,
};
use parallax_train::device::{ChosenDevice, DeviceChoice, Inspector, choose};
use parallax_train::lesson::Lesson;
use parallax_train::loss::photometric::OutOfView;
use parallax_train::pretraining::{LearnedCamera, PretrainConfig, Pretrained, pretrain, resume};
use parallax_train::rivals::Rival;
use parallax_train::training::RunFolder;

use super::frame_gap::{FrameGap, parse_frame_gap, proposed_frame_gap};
use super::loop_args::{LoopArgs, LoopDefaults, show};
use super::pretrain_rival::{self, Teacher, Teachers, parse_teacher};
use super::{BadArguments, Outcome};

/// Decoded frames kept in memory when --memory does not say otherwise: 10000 frames of 256x128.
const DEFAULT_MEMORY_MIB: usize = 1024;

/// Arguments of `pretrain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train pretrain --from stereo --data drive.mcap --out runs/depth
  parallax-train pretrain --from video,stereo --data a.mcap --data b.mcap --network slim --size 256x128 --steps 1500 --out runs/depth
  parallax-train pretrain --from video --data frames/ --camera camera.yaml --network resnet18 --size 640x192 --out runs/video
  parallax-train pretrain --from video --poses given --data drive.mcap --out runs/odometry
  parallax-train pretrain --from video --poses given --data a.mcap --data b.mcap --validate c.mcap --patience 5 --out runs/odometry
  parallax-train pretrain --from stereo,range --weight range=0.5 --data drive.mcap --out runs/ranges
  parallax-train pretrain --from video --crop 256 --data frames/ --out runs/crops
  parallax-train pretrain --from video --intrinsics learn --speed 1.5 --data phone.mcap --out runs/phone
  parallax-train pretrain --from flow --data frames/ --out runs/flow
  parallax-train pretrain --from contrastive --data drive.mcap --data mine --batch 16 --out runs/contrastive
  parallax-train pretrain --resume --out runs/depth

Flow, inpainting and contrastive are what the paper compares depth with. They need no camera files; inpainting and contrastive
also take labelled sets and folders of any pictures. `finetune --init` takes every run.")]
pub(crate) struct PretrainArgs {
    /// What teaches: depth from video, stereo, range (a range sensor's measurements) or several, by commas; or one of flow,
    /// inpainting, contrastive.
    #[arg(long, value_delimiter = ',', required_unless_present = "resume", value_parser = parse_teacher)]
    pub(crate) from: Vec<Teacher>,
    /// A recording or a folder of frames; may be given several times.
    #[arg(long, value_name = "PATH", required_unless_present = "resume")]
    pub(crate) data: Vec<PathBuf>,
    /// Footage to keep out of training: its loss is looked at every --check-every steps, RUN/best keeps the checkpoint that did
    /// best on it, --patience watches it; may be given several times.
    #[arg(long, value_name = "PATH", conflicts_with = "resume")]
    pub(crate) validate: Vec<PathBuf>,
    /// Camera file for footage that has none, or instead of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) camera: Option<PathBuf>,
    /// The same for the right camera.
    #[arg(long, value_name = "FILE")]
    pub(crate) right_camera: Option<PathBuf>,
    /// resnet18, resnet50 or slim.
    #[arg(long, default_value = "slim")]
    pub(crate) network: Network,
    /// How much each term counts, e.g. video=1,range=0.5 [default: 1 each, speed 0.05].
    #[arg(long, value_name = "TERM=NUMBER,...")]
    pub(crate) weight: Option<Weights>,
    /// Motion between neighbouring frames: learn, given (the recording's transforms, a folder's poses.txt), or a pose file
    /// (KITTI rows, or TUM rows with time stamps).
    #[arg(long, value_name = "learn|given|FILE", default_value = "learn")]
    pub(crate) poses: String,
    /// Which measurements range takes [default: lidar where there is some, else depth].
    #[arg(long, value_enum)]
    pub(crate) range: Option<RangeChannel>,
    /// Metres per second, or a file of time stamps and speeds beside the recording: gives learned motion its scale.
    #[arg(long, value_name = "M_PER_S|FILE")]
    pub(crate) speed: Option<String>,
    /// What a pixel learns from a source frame that does not show the place where it is looked for.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) out_of_view: OutOfView,
    /// Train on random windows of full-resolution frames (of frames at --size, if that is given); multiples of 32.
    #[arg(long, value_name = "N|WxH", value_parser = parse_crop)]
    pub(crate) crop: Option<(usize, usize)>,
    /// What the neighbours of a window show: the same window, as published, or twice its size, so that near things teach too.
    #[arg(long, value_enum, default_value_t, requires = "crop")]
    pub(crate) crop_sources: CropSources,
    /// Cut the windows from frames enlarged by 1 to this: from minutes of footage things of every size, so that longer runs carry
    /// over farther.
    #[arg(long, value_name = "FACTOR", requires = "crop")]
    pub(crate) zoom: Option<f64>,
    /// How much the input is altered: a little, as published, or much, for minutes of footage that is to serve elsewhere.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) augment: Augmentation,
    /// Where focal length and principal point come from: camera files, or learned with depth and motion from video.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) intrinsics: IntrinsicsSource,
    /// Size the network works at; multiples of 32 [default: 256x128; with --crop the frames' own].
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) size: Option<(usize, usize)>,
    /// Images per step; with flow, pairs of them.
    #[arg(long, default_value_t = 4)]
    pub(crate) batch: usize,
    /// Seed of weights, order and augmentation.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Start from an earlier run (a folder) or from torchvision's ImageNet weights (a .pth or .safetensors file).
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) init: Option<PathBuf>,
    /// Frames between a target and its neighbours in the video, or `auto`: as far apart as `doctor` proposes.
    #[arg(long, value_name = "N|auto", default_value = "1", value_parser = parse_frame_gap)]
    pub(crate) frame_gap: FrameGap,
    /// MiB of decoded frames kept in memory.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_MEMORY_MIB)]
    pub(crate) memory: usize,
    /// How long and how fast to learn, what to save.
    #[command(flatten)]
    pub(crate) training: LoopArgs,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// The run folder to write.
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Go on with the run in --out as it was started; only --steps, --patience, --save-every, --save-minutes, --picture-every,
    /// --loaders and --device are looked at.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Runs the command.
pub(crate) fn run(args: &PretrainArgs) -> anyhow::Result<Outcome> {
    if args.resume {
        let kind = RunFolder::open(&args.out)?.description()?.kind;
        return match Rival::of_kind(kind) {
            Some(_) => pretrain_rival::go_on(args),
            None => Ok(ended(args, &resume(&args.out, &args.training.changes(), &device(args)?)?)),
        };
    }
    match Teachers::of(&args.from)? {
        Teachers::Rival(rival) => pretrain_rival::start(args, rival),
        Teachers::Depth(from) => {
            let mut config = config(args, from)?;
            config.check().map_err(|error| BadArguments::error(error.to_string(), error.hint().unwrap_or_default()))?;
            if args.frame_gap == FrameGap::Auto {
                config.frame_gap = proposed_frame_gap(&config)?;
            }
            Ok(ended(args, &pretrain(config, &args.out, &device(args)?)?))
        }
    }
}

pub(super) fn device(args: &PretrainArgs) -> anyhow::Result<ChosenDevice> {
    Ok(choose(args.device, &Inspector::of_this_program()?)?)
}

/// With known motions or measured depth large steps are safe. Where the motion is learned too, depth and motion can agree
/// on a flat world early: at 5e-4 depth became constant on real street video, at 2e-4 it did not.
fn default_learning_rate(from: &[Supervision], poses: &PoseSource) -> f64 {
    if from == [Supervision::Video] && poses.is_learned() { 2e-4 } else { 1e-3 }
}

/// Size that the network works at when nothing says otherwise.
pub(super) const DEFAULT_SIZE: (usize, usize) = (256, 128);

fn config(args: &PretrainArgs, from: Vec<Supervision>) -> anyhow::Result<PretrainConfig> {
    let poses = PoseSource::from(args.poses.clone());
    let frames = if args.size.is_some() { FrameSize::Network } else { FrameSize::Full };
    let crop = args.crop.map(|(width, height)| CropConfig {
        width,
        height,
        from: frames,
        sources: args.crop_sources,
        zoom: args.zoom,
    });
    let (width, height) = args.size.unwrap_or(if crop.is_some() { (0, 0) } else { DEFAULT_SIZE });
    let learning_rate = default_learning_rate(&from, &poses);
    Ok(PretrainConfig {
        from,
        data: super::recordings(&args.data)?,
        validation: super::recordings(&args.validate)?,
        camera: args.camera.clone(),
        right_camera: args.right_camera.clone(),
        network: args.network,
        terms: TermsConfig {
            weights: args.weight.unwrap_or_default(),
            poses,
            range: args.range,
            speed: args.speed.clone().map(SpeedSource::from),
            out_of_view: args.out_of_view,
        },
        crop,
        augmentation: args.augment,
        intrinsics: args.intrinsics,
        width,
        height,
        batch: args.batch,
        frame_gap: args.frame_gap.or_one(),
        seed: args.seed,
        init: args.init.clone(),
        memory: args.memory << 20,
        metres_per_unit: None,
        learned_cameras: Vec::new(),
        steps: args.training.config(LoopDefaults { steps: 2000, learning_rate, picture_every: 500 })?,
    })
}

fn ended(args: &PretrainArgs, Pretrained { trained, cameras, lessons }: &Pretrained) -> Outcome {
    show(trained, "pretrain", &args.out);
    show_cameras(cameras);
    judged(lessons)
}

/// Whether a run could reach its purpose; says why not.
pub(super) fn judged(lessons: &[Lesson]) -> Outcome {
    let shortcomings: Vec<String> = lessons.iter().filter_map(Lesson::shortcoming).collect();
    if shortcomings.is_empty() {
        return Outcome::Done;
    }
    tracing::error!("this run missed its purpose: {}", shortcomings.join("; "));
    tracing::error!("`parallax-train doctor` looks at the footage");
    Outcome::DoneWithFindings
}

fn show_cameras(cameras: &[LearnedCamera]) {
    for camera in cameras {
        print(in_words(camera));
        if camera.focal_sigma > camera.focal_drift && !camera.determined {
            tell("hint: only rotation determines a focal length: add footage that turns, or calibrate the camera");
        } else if !camera.determined {
            tell("hint: train longer: `--resume --steps N`");
        }
    }
}

fn in_words(camera: &LearnedCamera) -> String {
    let LearnedCamera { width, height, focal_px, cx, cy, focal_sigma, focal_drift, determined } = camera;
    let (sigma, drift) = (100.0 * focal_sigma, 100.0 * focal_drift);
    let why = format!("the motion leaves {sigma:.1} % open; it moved by {drift:.1} % in the second half of the steps");
    if *determined {
        format!("focal length {focal_px:.1} px of {width}x{height}, centre ({cx:.1}, {cy:.1}): {why}")
    } else {
        format!("focal length not determined ({focal_px:.1} px of {width}x{height} was used): {why}")
    }
}

/// `N` or `WxH`.
fn parse_crop(text: &str) -> Result<(usize, usize), String> {
    match text.parse() {
        Ok(side) => Ok((side, side)),
        Err(_) => parse_size(text),
    }
}

/// `WxH`.
pub(crate) fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    numbers.ok_or_else(|| format!("expected a size like 256x128, got `{text}`"))
}
