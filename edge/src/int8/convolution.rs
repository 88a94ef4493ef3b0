//! The Conv of a QDQ file: u8 picture, s8 weights, s32 bias, each behind a DequantizeLinear.

use std::sync::Arc;

use parallax_kernels::addition::Grid;
use parallax_kernels::convolution::{Convolution, ConvolutionConfig};
use parallax_kernels::depthwise::{Depthwise, DepthwiseConfig};
use parallax_kernels::requantization::Requantization;
use parallax_kernels::shape::{Padding, Window};
use parallax_onnx::NodeProto;

use super::operator::{Finish, Kernel};
use super::rearrangement::PaddedInput;
use super::recognition::{Planned, Quantized, Recognition, Refusal, SHIFT, because, window};

/// Largest relative difference between a bias' scale and input scale · weight scale: both are rounded to single precision.
const BIAS_SCALE_TOLERANCE: f32 = 1e-5;

struct Weights {
    shape: [usize; 4],
    integers: Vec<i8>,
    /// One per output channel.
    scales: Vec<f32>,
}

impl Recognition<'_> {
    pub(super) fn plan_convolution(
        &mut self,
        at: usize,
        node: &NodeProto,
        grid: Grid,
        range: (u8, u8),
    ) -> Result<Planned, Refusal> {
        let weights = self.weights(node)?;
        let [_, _, rows, columns] = weights.shape;
        let own = window(node, [rows, columns])?;
        let mut padded = self.padded_input(at, node)?;
        let pads_itself = own.before != [0; 2] || own.after != [0; 2];
        if pads_itself && padded.label != "Conv" && padded.padding != Padding::ZeroPoint {
            // A border of zeros around a mirrored one is not a padding that a convolution makes.
            let picture = self.read(node, 0).map_err(|_| "its input is padded twice, in two ways".to_owned())?;
            padded = PaddedInput::plain(picture);
        }
        let PaddedInput { picture, padding, before, after, border, label } = padded;
        let sum = |one: [usize; 2], two: [usize; 2]| [0, 1].map(|axis| one[axis].saturating_add(two[axis]));
        let window = Window { before: sum(own.before, before), after: sum(own.after, after), ..own };
        let bias = self.bias(node, picture.grid.scale, &weights.scales)?;
        let groups = node.integer("group", 1);
        let kernel = self.convolution(&picture, weights, &bias, (window, padding, groups), (grid, range))?;
        self.check_promise(node, &kernel)?;
        if let Some(border) = border {
            self.planned.remove(&border);
        }
        Ok(Planned::new(label, vec![picture.tensor], kernel))
    }

    fn convolution(
        &self,
        picture: &Quantized,
        weights: Weights,
        bias: &[i32],
        (window, padding, groups): (Window, Padding, i64),
        (grid, range): (Grid, (u8, u8)),
    ) -> Result<Kernel, Refusal> {
        let Weights { shape: [outputs, group_channels, ..], integers, scales } = weights;
        let multipliers = scales.iter().map(|scale| picture.grid.scale * scale / grid.scale).collect();
        let requantization = Requantization { multipliers, zero_point: grid.zero_point, low: range.0, high: range.1 };
        let (input, input_zero_point, channels) = (picture.shape, picture.grid.zero_point, picture.shape.channels);
        let (isa, threads) = (self.isa, self.team.threads());
        match groups {
            1 if group_channels == channels => {
                let config = ConvolutionConfig { input, outputs, window, padding, input_zero_point, requantization };
                let convolution = Convolution::new(config, &integers, bias, isa, threads).map_err(because)?;
                Ok(Kernel::Convolution(Arc::new(convolution), Finish::default()))
            }
            groups if groups == channels as i64 && outputs == channels && group_channels == 1 => {
                let config = DepthwiseConfig { input, window, padding, input_zero_point, requantization };
                let depthwise = Depthwise::new(config, &integers, bias, isa, threads).map_err(because)?;
                Ok(Kernel::Depthwise(Arc::new(depthwise), Finish::default()))
            }
            groups => Err(format!("it has {groups} groups for {channels} channels in and {outputs} out")),
        }
    }

    fn weights(&self, node: &NodeProto) -> Result<Weights, Refusal> {
        let dequantize = self.constant_behind(node, 1).ok_or("its weights are not quantized constants")?;
        let name = dequantize.input_at(0).unwrap_or_default();
        // u8 weights around 128 are s8 weights around 0.
        let integers = self.shifted_bytes(name).ok_or("its weights are neither s8 nor u8")?;
        let integers: Vec<i8> = integers.into_iter().map(|byte| (byte ^ SHIFT).cast_signed()).collect();
        let shape = self.graph.constant_shape(name).and_then(|shape| shape.try_into().ok());
        let shape: [usize; 4] = shape.ok_or("its weights are not those of a picture")?;
        let symmetric = match dequantize.input_at(2) {
            Some(zero_points) => {
                let zero_points =
                    self.shifted_bytes(zero_points).ok_or("its weights' zero point is neither s8 nor u8")?;
                zero_points.iter().all(|zero_point| *zero_point == SHIFT)
            }
            None => self.graph.signed_bytes(name).is_some(),
        };
        if !symmetric {
            return Err("its weights are not symmetric".to_owned());
        }
        let scales = dequantize.input_at(1).and_then(|name| self.graph.floats(name));
        let mut scales = scales.ok_or("its weights' scales are not constant")?;
        if scales.len() == 1 {
            scales = vec![scales[0]; shape[0]];
        } else if dequantize.integer("axis", 1) != 0 || scales.len() != shape[0] {
            return Err("its weights' scales are not one per output channel".to_owned());
        }
        if dequantize.integer("block_size", 0) != 0 {
            return Err("its weights are quantized in blocks".to_owned());
        }
        Ok(Weights { shape, integers, scales })
    }

    fn bias(&self, node: &NodeProto, input_scale: f32, scales: &[f32]) -> Result<Vec<i32>, Refusal> {
        if node.input_at(2).is_none() {
            return Ok(vec![0; scales.len()]);
        }
        let dequantize = self.constant_behind(node, 2).ok_or("its bias is not a quantized constant")?;
        let integers = dequantize.input_at(0).and_then(|name| self.graph.integers(name));
        let integers = integers.ok_or("its bias is not s32")?;
        let zero_point = dequantize.input_at(2).map(|name| self.graph.integers(name));
        if zero_point.is_some_and(|zero| zero.is_none_or(|zero| zero.iter().any(|zero| *zero != 0))) {
            return Err("its bias has a zero point".to_owned());
        }
        let found = dequantize.input_at(1).and_then(|name| self.graph.floats(name)).unwrap_or_default();
        let fits = |(index, scale): (usize, &f32)| {
            let expected = input_scale * scale;
            let found = if found.len() == 1 { found.first() } else { found.get(index) };
            found.is_some_and(|found| (found - expected).abs() <= BIAS_SCALE_TOLERANCE * expected.abs())
        };
        if !scales.iter().enumerate().all(fits) {
            return Err("its bias' scale is not input scale · weight scale".to_owned());
        }
        Ok(integers)
    }

    /// The DequantizeLinear of a constant that an operator reads as its input `index`.
    pub(super) fn constant_behind(&self, node: &NodeProto, index: usize) -> Option<&NodeProto> {
        let (_, dequantize) = self.graph.writer(node.input_at(index)?)?;
        let constant = self.graph.is_constant(dequantize.input_at(0)?);
        (dequantize.op_type == "DequantizeLinear" && constant).then_some(dequantize)
    }
}
