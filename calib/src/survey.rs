//! The board looked for in all pictures of a camera.
//!
//! One bad picture never stops the others: what cannot be read, has another size or shows no board is named and left
//! out. Only when nothing is left, the error says what was seen instead.

use crate::detect::{Detection, NotFound, detect};
use crate::pictures::Picture;
use crate::{Error, Result};
use parallax_core::board::Board;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// What was found in the pictures of one camera.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Width and height of the pictures.
    pub size: (u32, u32),
    /// For each picture, its name and what was found.
    pub pictures: Vec<Surveyed>,
}

/// What was found in one picture.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The picture's name.
    pub name: String,
    /// The board, or why there is none.
    pub found: Result<Detection, Miss>,
}

/// Why a picture gave nothing.
#[derive(Clone, Debug)]
pub enum Miss {
    /// It cannot be read.
    Unreadable(String),
    /// It has another size than most.
    OtherSize((u32, u32)),
    /// The board is not seen.
    NotFound(NotFound),
}

impl Miss {
    /// Whether the picture itself is at fault: input was lost, whatever it showed.
    pub const fn is_lost_input(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::OtherSize(_))
    }

    /// In words, for this board.
    pub fn describe(&self, board: &Board) -> String {
        match self {
            Self::Unreadable(reason) => reason.clone(),
            Self::OtherSize((width, height)) => format!("it has {width}x{height} pixels, unlike the others"),
            Self::NotFound(NotFound::Nothing) => "no board in it".to_owned(),
            Self::NotFound(NotFound::TooFew { corners }) => format!("only {corners} corners of the board are seen"),
            Self::NotFound(NotFound::OtherSize { columns, rows, is_whole }) => {
                let (wanted_columns, wanted_rows) = (board.corner_columns(), board.corner_rows());
                if *is_whole {
                    format!("a chessboard of {columns}x{rows} inner corners, not {wanted_columns}x{wanted_rows}")
                } else {
                    format!("a part of the board only, {columns}x{rows} corners: a chessboard must be seen whole")
                }
            }
            Self::NotFound(NotFound::NoMarkers) => "a board, but none of its markers belong to --board".to_owned(),
            Self::NotFound(NotFound::Mirrored) => "the board is mirrored".to_owned(),
        }
    }
}

/// Progress and interruption.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called after every picture.
    pub on_picture: &'a (dyn Fn() + Sync),
    /// Raised to stop; the pictures that are left count as not found.
    pub stop: &'a AtomicBool,
}

/// Looks for the board in every picture, on all cores.
///
/// # Errors
/// [`Error::Pictures`] when there are none, none can be read, or no size is that of most; [`Error::Board`] when no
/// picture shows the board.
pub fn survey(pictures: &[Picture], board: &Board, watch: Watch<'_>) -> Result<Survey> {
    let size = common_size(pictures)?;
    let look = |picture: &Picture| {
        let found = if watch.stop.load(Ordering::Relaxed) {
            Err(Miss::NotFound(NotFound::Nothing))
        } else {
            look(picture, board, size)
        };
        (watch.on_picture)();
        Surveyed { name: picture.name().to_owned(), found }
    };
    let pictures: Vec<Surveyed> = pictures.par_iter().map(look).collect();
    let survey = Survey { size, pictures };
    if survey.pictures.iter().all(|picture| picture.found.is_err()) && !watch.stop.load(Ordering::Relaxed) {
        return Err(nowhere(&survey, board));
    }
    Ok(survey)
}

fn look(picture: &Picture, board: &Board, size: (u32, u32)) -> Result<Detection, Miss> {
    let unreadable = |error: parallax_core::Error| Miss::Unreadable(error.to_string());
    let own_size = picture.size().map_err(unreadable)?;
    if own_size != size {
        return Err(Miss::OtherSize(own_size));
    }
    detect(&picture.read().map_err(unreadable)?, board).map_err(Miss::NotFound)
}

