//! The part of `pretrain` that is about depth's rivals: flow, inpainting, contrastive.

use clap::ValueEnum;
use parallax_train::data::{IntrinsicsSource, Supervision};
use parallax_train::rivals::{Method, Rival, RivalConfig, RivalPretrained, pretrain, resume};

use super::frame_gap::FrameGap;
use super::loop_args::{LoopDefaults, show};
use super::pretrain::{DEFAULT_SIZE, PretrainArgs, device, judged};
use super::{BadArguments, Outcome};

/// One value of `--from`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Teacher {
    /// A supervision of depth.
    Depth(Supervision),
    /// Something else than depth.
    Rival(Rival),
}

/// All values of `--from`.
pub(crate) enum Teachers {
    /// Supervisions of depth, to be summed.
    Depth(Vec<Supervision>),
    /// One rival.
    Rival(Rival),
}

impl Teachers {
    /// Sorts the values of `--from`.
    pub(crate) fn of(from: &[Teacher]) -> anyhow::Result<Self> {
        let rivals = from.iter().filter_map(|teacher| match teacher {
            Teacher::Rival(rival) => Some(*rival),
            Teacher::Depth(_) => None,
        });
        let supervisions = from.iter().filter_map(|teacher| match teacher {
            Teacher::Depth(supervision) => Some(*supervision),
            Teacher::Rival(_) => None,
        });
        match (rivals.collect::<Vec<_>>().as_slice(), supervisions.collect::<Vec<_>>()) {
            ([], supervisions) => Ok(Self::Depth(supervisions)),
            ([rival], supervisions) if supervisions.is_empty() => Ok(Self::Rival(*rival)),
            _ => Err(BadArguments::error(
                "flow, inpainting and contrastive each stand alone: they cannot be summed with anything",
                "give one of them, or any of depth's; one after the other goes with --init",
            )),
        }
    }
}

/// `video`, `flow` and so on.
pub(crate) fn parse_teacher(text: &str) -> Result<Teacher, String> {
    let depth = Supervision::from_str(text, false).map(Teacher::Depth);
    depth.or_else(|_| Rival::from_str(text, false).map(Teacher::Rival)).map_err(|_| {
        let depth = Supervision::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let rivals = Rival::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = depth.chain(rivals).map(|value| value.get_name().to_owned()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Starts a rival's run.
pub(crate) fn start(args: &PretrainArgs, rival: Rival) -> anyhow::Result<Outcome> {
    if args.camera.is_some() || args.right_camera.is_some() {
        let hint = "leave --camera out: this pre-training needs none";
        return Err(BadArguments::error("camera files have no use here: nothing is projected", hint));
    }
    if let Some(flag) = depth_only(args) {
        return Err(BadArguments::error(format!("{flag} is about depth, which is not learned here"), "leave it out"));
    }
    let FrameGap::Frames(frame_gap) = args.frame_gap else {
        let hint = "`parallax-train doctor` proposes one for footage with a camera file; give its number";
        return Err(BadArguments::error("--frame-gap auto is for depth from video", hint));
    };
    let (width, height) = args.size.unwrap_or(DEFAULT_SIZE);
    let config = RivalConfig {
        data: super::recordings(&args.data)?,
        network: args.network,
        width,
        height,
        batch: args.batch,
        seed: args.seed,
        init: args.init.clone(),
        memory: args.memory << 20,
        method: Method::of(rival, frame_gap),
        steps: args.training.config(LoopDefaults {
            steps: 2000,
            learning_rate: rival.default_learning_rate(),
            picture_every: 500,
        })?,
    };
    config.check().map_err(|error| BadArguments::error(error.to_string(), error.hint().unwrap_or_default()))?;
    Ok(ended(args, &pretrain(config, &args.out, &device(args)?)?))
}

/// A flag that was given and has no meaning without depth.
fn depth_only(args: &PretrainArgs) -> Option<&'static str> {
    [
        (args.weight.is_some(), "--weight"),
        (args.poses != "learn", "--poses"),
        (args.range.is_some(), "--range"),
        (args.speed.is_some(), "--speed"),
        (!args.out_of_view.is_border(), "--out-of-view"),
        (args.crop.is_some(), "--crop"),
        (!args.augment.is_published(), "--augment"),
        (!args.validate.is_empty(), "--validate"),
        (args.intrinsics == IntrinsicsSource::Learn, "--intrinsics"),
    ]
    .into_iter()
    .find_map(|(given, flag)| given.then_some(flag))
}

/// Goes on with a rival's run.
pub(crate) fn go_on(args: &PretrainArgs) -> anyhow::Result<Outcome> {
    Ok(ended(args, &resume(&args.out, &args.training.changes(), &device(args)?)?))
}

fn ended(args: &PretrainArgs, RivalPretrained { trained, lessons }: &RivalPretrained) -> Outcome {
    show(trained, "pretrain", &args.out);
    judged(lessons)
}
