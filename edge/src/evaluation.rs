//! The score of a bundle on a labelled set.
//!
//! The protocol is that of `parallax-train evaluate`: each picture goes through the input contract, the mask comes back to
//! the label's size by nearest neighbour, and one confusion matrix counts the pixels of the whole set. Pictures that the
//! model was trained on are left out, by name and content.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use parallax_core::bundle::Bundle;
use parallax_core::files::sha256_of_file;
use parallax_core::labels::{Classes, LabelledSet};
use parallax_core::score::{ConfusionMatrix, Score};
use serde::Serialize;

use crate::stages::{StagePercentiles, StagesMs};
use crate::{EdgeError, Engine, Result, Worker};

/// Which pictures of a set are scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pictures {
    /// All but those the bundle says it was trained on.
    Unseen,
    /// All.
    All,
    /// These names.
    Only(HashSet<String>),
}

/// A score, and what was scored.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// mIoU, pixel accuracy, IoU per class, number of pictures.
    #[serde(flatten)]
    pub score: Score,
    /// Pictures left out because the model was trained on them.
    pub left_out: usize,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Times per stage, in milliseconds.
    pub stages: StagePercentiles,
}

/// Scores a bundle. `progress` is told after each picture how many of how many are done.
///
/// # Errors
/// Other classes than the bundle's, nothing left to score, an unreadable picture or label, an engine that fails.
pub fn evaluate(
    bundle: &Bundle,
    engine: &Engine,
    set: &LabelledSet,
    pictures: &Pictures,
    stop: &AtomicBool,
    mut progress: impl FnMut(usize, usize),
) -> Result<Evaluation> {
    check_classes(engine.classes(), set)?;
    let (chosen, left_out) = choose(bundle, set, pictures)?;
    let mut worker = Worker::new(engine)?;
    let mut matrix = ConfusionMatrix::new(engine.classes().len());
    let mut stages: Vec<StagesMs> = Vec::with_capacity(chosen.len());
    for index in &chosen {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (picture, labels) = set.pair(*index)?;
        let (mask, times) = worker.segment_at_own_size(&picture)?;
        matrix.add(&labels, &mask)?;
        stages.push(times);
        progress(stages.len(), chosen.len());
    }
    Ok(Evaluation {
        score: matrix.score(engine.classes()),
        left_out,
        interrupted: stages.len() < chosen.len(),
        stages: StagePercentiles::of(&stages),
    })
}

/// The same classes in the same order, by name; colours may differ, ids only matter inside each file.
fn check_classes(bundle: &Classes, set: &LabelledSet) -> Result<()> {
    let other = |what: String| EdgeError::OtherClasses { what, path: set.path().to_path_buf() };
    let found = set.classes();
    if bundle.len() != found.len() {
        return Err(other(format!("expected {} classes, got {}", bundle.len(), found.len())));
    }
    match bundle.names().zip(found.names()).enumerate().find(|(_, (ours, theirs))| ours != theirs) {
        None => Ok(()),
        Some((index, (ours, theirs))) => Err(other(format!("expected class {index} to be {ours:?}, got {theirs:?}"))),
    }
}

/// The positions to score, and how many were left out.
fn choose(bundle: &Bundle, set: &LabelledSet, pictures: &Pictures) -> Result<(Vec<usize>, usize)> {
    let training = &bundle.manifest().training;
    let mut chosen = Vec::new();
    for index in 0..set.len() {
        let wanted = match pictures {
            Pictures::All => true,
            Pictures::Unseen => !training.has_learned(set.name(index), || sha256_of_file(set.image_path(index)))?,
            Pictures::Only(names) => names.contains(set.name(index)),
        };
        chosen.extend(wanted.then_some(index));
    }
    if chosen.is_empty() {
        let what = match pictures {
            Pictures::Only(names) => format!("none of the {} names given is in the set", names.len()),
            _ => format!("the bundle was trained on all {}", set.len()),
        };
        return Err(EdgeError::NothingToScore { what, path: set.path().to_path_buf() });
    }
    let left_out = set.len() - chosen.len();
    Ok((chosen, left_out))
}
