//! Taking the views of a calibration, with guidance: which picture is worth keeping, why the others are not, and what to
//! do next.
//!
//! ```text
//! shot ─▶ [look]: board, motion, edges, placement ─▶ [gate]: kept, or refused and why ─▶ [folder]: PNG, at once
//!                                                            └─▶ [adviser]: the solution so far ─▶ [guidance]: in words
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`look`] | what a picture, or a pair, shows of the board |
//! | [`motion`] | how far the board moves within one picture |
//! | [`sharpness`] | how wide the edges between its fields are |
//! | [`placement`] | where the board is held: place, size, tilt |
//! | [`gate`] | keep it or not, and why |
//! | [`folder`] | the pictures on disk; whatever happens, every kept view is whole |
//! | [`adviser`] | solves what there is, beside the camera |
//! | [`guidance`] | the view to take next, in words |
//! | [`status`] | how it stands, for a terminal, a page and programs |
//! | `page` | the page (feature `live`) |
//!
//! Nothing here queues pictures: the caller hands over the newest one, and what came meanwhile is missed.

pub mod adviser;
pub mod folder;
pub mod gate;
pub mod guidance;
pub mod look;
pub mod motion;
#[cfg(feature = "live")]
pub mod page;
pub mod placement;
pub mod sharpness;
pub mod status;

pub use adviser::Pace;
pub use folder::{Facts, Folder};
pub use gate::{Decision, Outcome, Refusal};
pub use status::Status;

use crate::solve::{SolveConfig, Target, View};
use crate::uncertainty::{Coverage, Verdict};
use crate::{Error, Result};
use adviser::{Advice, Adviser};
use gate::{Gate, Limits};
use guidance::Wish;
use look::{Look, Sight};
use parallax_camera::Shot;
use parallax_core::board::Board;
use placement::{Approximate, Placement};
use std::collections::BTreeMap;

/// What is captured, and how.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// The board.
    pub board: Board,
    /// What will be solved.
    pub solve: SolveConfig,
    /// Views to take at least.
    pub views: usize,
    /// Whether pictures follow each other closely.
    pub footage: Footage,
    /// The widest edges of a view, see [`sharpness`], pixels.
    pub widest_edge_px: f64,
    /// Whether the next picture waits for the adviser.
    pub pace: Pace,
}

/// What successive pictures have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footage {
    /// A camera that runs: a board that is held still is at the same place in two successive pictures.
    Film,
    /// Single photographs: nothing follows from the picture before.
    Stills,
}

/// Why there are enough views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// As many as were asked for, and the verdict is good.
    Good,
    /// Twice as many as were asked for, whatever the verdict.
    Many,
}

/// What was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// In the order of their names.
    pub views: Vec<View>,
    /// Width and height of the pictures of each camera.
    pub sizes: Vec<(u32, u32)>,
}

/// A view that was kept.
#[derive(Clone, Debug)]
struct Kept {
    view: View,
    placement: Option<Placement>,
}

/// The views so far and everything that the next decision needs.
#[derive(Debug)]
pub struct Capture {
    config: CaptureConfig,
    sizes: Vec<(u32, u32)>,
    target: Target,
    folder: Folder,
    kept: Vec<Kept>,
    left: Approximate,
    adviser: Adviser,
    advice: Option<Advice>,
    previous: Option<Sight>,
    frames: u64,
    refused: BTreeMap<Refusal, u64>,
    last: Option<Decision>,
}

impl Capture {
    /// Starts with the views that `folder` has already.
    pub fn new(config: CaptureConfig, sizes: Vec<(u32, u32)>, folder: Folder, earlier: Vec<View>) -> Self {
        let target = Target::new(&config.board);
        let left = Approximate::unknown(config.solve.lens, sizes[0]);
        let adviser = Adviser::start(&config.board, &sizes, &config.solve);
        let kept = earlier.into_iter().filter(|view| view.detections.iter().all(Result::is_ok));
        let kept = kept.map(|view| Kept { placement: None, view }).collect();
        let mut capture = Self {
            config,
            sizes,
            target,
            folder,
            kept,
            left,
            adviser,
            advice: None,
            previous: None,
            frames: 0,
            refused: BTreeMap::new(),
            last: None,
        };
        capture.place_again();
        capture.ask();
        capture
    }

    /// Looks at a picture or pair, and keeps it when it is worth it.
    ///
    /// # Errors
    /// It cannot be written. What was kept before stays as it is.
    pub fn look(&mut self, shot: &Shot) -> Result<Decision> {
        self.frames += 1;
        let outcome = match Look::at(shot, &self.config.board, &self.sizes) {
            Err(why) => {
                self.previous = None;
                Outcome::Refused { reason: Refusal::Unreadable, why }
            }
            Ok(look) => {
                let (outcome, sight) = self.judge(look)?;
                self.previous = Some(sight);
                outcome
            }
        };
        if let Outcome::Refused { reason, .. } = &outcome {
            *self.refused.entry(*reason).or_default() += 1;
        }
        let sight = self.previous.clone().unwrap_or_default();
        let decision = Decision { frame: self.frames, outcome, sight };
        self.last = Some(decision.clone());
        Ok(decision)
    }

