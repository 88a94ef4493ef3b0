//! A network moved towards another one of the same form, parameter by parameter.
//!
//! ```text
//! target <- (1 - share) target + share source
//! ```
//!
//! Share 1 takes over the source's numbers and keeps the target's identities, device and whether it trains: a transfer
//! whose optimizer state is found again. A small share is one step of a moving average over training. Running
//! statistics of batch norms are parameters here and move along.
//!
//! Reference: He et al., *Momentum Contrast for Unsupervised Visual Representation Learning*, CVPR 2020, eq. 2 (the
//! moving average).

use std::collections::VecDeque;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// `target` with `share` of `source` in every parameter and running statistic.
///
/// # Panics
/// When the two differ in form.
pub fn blended<M: Module>(target: M, source: &M, share: f32) -> M {
    let mut values = Values::default();
    source.valid().visit(&mut values);
    target.map(&mut Blend { values, share })
}

/// All numbers of a module in the order of its parameters, flattened, without gradients.
#[derive(Default)]
struct Values(VecDeque<Tensor<1>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let count = value.shape().num_elements();
        self.0.push_back(value.reshape([count]));
    }
}

struct Blend {
    values: Values,
    share: f32,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let source = self.values.0.pop_front().expect("both modules have the same form");
        let share = self.share;
        param.map(|target| {
            let (learns, device, dims) = (target.is_require_grad(), target.device(), target.dims());
            let source = source.reshape(dims).to_device(&device.without_autodiff());
            // With share 1 the sum is the source to the bit.
            (target.detach() * (1.0 - share) + source * share).detach().set_require_grad(learns)
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::layers::{Builder, Conv2d, ConvShape};

    fn conv(seed: u64, device: &Device) -> Conv2d {
        ConvShape::new(2, 3, 3).init(&mut Builder::new("test", seed, device))
    }

    fn weights(conv: &Conv2d) -> Vec<f32> {
        conv.weight.val().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn one_step_goes_the_stated_share_of_the_way() {
        let device = Device::flex();
        let (target, source) = (conv(1, &device), conv(2, &device.clone().autodiff()));
        let moved = blended(target.clone(), &source, 0.25);
        for ((moved, target), source) in weights(&moved).iter().zip(weights(&target)).zip(weights(&source)) {
            assert!((moved - (0.75 * target + 0.25 * source)).abs() < 1e-6);
        }
        assert!(!moved.weight.val().is_require_grad(), "what has no gradients gets none");
    }

    #[test]
    fn the_whole_way_takes_over_every_number_and_keeps_identity_and_training() {
        let (plain, learning) = (Device::flex(), Device::flex().autodiff());
        let (target, source) = (conv(1, &learning), conv(2, &plain));
        let moved = blended(target.clone(), &source, 1.0);
        assert_eq!(weights(&moved), weights(&source));
        assert_eq!(moved.weight.id, target.weight.id);
        assert!(moved.weight.val().is_require_grad());
        let gradients = moved.weight.val().sum().backward();
        assert!(moved.weight.val().grad(&gradients).is_some());
    }
}
