//! Batch normalisation as PyTorch does it.
//!
//! ```text
//! training:  y = (x - mean(batch)) / sqrt(var(batch) + eps) * weight + bias
//!            running_mean <- 0.9 running_mean + 0.1 mean(batch)
//!            running_var  <- 0.9 running_var  + 0.1 var(batch) n / (n - 1)
//! otherwise: the running statistics take the batch's place
//! ```
//!
//! burn's own module keeps the *biased* variance, and its running statistics are shared between clones: moving a clone
//! to another device moves the original's too, and reading them lags one step behind. Hence this one.
//!
//! Whether it trains is explicit: on an autodiff device it does unless frozen by
//! [`Module::freeze`](burn::module::Module::freeze); then it neither looks at the batch nor updates anything.
//!
//! Reference: Ioffe, Szegedy, *Batch Normalization*, 2015.

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{
    Content, Devices, Flag, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId,
};
use burn::tensor::{Device, Tensor, module};

use super::Builder;

/// Share of the new batch in the running statistics: PyTorch's default, which torchvision's weights were made with.
const MOMENTUM: f64 = 0.1;
/// Keeps the square root away from zero: PyTorch's default.
pub(crate) const EPSILON: f64 = 1e-5;

/// Batch normalisation over `[batch, channels, height, width]`.
#[derive(Module, Debug)]
pub struct BatchNorm2d {
    /// Scale per channel, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Offset per channel, `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Running mean, `[channels]`.
    pub running_mean: RunningStatistic,
    /// Running unbiased variance, `[channels]`.
    pub running_var: RunningStatistic,
    training: Param<Flag>,
}

impl BatchNorm2d {
    /// Scale one, offset zero, running mean zero, running variance one.
    pub fn new(channels: usize, builder: &mut Builder<'_>) -> Self {
        let mut training = Param::from_bool(true);
        training.id = builder.next_id();
        Self {
            weight: builder.constant([channels], 1.0),
            bias: builder.constant([channels], 0.0),
            running_mean: RunningStatistic::new(builder.next_id(), Tensor::zeros([channels], builder.device())),
            running_var: RunningStatistic::new(builder.next_id(), Tensor::ones([channels], builder.device())),
            training,
        }
    }

    /// Normalises; in training also updates the running statistics.
    ///
    /// # Shapes
    /// - `input` and result: `[batch, channels, height, width]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        if input.device().is_autodiff() && self.training.is_enabled() {
            self.forward_training(input)
        } else {
            let (mean, variance) = (self.running_mean.value(), self.running_var.value());
            module::batch_norm(input, self.weight.val(), self.bias.val(), mean, variance, EPSILON)
        }
    }

    fn forward_training(&self, input: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = input.dims();
        let samples = (batch * height * width) as f64;
        let result = module::batch_norm_train(input, self.weight.val(), self.bias.val(), EPSILON);
        self.running_mean.blend(result.mean.detach());
        // One sample has no unbiased variance; PyTorch refuses it, here the biased one (zero) stands in.
        self.running_var.blend(result.variance.detach() * (samples / (samples - 1.0).max(1.0)));
        result.output
    }
}

/// A value the forward pass updates and the optimizer does not.
///
/// A clone has its own value.
#[derive(Debug)]
pub struct RunningStatistic {
    id: ParamId,
    value: Mutex<Tensor<1>>,
}

impl RunningStatistic {
    fn new(id: ParamId, value: Tensor<1>) -> Self {
        Self { id, value: Mutex::new(value) }
    }

    /// The present value, `[channels]`.
    pub fn value(&self) -> Tensor<1> {
        self.lock().clone()
    }

    fn blend(&self, observed: Tensor<1>) {
        let mut value = self.lock();
        *value = (value.clone() * (1.0 - MOMENTUM) + observed * MOMENTUM).detach();
    }

    fn lock(&self) -> MutexGuard<'_, Tensor<1>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(self, change: impl FnOnce(Tensor<1>) -> Tensor<1>) -> Self {
        let value = self.value.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self::new(self.id, change(value))
    }
}

impl Clone for RunningStatistic {
    fn clone(&self) -> Self {
        Self::new(self.id, self.value())
    }
}

impl Module for RunningStatistic {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_float(&Param::initialized(self.id, self.value()));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let mapped = mapper.map_float(Param::initialized(self.id, self.value()));
        // A mapper may ask for gradients; a running statistic never has any.
        Self::new(mapped.id, mapped.into_value().set_require_grad(false))
    }

    fn to_device(self, device: &Device) -> Self {
        self.with(|value| value.to_device(device))
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn collect_devices(&self, mut devices: Devices) -> Devices {
        let device = self.value().device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }

    fn materialize(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        self.clone().with(Tensor::without_autodiff)
    }

    fn train(self) -> Self {
        self.with(Tensor::autodiff)
    }
}

impl ModuleDisplayDefault for RunningStatistic {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&format!("RunningStatistic({})", self.id)).optional()
    }
}

impl ModuleDisplay for RunningStatistic {}

impl std::fmt::Display for RunningStatistic {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RunningStatistic({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn input(device: &Device) -> Tensor<4> {
        Tensor::from_floats([[[[1.0, 3.0]]], [[[2.0, 6.0]]]], device)
    }

    fn only(value: &Tensor<1>) -> f32 {
        value.to_data().try_to_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn running_variance_is_unbiased_as_in_pytorch() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm2d::new(1, &mut Builder::new("test", 0, &device));
        norm.forward(input(&device));
        // mean 3, sum of squares 14, unbiased variance 14 / 3
        assert!((only(&norm.running_mean.value()) - 0.3).abs() < 1e-6);
        assert!((only(&norm.running_var.value()) - (0.9 + 0.1 * 14.0 / 3.0)).abs() < 1e-6);
    }

    #[test]
    fn a_frozen_batch_norm_ignores_the_batch_inside_an_autodiff_graph() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm2d::new(1, &mut Builder::new("test", 0, &device)).freeze();
        let output = norm.forward(input(&device)).to_data().try_to_vec::<f32>().unwrap();
        for (value, expected) in output.iter().zip([1.0, 3.0, 2.0, 6.0]) {
            assert!((value - expected).abs() < 1e-4, "{output:?}");
        }
        assert_eq!(only(&norm.running_mean.value()), 0.0);
        assert_eq!(only(&norm.running_var.value()), 1.0);
    }

    #[test]
    fn a_clone_keeps_its_own_statistics() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm2d::new(1, &mut Builder::new("test", 0, &device));
        let clone = norm.clone();
        norm.forward(input(&device));
        assert_eq!(only(&clone.running_mean.value()), 0.0);
        assert!((only(&norm.valid().running_mean.value()) - 0.3).abs() < 1e-6);
    }
}
