//! A capture from its first picture to its last.

use super::adviser::{Advice, Adviser};
use super::config::CaptureConfig;
use super::folder::Folder;
use super::gate::{Decision, Gate, Limits, Outcome, Refusal, nothing_kept};
use super::guidance::Wish;
use super::look::{Look, Sight};
use super::placement::{Approximate, Placement};
use crate::Result;
use crate::solve::{Target, View};
use crate::uncertainty::{Coverage, Verdict};
use parallax_camera::Shot;
use std::collections::BTreeMap;

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
pub(super) struct Kept {
    pub(super) view: View,
    pub(super) placement: Option<Placement>,
}

/// The views so far and everything that the next decision needs.
#[derive(Debug)]
pub struct Capture {
    pub(super) config: CaptureConfig,
    pub(super) sizes: Vec<(u32, u32)>,
    pub(super) target: Target,
    pub(super) folder: Folder,
    pub(super) kept: Vec<Kept>,
    pub(super) left: Approximate,
    pub(super) adviser: Adviser,
    pub(super) advice: Option<Advice>,
    pub(super) previous: Option<Sight>,
    pub(super) frames: u64,
    pub(super) refused: BTreeMap<Refusal, u64>,
    pub(super) last: Option<Decision>,
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
    pub(super) fn coverage(&self) -> Coverage {
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

    /// What there is for the final solution.
    ///
    /// # Errors
    /// [`Error::NotDetermined`](crate::Error::NotDetermined) without any view.
    pub fn finish(self) -> Result<Taken> {
        if self.kept.is_empty() {
            return Err(nothing_kept(&self.refused, self.frames));
        }
        Ok(Taken { views: self.kept.into_iter().map(|kept| kept.view).collect(), sizes: self.sizes })
    }

    /// How many views there are.
    pub fn views(&self) -> usize {
        self.kept.len()
    }
}
