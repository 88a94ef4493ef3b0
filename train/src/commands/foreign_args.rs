//! What the user says about a model from elsewhere: its size, mean and std, the order of its channels, its output.

use std::path::Path;

use clap::{Args, ValueEnum};
use parallax_core::labels::Classes;
use parallax_core::model_input::{Channels, ModelInput};
use parallax_onnx::{ModelProto, metadata};
use parallax_quantize::foreign::contract::Contract;
use parallax_quantize::foreign::{Asked, Purpose, adopt, read_model};
use parallax_quantize::graph;

use super::BadArguments;

/// Arguments about a model that `parallax-train export` did not write.
#[derive(Debug, Args)]
pub(crate) struct ForeignArgs {
    /// The size that a model from elsewhere is run at, where its file leaves it open.
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub(crate) size: Option<(u32, u32)>,
    /// Mean of each channel that the network was trained with, in its own order, such as 0.485,0.456,0.406; one number stands
    /// for all three.
    #[arg(long, value_name = "M,M,M", value_parser = three, allow_hyphen_values = true)]
    pub(crate) mean: Option<[f32; 3]>,
    /// Standard deviation of each channel, likewise, such as 0.229,0.224,0.225.
    #[arg(long, value_name = "S,S,S", value_parser = three)]
    pub(crate) std: Option<[f32; 3]>,
    /// What values of a picture --mean and --std are for: pictures of 0 to 1, or of 0 to 255. A network that takes bytes as they
    /// are has --values 0..255 --mean 0 --std 1.
    #[arg(long, value_name = "RANGE", value_enum)]
    pub(crate) values: Option<Values>,
    /// The order in which the network takes the channels: rgb, or bgr for networks trained with OpenCV's pictures.
    #[arg(long, value_name = "ORDER", value_enum)]
    pub(crate) channels: Option<Order>,
    /// The output with the logits, where the model has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
}

/// `--values`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Values {
    /// 0 to 1.
    #[value(name = "0..1")]
    One,
    /// 0 to 255.
    #[value(name = "0..255")]
    Byte,
}

/// `--channels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl ForeignArgs {
    /// Whether any of them is given.
    pub(crate) fn is_given(&self) -> bool {
        let Self { size, mean, std, values, channels, output } = self;
        size.is_some() || mean.is_some() || std.is_some() || values.is_some() || channels.is_some() || output.is_some()
    }

    /// What they say, for values from 0 to 1.
    pub(crate) fn asked(&self) -> anyhow::Result<Asked> {
        if self.values.is_some() && (self.mean.is_none() || self.std.is_none()) {
            let hint = "a network that takes bytes as they are has --values 0..255 --mean 0 --std 1";
            return Err(BadArguments::error("expected --mean and --std with --values", hint));
        }
        let unit = if self.values == Some(Values::Byte) { 255.0 } else { 1.0 };
        let scaled = |numbers: [f32; 3]| numbers.map(|number| (f64::from(number) / unit) as f32);
        let channels = self.channels.map(|order| match order {
            Order::Rgb => Channels::Rgb,
            Order::Bgr => Channels::Bgr,
        });
        Ok(Asked { size: self.size, mean: self.mean.map(scaled), std: self.std.map(scaled), channels })
    }

    /// Reads a model to quantize: its contract from its metadata or from here, its classes from its metadata or a file.
    pub(crate) fn adopt_to_quantize(
        &self,
        path: &Path,
        classes: Option<&Path>,
    ) -> anyhow::Result<(ModelProto, ModelInput)> {
        let asked = self.asked()?;
        let model = read_model(path)?;
        let contract = Contract::of(&model, None, &asked)?;
        let named = classes.map(Classes::read).transpose()?;
        let named = named.map(|classes| classes.names().map(str::to_owned).collect::<Vec<_>>());
        let stated = graph::class_names(&model)?;
        if let (Some(stated), Some(named)) = (&stated, &named)
            && stated != named
        {
            let message = format!("expected the model's classes ({}), got {}", stated.join(", "), named.join(", "));
            let hint = "give the classes.toml that the network was trained with as --classes";
            return Err(BadArguments::error(message, hint));
        }
        let purpose = Purpose::Quantization(stated.as_ref().or(named.as_ref()).map(Vec::len));
        let size = contract.size.or(asked.size);
        let mut adopted = adopt(&model, &contract.normalisation, size, self.output.as_deref(), purpose)?;
        for note in &adopted.notes {
            tracing::info!("{note}");
        }
        contract.write(&adopted.input, &mut adopted.model)?;
        if let (None, Some(named)) = (&stated, &named) {
            adopted.model.set_metadata(metadata::CLASSES, &serde_json::to_string(named)?);
        }
        Ok((adopted.model, adopted.input))
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |(width, height): &(u32, u32)| (8..=8192).contains(width) && (8..=8192).contains(height);
    sides.filter(fits).ok_or_else(|| format!("expected a size from 8x8 to 8192x8192, such as 640x384, got `{text}`"))
}

/// Three numbers, or one for all; a fraction such as 1/255 is a number too.
fn three(text: &str) -> Result<[f32; 3], String> {
    let wrong = || format!("expected three numbers such as 0.485,0.456,0.406, or one for all, got `{text}`");
    let number = |text: &str| -> Option<f32> {
        let value = match text.split_once('/') {
            Some((above, below)) => above.trim().parse::<f64>().ok()? / below.trim().parse::<f64>().ok()?,
            None => text.trim().parse().ok()?,
        };
        Some(value as f32).filter(|value| value.is_finite())
    };
    let numbers = text.split([',', ' ']).filter(|part| !part.is_empty()).map(number).collect::<Option<Vec<f32>>>();
    match numbers.as_deref() {
        Some([one]) => Ok([*one; 3]),
        Some([first, second, third]) => Ok([*first, *second, *third]),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_one_for_all_and_fractions_are_read_and_others_are_not() {
        assert_eq!(three("0.485,0.456, 0.406").unwrap(), [0.485, 0.456, 0.406]);
        assert_eq!(three("0").unwrap(), [0.0; 3]);
        assert_eq!(three("1/255").unwrap(), [1.0 / 255.0; 3]);
        for text in ["", "1,2", "1,2,3,4", "one", "1/0", "nan", "inf,1,1"] {
            assert!(three(text).is_err(), "{text}");
        }
    }
}
