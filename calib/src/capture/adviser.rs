//! Solves the views that there are, in a thread of its own: while it thinks, the camera goes on.
//!
//! Views that are added meanwhile are solved next, all at once.

use crate::solve::{Solution, SolveConfig, View, solve};
use parallax_core::board::Board;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Views from which on a solution is tried.
const LEAST_VIEWS: usize = 3;

/// Whether the camera waits for the adviser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It runs on: a live source.
    Live,
    /// The next picture comes when it is asked for: a recording. Its views then depend on its pictures alone.
    Patient,
}

/// What the views so far say.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Of how many views.
    pub views: usize,
    /// The solution, or why there is none.
    pub solution: Result<Solution, String>,
}

/// The thread, and what is asked of it.
#[derive(Debug)]
pub(super) struct Adviser {
    questions: Sender<Vec<View>>,
    answers: Receiver<Advice>,
    is_busy: bool,
    next: Option<Vec<View>>,
}

impl Adviser {
    pub(super) fn start(board: &Board, sizes: &[(u32, u32)], config: &SolveConfig) -> Self {
        let (questions, asked) = channel::<Vec<View>>();
        let (answer, answers) = channel();
        let (board, sizes, config) = (board.clone(), sizes.to_vec(), config.clone());
        // Ends when the questions end; a solution in hand is done in a second.
        std::thread::spawn(move || {
            for views in asked {
                let solution = solve(&board, &sizes, &views, &config).map_err(|error| error.to_string());
                if answer.send(Advice { views: views.len(), solution }).is_err() {
                    return;
                }
            }
        });
        Self { questions, answers, is_busy: false, next: None }
    }

    /// Asks about these views, now or after what is in hand.
    pub(super) fn ask(&mut self, views: Vec<View>) {
        if views.len() < LEAST_VIEWS {
            return;
        }
        if self.is_busy {
            self.next = Some(views);
        } else {
            self.is_busy = self.questions.send(views).is_ok();
        }
    }

    /// The answer, if there is one by now.
    pub(super) fn answer(&mut self, pace: Pace) -> Option<Advice> {
        if !self.is_busy {
            return None;
        }
        let advice = match pace {
            Pace::Live => self.answers.try_recv().ok()?,
            Pace::Patient => self.answers.recv().ok()?,
        };
        self.is_busy = false;
        if let Some(views) = self.next.take() {
            self.ask(views);
        }
        Some(advice)
    }
}
