//! `parallax-train finetune`: masks from a few labelled pictures, with or without depth pre-training.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use parallax_core::model_input::ModelInput;
use parallax_core::run::Transfer;
use parallax_models::Network;
use parallax_train::device::{ChosenDevice, DeviceChoice, Inspector, choose};
use parallax_train::finetune::{FinetuneConfig, finetune, resume};
use parallax_train::inheritance;

use super::loop_args::{LoopArgs, LoopDefaults, show};
use super::pretrain::parse_size;
use super::{BadArguments, Outcome};

/// One to two minutes with slim at 256x128 on two cores.
const DEFAULTS: LoopDefaults = LoopDefaults { steps: 300, learning_rate: 3e-3, picture_every: 100 };

/// Network input when neither --size nor --init says otherwise: small enough for minutes on a CPU.
const DEFAULT_SIZE: (u32, u32) = (256, 128);

/// Arguments of `finetune`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train finetune --labels mine --init runs/depth --out runs/masks
  parallax-train finetune --labels mine --count 16 --seed 2 --network slim --steps 300 --out runs/from_scratch
  parallax-train finetune --labels mine --init runs/depth --transfer frozen --out runs/frozen
  parallax-train finetune --labels mine --init resnet18.pth --network resnet18 --transfer encoder --out runs/imagenet
  parallax-train finetune --labels mine --init runs/other_masks --out runs/masks

The pictures are drawn at random by --seed; the rest of the set is for `parallax-train evaluate`. Compare runs only at
each one's own best learning rate, over several seeds.")]
pub(crate) struct FinetuneArgs {
    /// Labelled set: a folder with images/, labels/ and classes.toml.
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub(crate) labels: Option<PathBuf>,
    /// Classes file to use in place of the set's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) classes: Option<PathBuf>,
    /// How many pictures to learn.
    #[arg(long, default_value_t = 16)]
    pub(crate) count: usize,
    /// Seed of the draw, of fresh weights, of the order and the flips.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Start from a run of any pre-training or of segmentation with other classes (a folder), or from torchvision's
    /// ImageNet weights (a .pth or .safetensors file); without it the network starts from nothing.
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) init: Option<PathBuf>,
    /// What is taken over from --init.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transfer: TransferChoice,
    /// Pictures per step.
    #[arg(long, default_value_t = 8)]
    pub(crate) batch: usize,
    /// Size of the network's input; multiples of 32 [default: that of --init, else 256x128].
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) size: Option<(usize, usize)>,
    /// The network: slim, resnet18, resnet50 [default: that of --init, else slim].
    #[arg(long)]
    pub(crate) network: Option<Network>,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// How long and how fast to learn, what to save.
    #[command(flatten)]
    pub(crate) training: LoopArgs,
    /// Run folder to write.
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Go on with the run in --out as it was started; only --steps, --patience, --save-every, --save-minutes, --picture-every,
    /// --loaders and --device are looked at.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// `--transfer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum TransferChoice {
    /// Everything but the last layer.
    #[default]
    Whole,
    /// The encoder; the decoder is fresh.
    Encoder,
    /// Everything but the last layer, and the encoder is not trained.
    Frozen,
}

impl From<TransferChoice> for Transfer {
    fn from(choice: TransferChoice) -> Self {
        match choice {
            TransferChoice::Whole => Self::Whole,
            TransferChoice::Encoder => Self::Encoder,
            TransferChoice::Frozen => Self::Frozen,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &FinetuneArgs) -> anyhow::Result<Outcome> {
    let trained = if args.resume {
        resume(&args.out, &args.training.changes(), &device(args)?)?
    } else {
        let config = config_of(args)?;
        finetune(&config, &args.out, &device(args)?)?
    };
    show(&trained, "finetune", &args.out);
    Ok(Outcome::Done)
}

fn device(args: &FinetuneArgs) -> anyhow::Result<ChosenDevice> {
    Ok(choose(args.device, &Inspector::of_this_program()?)?)
}

fn config_of(args: &FinetuneArgs) -> anyhow::Result<FinetuneConfig> {
    if args.init.is_none() && args.transfer == TransferChoice::Encoder {
        return Err(BadArguments::error(
            "--transfer encoder takes the encoder over from a pre-trained run, but there is no --init",
            "name a run of `parallax-train pretrain` with --init, or leave --transfer out",
        ));
    }
    let inherited = args.init.as_deref().map(inheritance::settings).transpose()?.flatten();
    if args.init.is_some() && inherited.is_none() && args.network.is_none() {
        return Err(BadArguments::error(
            "a weights file does not say which network it is of",
            "give --network resnet18 or --network resnet50",
        ));
    }
    let (default_network, default_input) =
        inherited.unwrap_or((Network::Slim, ModelInput::imagenet(DEFAULT_SIZE.0, DEFAULT_SIZE.1)));
    let given = args.size.map(|(width, height)| (width as u32, height as u32));
    let (width, height) = given.unwrap_or((default_input.width, default_input.height));
    Ok(FinetuneConfig {
        labels: args.labels.clone().unwrap_or_default(),
        classes: args.classes.clone(),
        count: args.count,
        seed: args.seed,
        init: args.init.clone(),
        transfer: args.transfer.into(),
        network: args.network.unwrap_or(default_network),
        input: ModelInput { width, height, ..default_input },
        batch: args.batch,
        training: args.training.config(DEFAULTS)?,
    })
}
