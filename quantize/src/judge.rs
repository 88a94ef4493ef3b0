//! How good a model's answers are: against the float model's, and against the user's labels.
//!
//! The float model runs once on every picture; each other model is then compared with what it gave. Masks are scored as
//! `parallax-train evaluate` and the board score them: at the label's own size, brought there by nearest neighbour, one
//! confusion matrix for all pictures.

use parallax_core::labels::LabelMap;
use parallax_core::model_output::mask_from_logits;
use parallax_core::score::ConfusionMatrix;
use parallax_onnx::ModelProto;
use serde::Serialize;

use super::affine::snr_db;
use super::report::rounded;
use super::runner::{Output, Runner};
use super::{QuantizeError, Result};

/// A picture to judge on, prepared as the model's input.
#[derive(Debug, Clone)]
pub struct JudgedPicture {
    /// The model's input.
    pub input: Vec<f32>,
    /// The true classes, where they are known.
    pub labels: Option<LabelMap>,
}

/// What a model's answers are worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Verdict {
    /// Signal-to-noise ratio of the output against the float model's, in dB; 999 where they are equal.
    pub output_snr_db: f64,
    /// Pixels whose class is not the float model's, in percent; none for an output without classes.
    pub changed_percent: Option<f64>,
    /// Mean IoU against the labels, in percent; none without labels.
    pub miou_percent: Option<f64>,
}

/// Pictures, and what the float model makes of them.
#[derive(Debug)]
pub struct Judge {
    pictures: Vec<JudgedPicture>,
    size: (u32, u32),
    classes: usize,
    float: Vec<Answer>,
    /// The float model's own verdict.
    pub verdict_on_float: Verdict,
}

#[derive(Debug)]
struct Answer {
    logits: Vec<f32>,
    mask: Option<LabelMap>,
}

impl Judge {
    /// Runs the float model on the pictures.
    ///
    /// # Errors
    /// No picture, a picture of the wrong size, a model that tract cannot run, or labels and an output that is not
    /// `[1, classes, height, width]`.
    pub fn new(float: &ModelProto, pictures: Vec<JudgedPicture>) -> Result<Self> {
        let Some(first) = pictures.first() else { return Err(QuantizeError::NoFrames) };
        let runner = Runner::new(float)?;
        let shape = runner.run(&first.input)?[0].shape().to_vec();
        let (size, classes) = match shape[..] {
            [1, classes @ 2..=255, height, width] => ((width as u32, height as u32), classes),
            _ if first.labels.is_some() => {
                let what = format!("labels need an output [1, classes, height, width], got {shape:?}");
                return Err(QuantizeError::Unsupported(what));
            }
            _ => ((0, 0), 0),
        };
        let verdict_on_float = Verdict { output_snr_db: 999.0, changed_percent: None, miou_percent: None };
        let mut judge = Self { pictures, size, classes, float: Vec::new(), verdict_on_float };
        let answers = judge.pictures.iter().map(|picture| judge.answer(&runner.run(&picture.input)?[0]));
        judge.float = answers.collect::<Result<_>>()?;
        let masks = judge.float.iter().map(|answer| answer.mask.as_ref());
        judge.verdict_on_float.miou_percent = judge.miou_percent(masks)?;
        judge.verdict_on_float.changed_percent = (classes > 0).then_some(0.0);
        Ok(judge)
    }

    /// Pictures judged on.
    pub fn pictures(&self) -> usize {
        self.pictures.len()
    }

    /// Judges another model that takes the same input.
    ///
    /// # Errors
    /// A model that tract cannot run.
    pub fn judge(&self, model: &ModelProto) -> Result<Verdict> {
        let runner = Runner::new(model)?;
        let (mut signal, mut noise) = (0.0, 0.0);
        let (mut changed, mut pixels) = (0, 0);
        let mut masks = Vec::with_capacity(self.pictures.len());
        for (picture, float) in self.pictures.iter().zip(&self.float) {
            let answer = self.answer(&runner.run(&picture.input)?[0])?;
            for (x, y) in float.logits.iter().zip(&answer.logits) {
                signal += f64::from(*x).powi(2);
                noise += (f64::from(*x) - f64::from(*y)).powi(2);
            }
            if let (Some(before), Some(after)) = (&float.mask, &answer.mask) {
                changed += before.indices.iter().zip(&after.indices).filter(|(before, after)| before != after).count();
                pixels += before.indices.len();
            }
            masks.push(answer.mask);
        }
        Ok(Verdict {
            output_snr_db: rounded(snr_db(signal, noise)),
            changed_percent: (pixels > 0).then(|| 100.0 * changed as f64 / pixels as f64),
            miou_percent: self.miou_percent(masks.iter().map(Option::as_ref))?,
        })
    }

    fn answer(&self, output: &Output) -> Result<Answer> {
        let logits = output.values()?.to_vec();
        let (width, height) = self.size;
        if self.classes == 0 {
            return Ok(Answer { logits, mask: None });
        }
        let mut mask = LabelMap { width, height, indices: vec![0; width as usize * height as usize] };
        mask_from_logits(&logits, self.classes, &mut mask)?;
        Ok(Answer { logits, mask: Some(mask) })
    }

    fn miou_percent<'a>(&self, masks: impl Iterator<Item = Option<&'a LabelMap>>) -> Result<Option<f64>> {
        let mut matrix = ConfusionMatrix::new(self.classes);
        for (picture, mask) in self.pictures.iter().zip(masks) {
            if let (Some(labels), Some(mask)) = (&picture.labels, mask) {
                matrix.add(labels, &mask.resized(labels.width, labels.height))?;
            }
        }
        let miou = 100.0 * matrix.mean_iou();
        Ok((matrix.images() > 0 && miou.is_finite()).then_some(miou))
    }
}
