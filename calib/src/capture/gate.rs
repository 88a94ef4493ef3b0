//! Whether a picture becomes a view, and why not.
//!
//! In this order: every camera sees the board; it was there in the picture before; it is held still; its edges are
//! sharp; no view is like it; it adds something. A picture that fails is told the first thing that it fails at.

use super::config::Footage;
use super::look::Sight;
use super::motion::STILL_PX;
use super::placement::{Approximate, Placement, seen};
use crate::Error;
use crate::detect::{Detection, NotFound};
use crate::solve::{Solution, Target};
use crate::survey::Miss;
use crate::uncertainty::{Coverage, Knowledge};
use parallax_core::board::Board;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Why a picture is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It is damaged, has another size, or lacks its right picture.
    Unreadable,
    /// No board is in it.
    NoBoard,
    /// A part of the board, or another one.
    OtherBoard,
    /// Only one camera of a pair sees the board.
    OneEye,
    /// The board was not in the picture before: whether it moves cannot be said yet.
    Appeared,
    /// The board moves.
    Moving,
    /// Its edges are not sharp.
    Blurred,
    /// The board is held as in a view that was kept.
    Repeated,
    /// What it shows is known well enough.
    AddsLittle,
}

impl Refusal {
    /// Every reason, in the order in which pictures are asked.
    pub const ALL: [Self; 9] = [
        Self::Unreadable,
        Self::NoBoard,
        Self::OtherBoard,
        Self::OneEye,
        Self::Appeared,
        Self::Moving,
        Self::Blurred,
        Self::Repeated,
        Self::AddsLittle,
    ];

    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NoBoard => "no_board",
            Self::OtherBoard => "other_board",
            Self::OneEye => "one_eye",
            Self::Appeared => "appeared",
            Self::Moving => "moving",
            Self::Blurred => "blurred",
            Self::Repeated => "repeated",
            Self::AddsLittle => "adds_little",
        }
    }

    /// What to do when it is why nothing was kept.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Unreadable => "check the camera and its cable, or take the pictures again",
            Self::NoBoard => {
                "check --board, and bring the board into the picture: whole, evenly lit, at least 10 pixels per square"
            }
            Self::OtherBoard => {
                "check the size in --board (a chessboard's counts inner corners) and bring the whole board into the picture"
            }
            Self::OneEye => "hold the board where both cameras see it",
            Self::Appeared | Self::Moving => {
                "hold the board still for a moment at each place; for single photographs, not a film, add --stills"
            }
            Self::Blurred => "focus the lens and add light; for a camera that is no sharper, raise --edge-width",
            Self::Repeated | Self::AddsLittle => "move the board between views: place, distance and tilt",
        }
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What became of a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is a view now.
    Kept {
        /// How many there are.
        view: usize,
        /// The file's name, the same for both cameras of a pair.
        name: String,
    },
    /// It is not.
    Refused {
        /// Why.
        reason: Refusal,
        /// In words.
        why: String,
    },
}

/// What became of a picture, and what was seen.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Pictures looked at so far.
    pub frame: u64,
    /// Kept or not.
    pub outcome: Outcome,
    /// What it shows.
    pub sight: Sight,
}

/// Bounds that are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) footage: Footage,
    pub(super) widest_edge_px: f64,
}

/// Everything that a picture is judged by.
pub(super) struct Gate<'a> {
    pub(super) board: &'a Board,
    pub(super) target: &'a Target,
    pub(super) limits: Limits,
    /// The views so far by their numbers, and where they have the board.
    pub(super) kept: &'a [(usize, Placement)],
    /// Where they have corners.
    pub(super) seen: &'a Coverage,
    pub(super) solution: Option<&'a Solution>,
    pub(super) left: &'a Approximate,
}

/// New fields of the picture that make a view worth it by themselves.
const NEW_FIELDS: usize = 2;
/// The part of a pixel's uncertainty that a view takes away, from which on it is worth its time.
const LEAST_GAIN: f64 = 0.02;

type Refused = (Refusal, String);

