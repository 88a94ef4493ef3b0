//! What the footage of a depth run has for its network, target by target.

use crate::Error;
use crate::data::{DepthBatch, DepthBatches, Motion, Supervision};
use crate::lesson::{Lesson, Look, Shown, TARGETS};

/// What the targets of a run of `steps` batches have for the network, one lesson for each form of supervision: eyes that are one
/// teach that all is far, however well the video beside them would teach.
///
/// # Errors
/// When a frame cannot be read.
pub(super) fn of_run(batches: &DepthBatches, steps: u64) -> Result<Vec<Lesson>, Error> {
    let wanted = TARGETS.div_ceil(batches.config.batch) as u64;
    let looks = wanted.min(steps).max(1);
    let mut lessons: Vec<Lesson> = Vec::new();
    for look in 0..looks {
        let batch = batches.batch(look * steps / looks)?;
        for (subject, shown) in (0..batch.names.len()).flat_map(|target| shown(&batch, target)) {
            match lessons.iter_mut().find(|lesson| lesson.subject == subject) {
                Some(lesson) => lesson.add(shown),
                None => lessons.push(Lesson::first(subject, shown)),
            }
        }
    }
    if let Some(stereo) = lessons.iter_mut().find(|lesson| lesson.subject == Supervision::Stereo.name()) {
        let footage = &batches.footage;
        let apart = (0..footage.drives()).filter_map(|drive| footage.recording(drive).eyes_apart());
        apart.for_each(|apart| stereo.note_eyes_apart(apart.periods));
    }
    Ok(lessons)
}

/// What one target of a batch has for each form of supervision: the most of all that it is compared with.
fn shown(batch: &DepthBatch, target: usize) -> Vec<(&'static str, Shown)> {
    let pixels = batch.width * batch.height;
    let look = |values: &[f32]| Look::of_planes(&values[3 * pixels * target..][..3 * pixels], batch.width);
    let here = look(&batch.target);
    let pictures = batch.terms.iter().map(|term| {
        let pairs = term.sources.iter().map(|source| {
            let turning = batch.intrinsics.get(target).filter(|_| matches!(source.motion, Motion::Learned { .. }));
            here.beside(&look(&source.image), turning)
        });
        (term.supervision.name(), pairs.max().unwrap_or(Shown::NoChange))
    });
    let ranges = batch.ranges.as_ref().map(|ranges| {
        let measured = ranges.depth[pixels * target..][..pixels].iter().any(|depth| *depth > 0.0);
        ("range", here.alone().min(if measured { Shown::Something } else { Shown::NoDepth }))
    });
    pictures.chain(ranges).collect()
}