    fn judge(&mut self, look: Look) -> Result<(Outcome, Sight)> {
        let sight = look.sight(&self.config.board, &self.target, &self.left, self.previous.as_ref());
        let gate = Gate {
            board: &self.config.board,
            target: &self.target,
            limits: Limits { footage: self.config.footage, widest_edge_px: self.config.widest_edge_px },
            kept: &self.placements(),
            seen: &self.coverage(),
            solution: self.advice.as_ref().and_then(|advice| advice.solution.as_ref().ok()),
            left: &self.left,
        };
        if let Err((reason, why)) = gate.judge(&sight) {
            return Ok((Outcome::Refused { reason, why }, sight));
        }
        let name = self.folder.add(&look.pictures)?;
        let detections = sight.detections.iter().cloned();
        let detections = detections.map(|found| found.map_err(|miss| miss.describe(&self.config.board)));
        let view = View { name: name.clone(), detections: detections.collect() };
        self.kept.push(Kept { view, placement: sight.placement });
        self.ask();
        Ok((Outcome::Kept { view: self.kept.len(), name }, sight))
    }

    /// Pictures were lost: what comes next does not follow what was seen last.
    pub fn interrupt(&mut self) {
        self.previous = None;
    }

    fn ask(&mut self) {
        self.adviser.ask(self.kept.iter().map(|kept| kept.view.clone()).collect());
    }

    /// What the adviser found out since the last call; in a recording that does not hurry, it is waited for.
    pub fn advice(&mut self) -> Option<&Advice> {
        let advice = self.adviser.answer(self.config.pace)?;
        if let Ok(solution) = &advice.solution {
            let solved = &solution.cameras[0];
            self.left = Approximate::new(solved.lens, self.sizes[0], solved.numbers.clone());
            self.place_again();
        }
        self.advice = Some(advice);
        self.advice.as_ref()
    }

    /// Where the views had the board, by what is known of the camera now.
    fn place_again(&mut self) {
        for kept in &mut self.kept {
            let found = kept.view.detections[0].as_ref().ok();
            kept.placement = found.and_then(|found| self.left.placement(&self.target, found));
        }
    }

    /// The views by their numbers, and where they have the board.
    fn placements(&self) -> Vec<(usize, Placement)> {
        self.kept.iter().enumerate().filter_map(|(index, kept)| Some((index + 1, kept.placement?))).collect()
    }

    /// Where the left pictures of the views have corners.
    fn coverage(&self) -> Coverage {
        let found = self.kept.iter().filter_map(|kept| kept.view.detections[0].as_ref().ok());
        Coverage::count(self.sizes[0], found.flat_map(|found| &found.corners).map(|corner| corner.pixel))
    }

    /// Whether there are enough views.
    pub fn is_enough(&self) -> Option<Enough> {
        let count = self.kept.len();
        if count >= 2 * self.config.views {
            return Some(Enough::Many);
        }
        let advice = self.advice.as_ref().filter(|advice| advice.views == count)?;
        let cameras = &advice.solution.as_ref().ok()?.cameras;
        let is_good = cameras.iter().all(|solved| solved.trust.verdict == Verdict::Good);
        (is_good && count >= self.config.views).then_some(Enough::Good)
    }

    /// The view to take next.
    pub fn wish(&self) -> Wish {
        let solution = self.advice.as_ref().and_then(|advice| advice.solution.as_ref().ok());
        let next = solution.and_then(|solution| solution.cameras[0].trust.next_view);
        let kept = || self.kept.iter().filter_map(|kept| kept.placement).collect::<Vec<_>>();
        next.map_or_else(|| Wish::before_anything_is_known(&kept()), Wish::from)
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        Status::of(self)
    }

    /// What there is for the final solution.
    ///
    /// # Errors
    /// [`Error::NotDetermined`] without any view.
    pub fn finish(self) -> Result<Taken> {
        if self.kept.is_empty() {
            return Err(gate::nothing_kept(&self.refused, self.frames));
        }
        Ok(Taken { views: self.kept.into_iter().map(|kept| kept.view).collect(), sizes: self.sizes })
    }

    /// How many views there are.
    pub fn views(&self) -> usize {
        self.kept.len()
    }
}

impl Error {
    fn capture(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Capture { what: what.into(), hint: hint.into() }
    }
}