impl Gate<'_> {
    /// Judges a picture.
    pub(super) fn judge(&self, sight: &Sight) -> Result<(), Refused> {
        self.sees_board(sight)?;
        if self.limits.footage == Footage::Film {
            match sight.motion_px {
                None => return Err((Refusal::Appeared, "hold the board still".to_owned())),
                Some(motion) if motion > STILL_PX => {
                    let why = format!("the board moves by {motion:.1} px per picture, {STILL_PX} are still");
                    return Err((Refusal::Moving, why));
                }
                Some(_) => {}
            }
        }
        let widest = self.limits.widest_edge_px;
        match sight.edge_width_px {
            Some(width) if width <= widest => {}
            Some(width) => {
                return Err((Refusal::Blurred, format!("its edges are {width:.1} px wide, {widest} are sharp")));
            }
            None => return Err((Refusal::Blurred, "its edges have too little contrast to be measured".to_owned())),
        }
        self.adds_something(sight)
    }

    fn sees_board(&self, sight: &Sight) -> Result<(), Refused> {
        let Some(miss) = sight.detections.iter().find_map(|found| found.as_ref().err()) else { return Ok(()) };
        if sight.detections.iter().any(Result::is_ok) {
            let eye = if sight.detections[0].is_err() { "left" } else { "right" };
            return Err((Refusal::OneEye, format!("the {eye} camera: {}", miss.describe(self.board))));
        }
        let reason = match miss {
            Miss::NotFound(NotFound::Nothing) => Refusal::NoBoard,
            Miss::NotFound(_) => Refusal::OtherBoard,
            Miss::Unreadable(_) | Miss::OtherSize(_) => Refusal::Unreadable,
        };
        Err((reason, miss.describe(self.board)))
    }

    fn adds_something(&self, sight: &Sight) -> Result<(), Refused> {
        let (Some(Ok(found)), Some(placement)) = (sight.detections.first(), sight.placement) else {
            return Err((Refusal::OtherBoard, "its corners allow no position of the board".to_owned()));
        };
        let nearest = self.kept.iter().map(|(view, kept)| (kept.difference(&placement), view));
        let nearest = nearest.min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, view)) = nearest.filter(|(difference, _)| *difference < 1.0) {
            return Err((Refusal::Repeated, format!("as in view {view}: move or tilt the board")));
        }
        let is_new_kind =
            |same: fn(&Placement, &Placement) -> bool| !self.kept.iter().any(|(_, kept)| same(kept, &placement));
        let is_new = self.new_fields(found) >= NEW_FIELDS
            || is_new_kind(|a, b| a.away() == b.away())
            || is_new_kind(|a, b| a.distance() == b.distance());
        match self.gain(found) {
            Some(gain) if gain < LEAST_GAIN && !is_new => {
                let why = format!("it would make pixels only {:.1} % more certain", gain.max(0.0) * 100.0);
                Err((Refusal::AddsLittle, why))
            }
            _ => Ok(()),
        }
    }

    /// Fields of the picture with a corner that had none before.
    fn new_fields(&self, found: &Detection) -> usize {
        let camera = self.left.camera();
        let own = Coverage::count((camera.width, camera.height), found.corners.iter().map(|corner| corner.pixel));
        own.corners.iter().zip(&self.seen.corners).filter(|(own, known)| **own > 0 && **known == 0).count()
    }

    /// The part of a pixel's uncertainty that the view would take away; none while nothing is known.
    fn gain(&self, found: &Detection) -> Option<f64> {
        let knowledge = Knowledge::of(self.solution?, self.target, 0)?;
        Some(1.0 - knowledge.after(self.left.pose(self.target, found)?, &seen(found))?)
    }
}

/// Why there is not a single view.
pub(super) fn nothing_kept(refused: &BTreeMap<Refusal, u64>, frames: u64) -> Error {
    let Some((most, _)) = refused.iter().max_by_key(|(_, count)| **count) else {
        return Error::capture("no picture came", "check the source: `parallax-edge devices` lists the cameras");
    };
    Error::capture(format!("none of {frames} pictures was kept: {}", counted(refused)), most.remedy())
}

/// Reasons and how often, the commonest first.
pub fn counted(refused: &BTreeMap<Refusal, u64>) -> String {
    let mut sorted: Vec<(&Refusal, &u64)> = refused.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let said: Vec<String> =
        sorted.iter().map(|(reason, count)| format!("{count} {}", reason.name().replace('_', " "))).collect();
    said.join(", ")
}
