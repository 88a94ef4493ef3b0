//! `parallax-train pretrain`: depth from video or stereo, or one of its rivals, without labels.

use std::path::PathBuf;

use clap::Args;
use parallax_models::Network;
use parallax_train::data::Supervision;
use parallax_train::device::{ChosenDevice, DeviceChoice, Inspector, choose};
use parallax_train::pretraining::{PretrainConfig, pretrain, resume};
use parallax_train::training::{Ended, LoopConfig, RunFolder, RunKind, Schedule, Trained};

use super::pretrain_rival::{self, Teachers, parse_teacher};
use super::{BadArguments, Outcome};

/// Decoded frames kept in memory when --memory does not say otherwise: 10000 frames of 256x128.
const DEFAULT_MEMORY_MIB: usize = 1024;

/// Arguments of `pretrain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train pretrain --from stereo --data drive.mcap --out runs/depth
  parallax-train pretrain --from video,stereo --data a.mcap --data b.mcap --network slim --size 256x128 --steps 1500 --out runs/depth
  parallax-train pretrain --from video --data frames/ --camera camera.yaml --network resnet18 --size 640x192 --out runs/video
  parallax-train pretrain --from flow --data frames/ --out runs/flow
  parallax-train pretrain --from contrastive --data drive.mcap --data mine --batch 16 --out runs/contrastive
  parallax-train pretrain --resume --out runs/depth

Flow, inpainting and contrastive are what the paper compares depth with. They need no camera files; inpainting and contrastive
also take labelled sets and folders of any pictures. `finetune --init` takes every run.")]
pub(crate) struct PretrainArgs {
    /// What teaches: depth from video, stereo or both; or one of flow, inpainting, contrastive.
    #[arg(long, value_delimiter = ',', required_unless_present = "resume", value_parser = parse_teacher)]
    pub(crate) from: Vec<pretrain_rival::Teacher>,
    /// A recording or a folder of frames; may be given several times.
    #[arg(long, value_name = "PATH", required_unless_present = "resume")]
    pub(crate) data: Vec<PathBuf>,
    /// Camera file for footage that has none, or instead of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) camera: Option<PathBuf>,
    /// The same for the right camera.
    #[arg(long, value_name = "FILE")]
    pub(crate) right_camera: Option<PathBuf>,
    /// resnet18, resnet50 or slim.
    #[arg(long, default_value = "slim")]
    pub(crate) network: Network,
    /// Size the network works at; multiples of 32.
    #[arg(long, value_name = "WxH", default_value = "256x128", value_parser = parse_size)]
    pub(crate) size: (usize, usize),
    /// Training steps [default: 2000; with --resume: as the run was started].
    #[arg(long)]
    pub(crate) steps: Option<u64>,
    /// Images per step; with flow, pairs of them.
    #[arg(long, default_value_t = 4)]
    pub(crate) batch: usize,
    /// Seed of weights, order and augmentation.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Start from an earlier run (a folder) or from torchvision's ImageNet weights (a .pth or .safetensors file).
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) init: Option<PathBuf>,
    /// Learning rate at the start [default: 1e-3 with stereo, flow or inpainting, 5e-4 with contrastive, 2e-4 from video
    /// alone].
    #[arg(long)]
    pub(crate) lr: Option<f64>,
    /// How the learning rate falls.
    #[arg(long, value_enum, default_value_t = Schedule::Cosine)]
    pub(crate) schedule: Schedule,
    /// Frames between a target and its neighbours in the video.
    #[arg(long, default_value_t = 1)]
    pub(crate) frame_gap: usize,
    /// Steps between two checkpoints.
    #[arg(long, default_value_t = 200)]
    pub(crate) save_every: u64,
    /// Steps between two rounds of pictures in the run folder; 0: only at the end.
    #[arg(long, default_value_t = 500)]
    pub(crate) picture_every: u64,
    /// MiB of decoded frames kept in memory.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_MEMORY_MIB)]
    pub(crate) memory: usize,
    /// Threads that decode and alter frames.
    #[arg(long, default_value_t = 1)]
    pub(crate) loaders: usize,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// The run folder to write.
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Go on with the run in --out as it was started; only --steps and --device are looked at.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Runs the command.
pub(crate) fn run(args: &PretrainArgs) -> anyhow::Result<Outcome> {
    if args.resume {
        match RunFolder::open(&args.out)?.description()?.kind {
            RunKind::Flow | RunKind::Inpainting | RunKind::Contrastive => pretrain_rival::go_on(args)?,
            RunKind::Depth | RunKind::Segmentation => show(args, &resume(&args.out, args.steps, &device(args)?)?),
        }
        return Ok(Outcome::Done);
    }
    match Teachers::of(&args.from)? {
        Teachers::Rival(rival) => pretrain_rival::start(args, rival)?,
        Teachers::Depth(from) => {
            let config = config(args, from);
            config.check().map_err(|error| BadArguments::error(error.to_string(), error.hint().unwrap_or_default()))?;
            show(args, &pretrain(config, &args.out, &device(args)?)?);
        }
    }
    Ok(Outcome::Done)
}

pub(super) fn device(args: &PretrainArgs) -> anyhow::Result<ChosenDevice> {
    Ok(choose(args.device, &Inspector::of_this_program()?)?)
}

/// With a known motion between the eyes large steps are safe. Where the motion is learned too, depth and motion can agree
/// on a flat world early: at 5e-4 depth became constant on real street video, at 2e-4 it did not.
fn default_learning_rate(from: &[Supervision]) -> f64 {
    if from.contains(&Supervision::Stereo) { 1e-3 } else { 2e-4 }
}

fn config(args: &PretrainArgs, from: Vec<Supervision>) -> PretrainConfig {
    PretrainConfig {
        data: args.data.clone(),
        camera: args.camera.clone(),
        right_camera: args.right_camera.clone(),
        network: args.network,
        width: args.size.0,
        height: args.size.1,
        batch: args.batch,
        frame_gap: args.frame_gap,
        seed: args.seed,
        init: args.init.clone(),
        memory: args.memory << 20,
        metres_per_unit: None,
        steps: loop_config(args, default_learning_rate(&from)),
        from,
    }
}

pub(super) fn loop_config(args: &PretrainArgs, default_learning_rate: f64) -> LoopConfig {
    LoopConfig {
        steps: args.steps.unwrap_or(2000),
        learning_rate: args.lr.unwrap_or(default_learning_rate),
        schedule: args.schedule,
        save_every: args.save_every,
        picture_every: args.picture_every,
        loader_threads: args.loaders,
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the result belongs on stdout, the hint on stderr")]
pub(super) fn show<M>(args: &PretrainArgs, trained: &Trained<M>) {
    let out = args.out.display();
    match trained.ended {
        Ended::Finished => println!("{out}: {} steps in {:.0} s", trained.step, trained.seconds),
        Ended::Interrupted => {
            println!("{out}: stopped and saved at step {}", trained.step);
            eprintln!("hint: `parallax-train pretrain --resume --out {out}` goes on from there");
        }
    }
}

/// `WxH`.
pub(crate) fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    numbers.ok_or_else(|| format!("expected a size like 256x128, got `{text}`"))
}