/// The size of three quarters of the pictures at least: with less it is not clear which ones are meant.
fn common_size(pictures: &[Picture]) -> Result<(u32, u32)> {
    let mut counts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut unreadable = None;
    for picture in pictures {
        match picture.size() {
            Ok(size) => *counts.entry(size).or_default() += 1,
            Err(error) => unreadable = Some(error),
        }
    }
    let whole: usize = counts.values().sum();
    match (counts.iter().max_by_key(|(_, count)| **count), unreadable) {
        (Some((size, count)), _) if 4 * count >= 3 * whole => Ok(*size),
        (Some(_), _) => {
            let sizes = counts.iter().map(|((width, height), count)| format!("{count} of {width}x{height}"));
            Err(Error::Pictures {
                what: format!("the pictures differ in size: {}", sizes.collect::<Vec<_>>().join(", ")),
                hint: "a calibration belongs to one size: give only the pictures of that size, or of one camera"
                    .to_owned(),
            })
        }
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(Error::Pictures {
            what: "there are no pictures".to_owned(),
            hint: "give image files, a folder of images or a recording".to_owned(),
        }),
    }
}

/// Why the board is in none of the pictures.
fn nowhere(survey: &Survey, board: &Board) -> Error {
    let misses: Vec<&Miss> = survey.pictures.iter().filter_map(|picture| picture.found.as_ref().err()).collect();
    let count = misses.len();
    let unreadable = misses.iter().filter(|miss| miss.is_lost_input()).count();
    if unreadable == count {
        let reason = misses[0].describe(board);
        return Error::Pictures {
            what: format!("none of {count} pictures can be read: {}: {reason}", survey.pictures[0].name),
            hint: "copy the pictures again".to_owned(),
        };
    }
    let has = |wanted: fn(&NotFound) -> bool| {
        misses.iter().filter(|miss| matches!(miss, Miss::NotFound(seen) if wanted(seen))).count()
    };
    if has(|seen| matches!(seen, NotFound::Mirrored)) * 2 > count {
        return Error::Board {
            what: format!("the board is mirrored in the pictures, {count} of {count}"),
            hint: "switch off the camera's mirror image (self-view), or flip the pictures back".to_owned(),
        };
    }
    if let Some((columns, rows, seen)) = commonest_size(&misses) {
        let squares = (columns + 1, rows + 1) == (board.corner_columns() as usize, board.corner_rows() as usize)
            || (rows + 1, columns + 1) == (board.corner_columns() as usize, board.corner_rows() as usize);
        let slip = if squares { "; the size counts inner corners, where four squares meet, not squares" } else { "" };
        let said = format!("{}x{}", board.corner_columns(), board.corner_rows());
        let suggestion = board.to_string().replacen(&said, &format!("{columns}x{rows}"), 1);
        return Error::Board {
            what: format!(
                "no chessboard of {said} inner corners, but one of {columns}x{rows} in {seen} of {count} pictures"
            ),
            hint: format!("did you mean --board {suggestion}?{slip}"),
        };
    }
    let markers = has(|seen| matches!(seen, NotFound::NoMarkers));
    if markers * 2 > count {
        return Error::Board {
            what: format!("{markers} of {count} pictures show a board, but none of its markers belong to {board}"),
            hint: "check the kind of board, its size and its dictionary; `parallax-calib board --help` names them"
                .to_owned(),
        };
    }
    let partial = has(|seen| matches!(seen, NotFound::OtherSize { .. } | NotFound::TooFew { .. }));
    Error::Board {
        what: format!("the board {board} is in none of {count} pictures"),
        hint: if partial * 2 > count {
            "parts of a board are seen: bring the whole board with its white margin into the picture, and avoid glare"
                .to_owned()
        } else {
            "check --board, and that the pictures show it whole, sharp, evenly lit and at least 10 pixels per square"
                .to_owned()
        },
    }
}

/// The whole chessboard of another size that at least half of the pictures show, or two of them.
fn commonest_size(misses: &[&Miss]) -> Option<(usize, usize, usize)> {
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for miss in misses {
        if let Miss::NotFound(NotFound::OtherSize { columns, rows, is_whole: true }) = miss {
            *counts.entry((*columns, *rows)).or_default() += 1;
        }
    }
    let ((columns, rows), count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    // A board of which a part is hidden looks like a smaller one now and then.
    (count >= 2 || misses.len() == 1).then_some((columns, rows, count))
}
