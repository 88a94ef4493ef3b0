//! InfoNCE: which of many keys belongs to the query?
//!
//! ```text
//! L = mean over queries of  − log( exp(q·k⁺ / τ) / ( exp(q·k⁺ / τ) + Σ_{k in queue} exp(q·k / τ) ) )
//! ```
//!
//! Reference: van den Oord, Li, Vinyals, *Representation Learning with Contrastive Predictive Coding*, 2018; in this
//! form He et al., *Momentum Contrast for Unsupervised Visual Representation Learning*, CVPR 2020, eq. 1.

use burn::tensor::{Tensor, activation::log_softmax};

/// The loss, `[1]`; zero when every query is infinitely more like its own key than like the queue.
///
/// # Shapes
/// - `queries`, `keys`: `[batch, numbers]`, of length one; key `i` belongs to query `i`
/// - `queue`: `[length, numbers]`, keys of other pictures
#[must_use]
pub fn info_nce(queries: Tensor<2>, keys: Tensor<2>, queue: Tensor<2>, temperature: f64) -> Tensor<1> {
    let own = (queries.clone() * keys).sum_dim(1);
    let others = queries.matmul(queue.transpose());
    let logits = Tensor::cat(vec![own, others], 1) / temperature;
    -log_softmax(logits, 1).narrow(1, 0, 1).mean()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    const TEMPERATURE: f64 = 0.2;

    fn loss(queries: [[f32; 2]; 2]) -> (f64, Vec<f32>) {
        let device = Device::flex().autodiff();
        let queries = Tensor::<2>::from_floats(queries, &device).require_grad();
        let keys = Tensor::from_floats([[0.6, 0.8], [0.0, 1.0]], &device.clone().inner());
        let queue = Tensor::from_floats([[-1.0, 0.0], [0.8, -0.6], [0.0, 1.0]], &device.inner());
        let loss = info_nce(queries.clone(), keys, queue, TEMPERATURE);
        let gradients = loss.backward();
        let gradient = queries.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
        (f64::from(loss.into_scalar::<f32>()), gradient)
    }

    #[test]
    fn two_queries_against_three_others_come_out_as_by_hand() {
        // Similarities by hand: (1, 0) has 0.6 | -1, 0.8, 0; (0, 1) has 1 | 0, -0.6, 1.
        let one = |own: f64, others: [f64; 3]| {
            let part = |similarity: f64| (similarity / TEMPERATURE).exp();
            -(part(own) / (part(own) + others.into_iter().map(part).sum::<f64>())).ln()
        };
        let expected = 0.5 * (one(0.6, [-1.0, 0.8, 0.0]) + one(1.0, [0.0, -0.6, 1.0]));
        let (found, _) = loss([[1.0, 0.0], [0.0, 1.0]]);
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    #[test]
    fn a_network_that_tells_nothing_apart_pays_the_logarithm_of_the_choices() {
        let device = Device::flex();
        let same = |count: usize| Tensor::<2>::ones([count, 4], &device) * 0.5;
        let loss: f32 = info_nce(same(3), same(3), same(7), TEMPERATURE).into_scalar();
        assert!((loss - 8.0_f32.ln()).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        let queries = [[0.8, 0.6], [-0.28, 0.96]];
        let (_, gradient) = loss(queries);
        let step = 1e-3;
        for entry in 0..4 {
            let moved = |by: f32| {
                let mut moved = queries;
                moved[entry / 2][entry % 2] += by;
                loss(moved).0
            };
            let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            assert!((f64::from(gradient[entry]) - numeric).abs() < 2e-3, "{entry}: {} {numeric}", gradient[entry]);
        }
    }
}
