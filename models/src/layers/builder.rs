//! First weights of a network: the same seed gives the same weights on every device.
//!
//! Weights are drawn on the host (`SplitMix64` and Box–Muller) and not by the device's generator, whose stream differs
//! between devices and depends on the order in which lazy parameters are first touched. Parameters also get identities
//! counted from the network's name instead of random ones, so that a saved optimizer state finds its parameters again
//! in a network built later.

use burn::module::{Flag, Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

/// Makes parameters: draws their values, numbers them, puts them on the device.
#[derive(Debug)]
pub struct Builder<'device> {
    device: &'device Device,
    random: u64,
    next_id: u64,
}

impl<'device> Builder<'device> {
    /// A builder for the network part called `name` (for example `"depth"`); parts that are optimised together need
    /// different names.
    pub fn new(name: &str, seed: u64, device: &'device Device) -> Self {
        Self { device, random: seed ^ fnv1a(name), next_id: first_id(name) }
    }

    /// The device parameters are made on.
    pub fn device(&self) -> &'device Device {
        self.device
    }

    /// A trainable parameter, normally distributed around zero.
    pub(crate) fn normal<const D: usize>(&mut self, shape: [usize; D], deviation: f64) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| (self.next_normal() * deviation) as f32).collect();
        self.parameter(values, shape)
    }

    /// A trainable parameter with one value everywhere.
    pub(crate) fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.parameter(vec![value; shape.iter().product()], shape)
    }

    /// The next parameter identity.
    pub(crate) fn next_id(&mut self) -> ParamId {
        self.next_id += 1;
        ParamId::from(self.next_id)
    }

    fn parameter<const D: usize>(&mut self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        let mut parameter = Param::from_data(TensorData::new(values, shape), self.device);
        parameter.id = self.next_id();
        parameter
    }

    /// `SplitMix64`: Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, 2014.
    fn next_unit(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn next_normal(&mut self) -> f64 {
        let radius = (-2.0 * self.next_unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.next_unit()).cos()
    }
}

/// Numbers a module's parameters anew from a name, so that its identities do not depend on where its parts came from.
pub(crate) fn renumbered<M: Module>(module: M, name: &str) -> M {
    module.map(&mut Numbering { last: first_id(name) })
}

struct Numbering {
    last: u64,
}

impl Numbering {
    fn next(&mut self) -> ParamId {
        self.last += 1;
        ParamId::from(self.last)
    }
}

impl ModuleMapper for Numbering {
    fn map_float<const D: usize>(&mut self, mut param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.id = self.next();
        param
    }

    fn map_flag(&mut self, mut param: Param<Flag>) -> Param<Flag> {
        param.id = self.next();
        param
    }
}

fn first_id(name: &str) -> u64 {
    fnv1a(name) & !0xffff_ffff
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_weights_have_the_asked_spread_and_repeat_with_the_seed() {
        let device = Device::flex();
        let draw = |seed| Builder::new("depth", seed, &device).normal([10_000], 0.5);
        let values = draw(1).val().to_data().try_to_vec::<f32>().unwrap();
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 1e4;
        assert!((variance - 0.25).abs() < 0.01, "variance {variance}");
        assert_eq!(values, draw(1).val().to_data().try_to_vec::<f32>().unwrap());
        assert_ne!(values, draw(2).val().to_data().try_to_vec::<f32>().unwrap());
        assert_eq!(draw(1).id, draw(2).id);
    }
}
