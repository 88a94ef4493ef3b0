//! What a picture must become before a network sees it.
//!
//! A model of `parallax-train export` or `quantize` says it in its metadata. Of any other the user says it: mean and standard deviation
//! of each channel, in the order in which the network takes them, and that order. There is no default: networks that look
//! alike differ in it, and a wrong one gives wrong masks and no error.

use parallax_core::model_input::{Channels, ModelInput};
use parallax_onnx::{ModelProto, metadata};

use super::error::{ForeignError, Result};
use crate::graph;

/// Mean, standard deviation and order of the channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// Mean of each channel, for values in 0..1, in the network's order.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, likewise.
    pub std: [f32; 3],
    /// The network's order.
    pub channels: Channels,
}

/// What the user says about a model's input.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Asked {
    /// Width and height.
    pub size: Option<(u32, u32)>,
    /// Mean of each channel, for values in 0..1.
    pub mean: Option<[f32; 3]>,
    /// Standard deviation of each channel, for values in 0..1.
    pub std: Option<[f32; 3]>,
    /// Order of the channels.
    pub channels: Option<Channels>,
}

/// A contract, but for the size where the file or the user must say it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contract {
    /// Mean, standard deviation, order.
    pub normalisation: Normalisation,
    /// Width and height, where they are known.
    pub size: Option<(u32, u32)>,
}

impl Normalisation {
    /// That of an input contract.
    #[must_use]
    pub fn of(input: &ModelInput) -> Self {
        Self { mean: input.mean, std: input.std, channels: input.channels }
    }

    /// The contract for pictures of a size.
    #[must_use]
    pub fn for_size(&self, (width, height): (u32, u32)) -> ModelInput {
        let Self { mean, std, channels } = *self;
        ModelInput { mean, std, channels, ..ModelInput::imagenet(width, height) }
    }
}

impl Contract {
    /// What a model's metadata say, else what `otherwise` says (that of a run), else what the user says. What the user says
    /// must agree with it.
    ///
    /// # Errors
    /// Metadata that make no sense, or say something else than the user; or something that nobody says.
    pub fn of(model: &ModelProto, otherwise: Option<&ModelInput>, asked: &Asked) -> Result<Self> {
        if let Some(input) = graph::stated_input(model, metadata::MODEL_INPUT)? {
            // The user repeats what was said to `quantize`, and knows nothing of what was taken out of the graph.
            let given = given_input(model)?.unwrap_or(input);
            asked.agrees_with(&given, "the model's metadata say")?;
            return Ok(Self::from(&input));
        }
        if let Some(input) = otherwise {
            asked.agrees_with(input, "the run says")?;
            return Ok(Self::from(input));
        }
        let missing = [
            ("--mean", asked.mean.is_none()),
            ("--std", asked.std.is_none()),
            ("--channels", asked.channels.is_none()),
        ];
        let (Some(mean), Some(std), Some(channels)) = (asked.mean, asked.std, asked.channels) else {
            let missing = missing.iter().filter(|(_, missing)| *missing).map(|(flag, _)| *flag).collect();
            return Err(ForeignError::NoContract { missing });
        };
        // Means and deviations of bytes, given as those of 0..1, would make every picture black or white.
        if mean.iter().any(|mean| mean.abs() > 4.0) || std.iter().any(|std| !(*std > 0.0 && *std <= 16.0)) {
            return Err(ForeignError::Normalisation { mean, std });
        }
        Ok(Self { normalisation: Normalisation { mean, std, channels }, size: asked.size })
    }

    /// Writes a contract, and the one that was given, into a model's metadata.
    ///
    /// # Errors
    /// Never; JSON of plain numbers.
    pub fn write(&self, input: &ModelInput, model: &mut ModelProto) -> std::result::Result<(), serde_json::Error> {
        let stated = model.metadata(metadata::MODEL_INPUT).is_some();
        let given = self.normalisation.for_size((input.width, input.height));
        if !stated && given != *input {
            model.set_metadata(metadata::GIVEN_INPUT, &serde_json::to_string(&given)?);
        }
        model.set_metadata(metadata::MODEL_INPUT, &serde_json::to_string(input)?);
        Ok(())
    }
}

/// The contract of a model's metadata as the user gave it; none where they say nothing.
pub(crate) fn given_input(model: &ModelProto) -> Result<Option<ModelInput>> {
    let given = graph::stated_input(model, metadata::GIVEN_INPUT)?;
    Ok(if given.is_some() { given } else { graph::stated_input(model, metadata::MODEL_INPUT)? })
}

impl From<&ModelInput> for Contract {
    fn from(input: &ModelInput) -> Self {
        Self { normalisation: Normalisation::of(input), size: Some((input.width, input.height)) }
    }
}

impl Asked {
    /// Passes where what was asked for is what is stated.
    fn agrees_with(&self, stated: &ModelInput, by: &'static str) -> Result<()> {
        let near = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 + 1e-5 * b.abs());
        let other = |what: &'static str, asked: String, stated: String| {
            Err(ForeignError::OtherContract { what, asked, by, stated })
        };
        let (width, height) = (stated.width, stated.height);
        match self {
            Self { size: Some(size), .. } if *size != (width, height) => {
                other("--size", format!("{}x{}", size.0, size.1), format!("{width}x{height}"))
            }
            Self { mean: Some(mean), .. } if !near(*mean, stated.mean) => {
                other("--mean", format!("{mean:?}"), format!("{:?}", stated.mean))
            }
            Self { std: Some(std), .. } if !near(*std, stated.std) => {
                other("--std", format!("{std:?}"), format!("{:?}", stated.std))
            }
            Self { channels: Some(channels), .. } if *channels != stated.channels => {
                other("--channels", channels.name().to_owned(), stated.channels.name().to_owned())
            }
            _ => Ok(()),
        }
    }
}
