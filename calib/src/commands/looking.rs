//! The board looked for in the pictures of one camera, or of a pair: how `solve` and `check` begin.

use indicatif::{ProgressBar, ProgressStyle};
use parallax_calib::solve::View;
use parallax_calib::survey::{Miss, Survey, Watch, survey};
use parallax_calib::{Error, pictures};
use parallax_core::board::Board;
use parallax_core::program;
use parallax_core::recording::Eye;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// What was found.
pub(super) struct Seen {
    /// Sizes of the left (or only) and the right camera's pictures.
    pub(super) sizes: Vec<(u32, u32)>,
    /// One for each picture or pair.
    pub(super) views: Vec<View>,
    /// Whether pictures could not be used at all.
    pub(super) lost: bool,
}

/// Looks for the board; none when the user stopped it. Without right pictures there is one camera.
pub(super) fn look(left: &[PathBuf], right: &[PathBuf], board: &Board) -> anyhow::Result<Option<Seen>> {
    let Some(left) = survey_of(left, Eye::Left, board)? else { return Ok(None) };
    let right = if right.is_empty() {
        None
    } else {
        let Some(right) = survey_of(right, Eye::Right, board)? else { return Ok(None) };
        Some(right)
    };
    let both = || std::iter::once(&left).chain(right.as_ref());
    Ok(Some(Seen {
        sizes: both().map(|survey| survey.size).collect(),
        views: views(board, &left, right.as_ref())?,
        lost: both().any(has_lost_input),
    }))
}

/// Finds the board in the pictures of one camera, with a bar on a terminal.
fn survey_of(paths: &[PathBuf], eye: Eye, board: &Board) -> anyhow::Result<Option<Survey>> {
    let pictures = pictures::find(paths, eye)?;
    let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} pictures, {eta} left")?;
    let bar = ProgressBar::new(pictures.len() as u64).with_style(style).with_prefix("looking for the board");
    let stop = program::stop_on_signal();
    let found = survey(&pictures, board, Watch { on_picture: &|| bar.inc(1), stop })?;
    bar.finish_and_clear();
    Ok((!stop.load(Ordering::Relaxed)).then_some(found))
}

fn has_lost_input(survey: &Survey) -> bool {
    survey.pictures.iter().any(|picture| picture.found.as_ref().is_err_and(Miss::is_lost_input))
}

/// The pictures of one camera as views, or those of two, paired in their order.
fn views(board: &Board, left: &Survey, right: Option<&Survey>) -> Result<Vec<View>, Error> {
    let detections =
        |survey: &Survey, index: usize| survey.pictures[index].found.clone().map_err(|miss| miss.describe(board));
    if let Some(right) = right
        && right.pictures.len() != left.pictures.len()
    {
        return Err(Error::Pair {
            what: format!("{} left pictures and {} right ones are no pairs", left.pictures.len(), right.pictures.len()),
            hint: "give as many right pictures as left ones, in the same order".to_owned(),
        });
    }
    let view = |index: usize| {
        let mut found = vec![detections(left, index)];
        found.extend(right.map(|right| detections(right, index)));
        let name = &left.pictures[index].name;
        let name = right.map_or(name.clone(), |right| format!("{name} | {}", right.pictures[index].name));
        View { name, detections: found }
    };
    Ok((0..left.pictures.len()).map(view).collect())
}
