//! Signal-to-noise ratio per layer: the float model against the int8 model on the same frames.
//!
//! ```text
//! SNR = 10 · log10( Σ x² / Σ (x − x̂)² )  dB, over every value of the tensor on every held frame
//! ```
//!
//! Two numbers per tensor: `accumulated`, where x̂ comes from the int8 model and carries the noise of everything before
//! it, and `own`, where x̂ is the float tensor rounded once. A layer that loses much on its own needs another range; one
//! that loses only accumulated noise does not.

use std::collections::HashMap;

use parallax_onnx::ModelProto;

use super::affine::{Affine, snr_db};
use super::rewrite::Rewritten;
use super::runner::Runner;
use super::{Result, graph};

/// The noise of one tensor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Noise {
    signal: f64,
    accumulated: f64,
    own: f64,
}

impl Noise {
    /// SNR in the running int8 model, in dB.
    pub fn accumulated_snr_db(&self) -> f64 {
        snr_db(self.signal, self.accumulated)
    }

    /// SNR of rounding this tensor alone, in dB.
    pub fn own_snr_db(&self) -> f64 {
        snr_db(self.signal, self.own)
    }

    fn add(&mut self, float: &[f32], int8: &[f32], grid: Affine) {
        for (x, y) in float.iter().zip(int8) {
            let x = f64::from(*x);
            let rounded = f64::from(grid.dequantize(grid.quantize(x as f32)));
            self.signal += x * x;
            self.accumulated += (x - f64::from(*y)).powi(2);
            self.own += (x - rounded).powi(2);
        }
    }
}

/// The noise of every quantized tensor, and how often the models' answers agree.
#[derive(Debug, Clone, Default)]
pub struct LayerNoise {
    /// By the tensor's name in the float model.
    pub tensors: HashMap<String, Noise>,
    /// Noise of the model's first output.
    pub output: Noise,
    /// Share of pixels with the same largest class in both models, for an output with several channels.
    pub agreement: Option<f64>,
    /// Frames compared.
    pub frames: usize,
}

impl LayerNoise {
    /// SNR of the model's output, in dB.
    pub fn output_snr_db(&self) -> f64 {
        self.output.accumulated_snr_db()
    }
}

/// Runs both models on every frame.
///
/// # Errors
/// A model that tract cannot run, or a frame of the wrong size.
pub fn compare(float: &ModelProto, int8: &Rewritten, frames: &[Vec<f32>]) -> Result<LayerNoise> {
    let input = graph::inputs(graph::graph(float)?)?;
    let mut names: Vec<String> = int8.dequantized.keys().filter(|name| *name != input).cloned().collect();
    names.sort_unstable();
    let dequantized: Vec<String> = names.iter().map(|name| int8.dequantized[name].clone()).collect();
    let float_inner = Runner::with_outputs(float, &names)?;
    let int8_inner = Runner::with_outputs(&int8.model, &dequantized)?;
    let (float_whole, int8_whole) = (Runner::new(float)?, Runner::new(&int8.model)?);
    let mut noise = LayerNoise { frames: frames.len(), ..LayerNoise::default() };
    let (mut same, mut pixels) = (0_usize, 0_usize);
    let input_grid = int8.grid.of(input)?;
    for frame in frames {
        let rounded: Vec<f32> = frame.iter().map(|x| input_grid.dequantize(input_grid.quantize(*x))).collect();
        noise.tensors.entry(input.to_owned()).or_default().add(frame, &rounded, input_grid);
        let outputs = float_inner.run(frame)?.into_iter().zip(int8_inner.run(frame)?);
        for (name, (float, int8_output)) in names.iter().zip(outputs) {
            let tensor = noise.tensors.entry(name.clone()).or_default();
            tensor.add(float.values()?, int8_output.values()?, int8.grid.of(name)?);
        }
        let (float, int8_output) = (float_whole.run(frame)?, int8_whole.run(frame)?);
        let (a, b) = (float[0].values()?, int8_output[0].values()?);
        // The output's own grid is among the tensors; here only the whole way counts.
        noise.output.add(a, b, Affine { scale: 1.0, zero_point: 0 });
        let classes = float[0].shape().get(1).copied().unwrap_or(1);
        if classes > 1 {
            same += agreeing_pixels(a, b, classes);
            pixels += a.len() / classes;
        }
    }
    noise.agreement = (pixels > 0).then(|| same as f64 / pixels as f64);
    Ok(noise)
}

/// Pixels of `[classes, pixels]` logits whose largest class is the same in both.
fn agreeing_pixels(a: &[f32], b: &[f32], classes: usize) -> usize {
    let pixels = a.len() / classes;
    let largest =
        |logits: &[f32], pixel: usize| {
            (1..classes).fold(0, |best, class| {
                if logits[class * pixels + pixel] > logits[best * pixels + pixel] { class } else { best }
            })
        };
    (0..pixels).filter(|pixel| largest(a, *pixel) == largest(b, *pixel)).count()
}
