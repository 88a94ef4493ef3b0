//! How far predicted depth is from true depth.
//!
//! With prediction `p` and truth `t` over the pixels that have truth:
//!
//! ```text
//! Abs Rel = mean |p − t| / t      Sq Rel = mean (p − t)² / t      RMSE = √ mean (p − t)²
//! RMSE log = √ mean (ln p − ln t)²      δᵢ = share of pixels with max(p/t, t/p) < 1.25ⁱ
//! ```
//!
//! Scores are computed per image and averaged over images. Monocular depth has no scale of its own: with median scaling each
//! prediction is multiplied by median(t) / median(p) first.
//!
//! Reference: Eigen, Puhrsch, Fergus, *Depth Map Prediction from a Single Image*, NeurIPS 2014.

use serde::{Deserialize, Serialize};

/// The scores; lower is better but for δ.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct DepthScore {
    /// Mean absolute relative error.
    pub abs_rel: f64,
    /// Mean squared relative error, metres.
    pub sq_rel: f64,
    /// Root mean square error, metres.
    pub rmse: f64,
    /// The same of logarithms.
    pub rmse_log: f64,
    /// Share of pixels within a factor of 1.25.
    pub delta1: f64,
    /// Within 1.25².
    pub delta2: f64,
    /// Within 1.25³.
    pub delta3: f64,
}

/// Whether predictions are brought to the truth's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// Each image by its medians.
    Median,
    /// As predicted, in metres.
    None,
}

/// Predicted and true depth of the pixels that have truth, metres.
pub type Pairs = Vec<[f32; 2]>;

impl DepthScore {
    /// The scores of one image; none where it has no truth.
    #[must_use]
    pub fn of_image(pairs: &[[f32; 2]], scaling: Scaling) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let scale = match scaling {
            Scaling::None => 1.0,
            Scaling::Median => scale_of(pairs),
        };
        let mut sum = Self::default();
        for [predicted, truth] in pairs {
            sum.add(f64::from(*predicted) * scale, f64::from(*truth));
        }
        Some(sum.finish(pairs.len() as f64))
    }

    /// The mean of several images' scores; none of none.
    #[must_use]
    pub fn mean(scores: &[Self]) -> Option<Self> {
        let count = scores.len() as f64;
        let mean = |value: fn(&Self) -> f64| scores.iter().map(value).sum::<f64>() / count;
        (!scores.is_empty()).then(|| Self {
            abs_rel: mean(|score| score.abs_rel),
            sq_rel: mean(|score| score.sq_rel),
            rmse: mean(|score| score.rmse),
            rmse_log: mean(|score| score.rmse_log),
            delta1: mean(|score| score.delta1),
            delta2: mean(|score| score.delta2),
            delta3: mean(|score| score.delta3),
        })
    }

    fn add(&mut self, predicted: f64, truth: f64) {
        let error = predicted - truth;
        self.abs_rel += error.abs() / truth;
        self.sq_rel += error * error / truth;
        self.rmse += error * error;
        self.rmse_log += (predicted.ln() - truth.ln()).powi(2);
        let ratio = (predicted / truth).max(truth / predicted);
        self.delta1 += f64::from(u8::from(ratio < 1.25));
        self.delta2 += f64::from(u8::from(ratio < 1.25_f64.powi(2)));
        self.delta3 += f64::from(u8::from(ratio < 1.25_f64.powi(3)));
    }

    fn finish(self, count: f64) -> Self {
        Self {
            abs_rel: self.abs_rel / count,
            sq_rel: self.sq_rel / count,
            rmse: (self.rmse / count).sqrt(),
            rmse_log: (self.rmse_log / count).sqrt(),
            delta1: self.delta1 / count,
            delta2: self.delta2 / count,
            delta3: self.delta3 / count,
        }
    }
}

/// What brings predictions to the truth's scale: the ratio of the medians.
pub(super) fn scale_of(pairs: &[[f32; 2]]) -> f64 {
    median(pairs, 1) / median(pairs, 0)
}

fn median(pairs: &[[f32; 2]], which: usize) -> f64 {
    let mut values: Vec<f32> = pairs.iter().map(|pair| pair[which]).collect();
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    f64::from(*median).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_scores_best_at_any_scale() {
        let pairs: Pairs = (1..100).map(|i| [3.0 * i as f32, i as f32]).collect();
        let score = DepthScore::of_image(&pairs, Scaling::Median).unwrap();
        assert!(score.abs_rel < 1e-6 && score.rmse < 1e-4 && score.delta1 == 1.0);
        assert!((DepthScore::of_image(&pairs, Scaling::None).unwrap().abs_rel - 2.0).abs() < 1e-6);
    }

    #[test]
    fn the_scores_are_those_of_the_formulas() {
        let score = DepthScore::of_image(&[[2.0, 4.0], [9.0, 8.0]], Scaling::None).unwrap();
        assert!((score.abs_rel - (0.5 + 0.125) / 2.0).abs() < 1e-9);
        assert!((score.sq_rel - (1.0 + 0.125) / 2.0).abs() < 1e-9);
        assert!((score.rmse - 2.5_f64.sqrt()).abs() < 1e-9);
        assert_eq!((score.delta1, score.delta3), (0.5, 0.5));
    }

    #[test]
    fn an_image_without_truth_has_no_score() {
        assert_eq!(DepthScore::of_image(&[], Scaling::Median), None);
    }
}
