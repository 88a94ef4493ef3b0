//! The part of `pretrain` that is about depth's rivals: flow, inpainting, contrastive.

use clap::ValueEnum;
use parallax_train::data::Supervision;
use parallax_train::rivals::{Method, Rival, RivalConfig, pretrain, resume};

use super::BadArguments;
use super::pretrain::{PretrainArgs, device, loop_config, show};

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
pub(crate) fn start(args: &PretrainArgs, rival: Rival) -> anyhow::Result<()> {
    if args.camera.is_some() || args.right_camera.is_some() {
        let hint = "leave --camera out: this pre-training needs none";
        return Err(BadArguments::error("camera files have no use here: nothing is projected", hint));
    }
    let config = RivalConfig {
        data: args.data.clone(),
        network: args.network,
        width: args.size.0,
        height: args.size.1,
        batch: args.batch,
        seed: args.seed,
        init: args.init.clone(),
        memory: args.memory << 20,
        method: Method::of(rival, args.frame_gap),
        steps: loop_config(args, rival.default_learning_rate()),
    };
    config.check().map_err(|error| BadArguments::error(error.to_string(), error.hint().unwrap_or_default()))?;
    show(args, &pretrain(config, &args.out, &device(args)?)?);
    Ok(())
}

/// Goes on with a rival's run.
pub(crate) fn go_on(args: &PretrainArgs) -> anyhow::Result<()> {
    show(args, &resume(&args.out, args.steps, &device(args)?)?);
    Ok(())
}
