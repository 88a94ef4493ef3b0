//! Masks against labels over a whole set.
//!
//! The mask is made at the network's size and brought to the picture's own size by nearest neighbour, as the board
//! does; it is compared there with the labels as they were drawn. The pictures that the run was trained on are left
//! out, by name and content. Beside the network stands the location prior of the same training labels.

use std::fmt;

use burn::tensor::Device;
use parallax_core::labels::LabelledSet;
use parallax_core::score::{ConfusionMatrix, Score};
use serde::{Deserialize, Serialize};

use super::run::FinetunedRun;
use super::task::MaskMaker;
use crate::Error;

/// Which pictures of a set to score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// Those the run was not trained on.
    Unseen,
    /// All of them.
    All,
}

/// How good a run's masks are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// The network's score: `miou`, `pixel_accuracy`, `per_class`, `images`.
    #[serde(flatten)]
    pub score: Score,
    /// The score of the location prior.
    pub location_prior: Score,
    /// Pictures of the set that were left out because the run was trained on them.
    pub left_out: usize,
}

/// Scores a run on a labelled set, which must have been opened with the run's classes.
///
/// # Errors
/// When the set's classes are not the run's, no picture is left, or a picture or the run cannot be read.
pub fn evaluate(
    run: &FinetunedRun,
    set: &LabelledSet,
    pictures: Pictures,
    device: &Device,
) -> Result<EvaluationReport, Error> {
    check_classes(run, set)?;
    let scored = pictures_to_score(run, set, pictures)?;
    let model = run.load(device)?;
    let prior = run.location_prior()?;
    let mut masks = MaskMaker::new(run.input, device);
    let (mut by_network, mut by_prior) =
        (ConfusionMatrix::new(run.classes.len()), ConfusionMatrix::new(run.classes.len()));
    for &index in &scored {
        let (picture, truth) = set.pair(index)?;
        let mask = masks.mask(&model, &picture)?;
        by_network.add(&truth, &mask.resized(truth.width, truth.height))?;
        by_prior.add(&truth, &prior.resized(truth.width, truth.height))?;
    }
    Ok(EvaluationReport {
        score: by_network.score(&run.classes),
        location_prior: by_prior.score(&run.classes),
        left_out: set.len() - scored.len(),
    })
}

fn check_classes(run: &FinetunedRun, set: &LabelledSet) -> Result<(), Error> {
    if run.classes.names().eq(set.classes().names()) {
        return Ok(());
    }
    let list = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(", ");
    Err(Error::Data {
        what: format!(
            "expected the run's classes ({}), found {}",
            list(&mut run.classes.names()),
            list(&mut set.classes().names())
        ),
        path: set.path().to_path_buf(),
        hint: "leave --classes out to use the run's own, or give a file with the same names in the same order",
    })
}

fn pictures_to_score(run: &FinetunedRun, set: &LabelledSet, pictures: Pictures) -> Result<Vec<usize>, Error> {
    let mut scored = Vec::new();
    for index in 0..set.len() {
        if pictures == Pictures::All || !run.has_learned(set, index)? {
            scored.push(index);
        }
    }
    if scored.is_empty() {
        return Err(Error::Data {
            what: format!("the run was trained on all {} pictures of the set: none is left to score", set.len()),
            path: set.path().to_path_buf(),
            hint: "score another labelled set, or give --all to score the training pictures",
        });
    }
    Ok(scored)
}

impl fmt::Display for EvaluationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.score.per_class.iter().map(|class| class.name.chars().count());
        let width = names.max().unwrap_or(0).max(14);
        let percent = |value: Option<f64>| {
            value.map_or_else(|| format!("{:>14}", "-"), |value| format!("{:>12.2} %", 100.0 * value))
        };
        writeln!(f, "{:width$}  {:>14}  {:>14}", "IoU", "network", "location prior")?;
        for (class, prior) in self.score.per_class.iter().zip(&self.location_prior.per_class) {
            writeln!(f, "{:width$}  {}  {}", class.name, percent(class.iou), percent(prior.iou))?;
        }
        let (score, prior) = (&self.score, &self.location_prior);
        writeln!(f, "{:width$}  {}  {}", "mIoU", percent(Some(score.miou)), percent(Some(prior.miou)))?;
        writeln!(
            f,
            "{:width$}  {}  {}",
            "pixel accuracy",
            percent(Some(score.pixel_accuracy)),
            percent(Some(prior.pixel_accuracy))
        )?;
        write!(f, "over {} pictures; {} left out, because the network was trained on them", score.images, self.left_out)
    }
}
