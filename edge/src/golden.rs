//! The golden check: whether a bundle still gives the mask it was packed with, and whether that is a mask at all.
//!
//! A wrong mask that was stored wrong comes out as stored. So the check also asks what no honest network fails: that the
//! logits are numbers, and that they tell the classes apart.

use std::fmt;

use parallax_core::bundle::Bundle;
use parallax_core::labels::LabelMap;
use parallax_core::model_output::{MOST_TIES, Ties};
use parallax_core::score::agreement;
use serde::Serialize;
use tract_onnx::prelude::*;

use crate::engine::Logits;
use crate::{EdgeError, Engine, Result, Worker};

/// Share of the golden mask's pixels that must come out as stored. Less than 1, because other processors sum floats in
/// another order and a pixel between two classes may then tip.
pub const GOLDEN_AGREEMENT: f64 = 0.99;

/// Integer steps between two logits that count as nearly equal in the golden check: one for each of the two. Engines may
/// round them either way (decision 0005), and the stored mask is tract's.
pub const NEAR_STEPS: u8 = 2;

/// Whether the bundle still gives the mask it was packed with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GoldenCheck {
    /// Share of pixels as stored.
    pub agreement: f64,
    /// Share of pixels as stored, or whose stored class is at most [`NEAR_STEPS`] integer steps below the largest; for a
    /// model that gives float the same as `agreement`.
    pub agreement_but_for_ties: f64,
    /// Share of pixels whose largest logit two classes share: their class is the first of them, whatever is seen.
    pub ties: f64,
    /// The part of `ties` that rounding does not explain ([`Ties::unexplained`]).
    pub unexplained_ties: f64,
    /// Whether the mask is as stored, and no more than [`MOST_TIES`] of it are ties that rounding does not explain.
    pub reproduced: bool,
}

impl GoldenCheck {
    /// # Errors
    /// [`EdgeError::NotGolden`] where the mask was not reproduced.
    pub fn expect(self, bundle: &Bundle) -> Result<()> {
        let bundle = bundle.path().to_path_buf();
        if self.reproduced { Ok(()) } else { Err(EdgeError::NotGolden { found: self, bundle }) }
    }
}

impl fmt::Display for GoldenCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agreement, agreement_but_for_ties, ties, unexplained_ties, reproduced } = *self;
        let word = if reproduced { "reproduced" } else { "NOT reproduced" };
        write!(formatter, "{word}: {:.3} % of the mask as stored", 100.0 * agreement)?;
        if agreement_but_for_ties > agreement {
            write!(formatter, ", {:.3} % but for ties of logits", 100.0 * agreement_but_for_ties)?;
        }
        if unexplained_ties > MOST_TIES {
            write!(formatter, "; the network tells no classes apart in {:.1} % of it (equal logits)", 100.0 * ties)?;
        }
        Ok(())
    }
}

/// Runs the golden frame and compares the mask with the stored one.
///
/// # Errors
/// The engine fails or gives no numbers, or a golden picture cannot be decoded.
pub fn check_golden(bundle: &Bundle, engine: &Engine) -> Result<GoldenCheck> {
    let frame = bundle.golden_frame()?;
    let stored = bundle.golden_mask()?;
    let mut worker = Worker::new(engine)?;
    let (mask, _stages) = worker.segment(&frame)?;
    let values = mask.indices.iter().map(|class| engine.classes().picture_value(*class)).collect();
    let found = LabelMap { width: mask.width, height: mask.height, indices: values };
    if stored.dimensions() != (found.width, found.height) {
        let (expected, found) = ((found.width, found.height), stored.dimensions());
        return Err(parallax_core::Error::SizeMismatch { what: "golden mask and the network", expected, found }.into());
    }
    let stored = LabelMap { width: found.width, height: found.height, indices: stored.into_raw() };
    let agreement = agreement(&stored, &found);
    let run_error = |error: TractError| engine.run_error(&error);
    let outputs = worker.infer(&frame)?;
    let logits = outputs[0].try_as_plain_ram().map_err(run_error)?;
    let (agreement_but_for_ties, ties) = match engine.logits() {
        Logits::Float => {
            let logits = logits.as_slice::<f32>().map_err(run_error)?;
            (agreement, Ties::of_planes(logits, engine.classes().len()))
        }
        Logits::Integers(shape, _) => {
            let pixels = || logits.as_slice::<u8>().map(|logits| logits.chunks_exact(shape.channels));
            let near = |(value, logits): (&u8, &[u8])| {
                let class = (0..logits.len()).find(|class| engine.classes().picture_value(*class as u8) == *value);
                let largest = logits.iter().max().copied().unwrap_or_default();
                class.is_some_and(|class| largest - logits[class] <= NEAR_STEPS)
            };
            let alike = stored.indices.iter().zip(pixels().map_err(run_error)?).filter(|pixel| near(*pixel)).count();
            let ties =
                Ties::of_pixels(pixels().map_err(run_error)?.map(|logits| logits.iter().copied().map(f32::from)));
            (alike as f64 / shape.pixels() as f64, ties)
        }
    };
    let reproduced = agreement_but_for_ties >= GOLDEN_AGREEMENT && ties.unexplained <= MOST_TIES;
    let (ties, unexplained_ties) = (ties.share, ties.unexplained);
    Ok(GoldenCheck { agreement, agreement_but_for_ties, ties, unexplained_ties, reproduced })
}
