//! Finds the number that is none where it arises: in a term of the loss, in a gradient, in a weight.
//!
//! A loss can be finite while a gradient is not (a square root at 0), and a weight once spoiled spoils every later step. So
//! terms and gradients are looked at in every step, before the weights change, and weights before they are saved.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::StepLoss;
use crate::Error;

/// Refuses a loss with a term that is not a number.
pub(super) fn check_loss(loss: &StepLoss, step: u64, batch: impl Fn() -> String) -> Result<(), Error> {
    match loss.terms.iter().find(|term| !term.value.is_finite()) {
        None => Ok(()),
        Some(term) => Err(Error::NotFinite { step, term: term.name.into(), value: term.value, batch: batch() }),
    }
}

/// Refuses a loss on the validation footage that is not a number.
pub(super) fn check_validation(loss: Option<f64>, step: u64) -> Result<(), Error> {
    match loss.filter(|loss| !loss.is_finite()) {
        None => Ok(()),
        Some(value) => {
            Err(Error::NotFinite { step, term: "validation".into(), value, batch: "the validation footage".into() })
        }
    }
}

/// Refuses gradients of which one is not a number, and names its parameter.
pub(super) fn check_gradients<M: Module>(
    model: &M,
    gradients: &GradientsParams,
    step: u64,
    batch: impl Fn() -> String,
) -> Result<(), Error> {
    match first_not_finite(model, Some(gradients))? {
        None => Ok(()),
        Some((name, value)) => {
            Err(Error::NotFinite { step, term: format!("the gradient of {name}"), value, batch: batch() })
        }
    }
}

/// Refuses a model with a weight or a running statistic that is not a number, and names it.
pub(super) fn check_weights<M: Module>(model: &M, step: u64) -> Result<(), Error> {
    match first_not_finite(model, None)? {
        None => Ok(()),
        Some((name, value)) => {
            let batch = "the batches since the last checkpoint".into();
            Err(Error::NotFinite { step, term: format!("the weight {name}"), value, batch })
        }
    }
}

/// Name and sum of squares of the first tensor whose sum of squares is not finite; all sums come back from the device in
/// one go. Squares overflow at 1e19: numbers of that size are no better than none.
fn first_not_finite<M: Module>(model: &M, gradients: Option<&GradientsParams>) -> Result<Option<(String, f64)>, Error> {
    let mut squares = Squares { gradients, path: Vec::new(), names: Vec::new(), sums: Vec::new() };
    model.visit(&mut squares);
    if squares.sums.is_empty() {
        return Ok(None);
    }
    let sums = Tensor::cat(squares.sums, 0).try_into_vec_as::<f32>().map_err(|error| Error::Device {
        what: format!("the device gave no result: {error}"),
        hint: "try --device cpu",
    })?;
    let found = squares.names.into_iter().zip(sums).find(|(_, sum)| !sum.is_finite());
    Ok(found.map(|(name, sum)| (name, f64::from(sum))))
}

/// Collects the sum of squares of every weight, or of every weight's gradient.
struct Squares<'a> {
    gradients: Option<&'a GradientsParams>,
    path: Vec<String>,
    names: Vec<String>,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = match self.gradients {
            None => Some(param.val().inner()),
            Some(gradients) => gradients.get::<D>(param.id),
        };
        if let Some(tensor) = tensor {
            self.names.push(self.path.join("."));
            self.sums.push(tensor.square().sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::LossTerm;
    use burn::tensor::Device;
    use parallax_models::Network;

    #[test]
    fn a_loss_that_is_not_a_number_names_its_term_and_its_batch() {
        let terms = vec![LossTerm { name: "stereo", value: 0.1 }, LossTerm { name: "smoothness", value: f64::NAN }];
        let loss = StepLoss { objective: Tensor::zeros([1], &Device::flex()), terms };
        let error = check_loss(&loss, 7, || "frame 3 of drive.mcap".into()).unwrap_err().to_string();
        assert!(error.contains("step 7") && error.contains("smoothness") && error.contains("frame 3"), "{error}");
    }

    #[test]
    fn a_gradient_that_is_not_a_number_names_its_parameter() {
        let model = Network::Slim.depth(1, &Device::flex().autodiff());
        let disparity = || model.finest_disparity(Tensor::ones([1, 3, 32, 32], &Device::flex()));
        let good = GradientsParams::from_grads(disparity().sum().backward(), &model);
        assert!(check_gradients(&model, &good, 0, String::new).is_ok());
        // The slope of the square root is infinite at 0.
        let spoiled = disparity();
        let spoiled = (spoiled.clone() - spoiled.detach()).sqrt().sum();
        assert_eq!(spoiled.clone().into_scalar::<f32>(), 0.0);
        let bad = GradientsParams::from_grads(spoiled.backward(), &model);
        let error = check_gradients(&model, &bad, 4, || "frame 3".into()).unwrap_err().to_string();
        assert!(error.contains("the gradient of encoder.") && error.contains("frame 3"), "{error}");
    }

    #[test]
    fn a_weight_that_is_not_a_number_is_named() {
        let mut model = Network::Slim.depth(1, &Device::flex().autodiff());
        assert!(check_weights(&model, 0).is_ok());
        model.predictors[0] = model.predictors[0].clone().map(&mut Spoil);
        let error = check_weights(&model, 9).unwrap_err().to_string();
        assert!(error.contains("the weight predictors.0.") && error.contains("step 9"), "{error}");
    }

    struct Spoil;
    impl burn::module::ModuleMapper for Spoil {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| tensor.mul_scalar(f32::NAN))
        }
    }
}
