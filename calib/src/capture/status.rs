//! How a capture stands: for a terminal, a page and programs.

use super::config::Footage;
use super::gate::{Outcome, Refusal, counted};
use super::guidance::Wish;
use super::motion::STILL_PX;
use super::placement::{Distance, Placement};
use super::session::Capture;
use crate::uncertainty::{Coverage, Side, Verdict, pose_of_next_view};
use nalgebra::Point3;
use parallax_core::board::Rectangle;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a capture stands after a picture.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Pictures looked at.
    pub frame: u64,
    /// Views so far.
    pub views: usize,
    /// Views asked for.
    pub wanted: usize,
    /// Whether the last picture was kept.
    pub is_kept: bool,
    /// Why the last picture was not kept.
    pub reason: Option<Refusal>,
    /// The same in words; the name of the view if it was kept.
    pub why: String,
    /// Pixels that the board moves per picture, and the most that is still; none for single photographs.
    pub motion_px: Option<f64>,
    /// See `motion_px`.
    pub still_px: Option<f64>,
    /// Width of the board's edges, and the widest that is sharp.
    pub edge_width_px: Option<f64>,
    /// See `edge_width_px`.
    pub sharp_px: f64,
    /// Where the board is now.
    pub now: Option<Placement>,
    /// Fields of the picture (columns, rows) and the corners seen in each, row by row.
    pub grid: (usize, usize),
    /// See `grid`.
    pub corners: Vec<u32>,
    /// Views with a far, middle and near board.
    pub distances: [usize; 3],
    /// Views with a board that faces the camera, and with its left, right, upper and lower edge tilted away.
    pub tilts: [usize; 5],
    /// What the views so far say of the camera.
    pub knowledge: Option<Knowledge>,
    /// Why they say nothing.
    pub open: Option<String>,
    /// The view to take next.
    pub next: String,
    /// Where it has the board, as parts of the picture.
    pub next_place: (f64, f64),
    /// The edge of the print there, as pixels; empty where the lens does not show all of it.
    pub next_outline: Vec<(f64, f64)>,
    /// How often pictures were refused, by reason.
    pub refused: BTreeMap<Refusal, u64>,
}

/// What the views so far say of the (left) camera.
#[derive(Clone, Debug, Serialize)]
pub struct Knowledge {
    /// Of how many views.
    pub views: usize,
    /// The verdict, the worse of two cameras.
    pub verdict: String,
    /// What stands in its way and what to do about it.
    pub missing: Vec<(String, String)>,
    /// The focal length in pixels and its σ as a part of it; none when it is open.
    pub focal_px: f64,
    /// See `focal_px`.
    pub focal_sigma: Option<f64>,
    /// σ of a pixel, typically; none when it is open.
    pub pixel_sigma_px: Option<f64>,
    /// Root mean square error of the corners, pixels.
    pub rms_px: f64,
}

impl Capture {
    /// How it stands.
    pub fn status(&self) -> Status {
        Status::of(self)
    }
}

impl Status {
    fn of(capture: &Capture) -> Self {
        let (is_kept, reason, why) = match capture.last.as_ref().map(|decision| &decision.outcome) {
            None => (false, None, "waiting for a picture".to_owned()),
            Some(Outcome::Kept { name, .. }) => (true, None, name.clone()),
            Some(Outcome::Refused { reason, why }) => (false, Some(*reason), why.clone()),
        };
        let sight = capture.last.as_ref().map(|decision| &decision.sight);
        let now = sight.and_then(|sight| sight.placement);
        let placements = || capture.kept.iter().filter_map(|kept| kept.placement);
        let tilts = [None, Some(Side::Left), Some(Side::Right), Some(Side::Top), Some(Side::Bottom)];
        let distances = [Distance::Far, Distance::Middle, Distance::Near];
        let Coverage { columns, rows, corners } = capture.coverage();
        let wish = capture.wish();
        let is_film = capture.config.footage == Footage::Film;
        Self {
            frame: capture.frames,
            views: capture.kept.len(),
            wanted: capture.config.views,
            is_kept,
            reason,
            why,
            motion_px: sight.and_then(|sight| sight.motion_px).filter(|_| is_film),
            still_px: is_film.then_some(STILL_PX),
            edge_width_px: sight.and_then(|sight| sight.edge_width_px),
            sharp_px: capture.config.widest_edge_px,
            now,
            grid: (columns, rows),
            corners,
            distances: distances.map(|wanted| placements().filter(|kept| kept.distance() == wanted).count()),
            tilts: tilts.map(|wanted| placements().filter(|kept| kept.away() == wanted).count()),
            knowledge: knowledge(capture),
            open: capture.advice.as_ref().and_then(|advice| advice.solution.as_ref().err().cloned()),
            next: wish.words(now.as_ref()),
            next_place: wish.place,
            next_outline: outline(capture, &wish).unwrap_or_default(),
            refused: capture.refused.clone(),
        }
    }

    /// Lines for a terminal.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("views {}/{}   pictures {}", self.views, self.wanted, self.frame)];
        lines.push(match self.reason {
            _ if self.is_kept => format!("KEPT {}", self.why),
            Some(reason) => format!("{}: {}", reason.name().replace('_', " "), self.why),
            None => self.why.clone(),
        });
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        let motion = self
            .still_px
            .map_or_else(String::new, |still| format!("motion {} px (still: {still})   ", number(self.motion_px)));
        lines.push(format!("{motion}edges {} px (sharp: {})", number(self.edge_width_px), self.sharp_px));
        let beside = self.beside_the_grid();
        for (row, fields) in self.grid_lines().into_iter().enumerate() {
            lines.push(format!("  {fields}   {}", beside.get(row).map_or("", String::as_str)));
        }
        lines.push(format!("next: {}", self.next));
        if !self.refused.is_empty() {
            lines.push(format!("refused: {}", counted(&self.refused)));
        }
        lines.join("\n")
    }

    /// The coverage of the picture: `·` no corners, `░` some, `█` many; `+` where the board is, `o` where it should be.
    fn grid_lines(&self) -> Vec<String> {
        let (columns, rows) = self.grid;
        let field = |(x, y): (f64, f64)| {
            let at = |part: f64, count: usize| ((part.max(0.0) * count as f64) as usize).min(count - 1);
            (at(x, columns), at(y, rows))
        };
        let (now, next) = (self.now.map(|now| field(now.place)), field(self.next_place));
        let cell = |column: usize, row: usize| match self.corners[row * columns + column] {
            _ if now == Some((column, row)) => '+',
            _ if next == (column, row) => 'o',
            0 => '·',
            1..MANY => '░',
            _ => '█',
        };
        (0..rows).map(|row| (0..columns).flat_map(|column| [cell(column, row), ' ']).collect()).collect()
    }

    fn beside_the_grid(&self) -> Vec<String> {
        let [far, middle, near] = self.distances;
        let [facing, left, right, top, bottom] = self.tilts;
        let mut lines = vec![
            format!("distance: far {far}, middle {middle}, near {near}"),
            format!("tilted away: left {left}, right {right}, upper {top}, lower {bottom}; facing {facing}"),
        ];
        if let Some(known) = &self.knowledge {
            let part = |sigma: Option<f64>| {
                sigma.map_or_else(|| "open".to_owned(), |sigma| format!("± {:.2} %", sigma * 100.0))
            };
            let pixel = known.pixel_sigma_px.map_or_else(|| "open".to_owned(), |sigma| format!("{sigma:.2} px"));
            lines.push(format!(
                "with {} views: {}, focal length {:.1} px {}, σ of a pixel {pixel}",
                known.views,
                known.verdict,
                known.focal_px,
                part(known.focal_sigma)
            ));
            lines.extend(known.missing.iter().map(|(what, _)| format!("  {what}")));
        } else if let Some(open) = &self.open {
            lines.push(open.clone());
        }
        lines
    }
}

/// Corners from which on a field is well covered: three or four views.
const MANY: u32 = 6;

/// Points along each side of the outline: a lens bends them.
const POINTS: u32 = 8;

fn outline(capture: &Capture, wish: &Wish) -> Option<Vec<(f64, f64)>> {
    let camera = capture.left.camera();
    let pose = pose_of_next_view(&capture.target, camera, wish.place, wish.size, wish.away)?;
    let Rectangle { left, top, right, bottom } = capture.config.board.extent();
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let points = (0..4 * POINTS).map(|index| {
        let (from, to) = (corners[(index / POINTS) as usize], corners[((index / POINTS + 1) % 4) as usize]);
        let part = f64::from(index % POINTS) / f64::from(POINTS);
        let point = Point3::new(from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part, 0.0);
        let pixel = camera.project(&(pose * point))?;
        Some((pixel.x, pixel.y))
    });
    points.collect()
}

fn knowledge(capture: &Capture) -> Option<Knowledge> {
    let advice = capture.advice.as_ref()?;
    let solution = advice.solution.as_ref().ok()?;
    let solved = &solution.cameras[0];
    let verdict = solution.cameras.iter().map(|solved| solved.trust.verdict).min().unwrap_or(Verdict::NotDetermined);
    let reasons = solution.cameras.iter().flat_map(|solved| &solved.trust.reasons);
    let mut missing: Vec<(String, String)> = Vec::new();
    for reason in reasons {
        let said = (reason.what.clone(), reason.remedy.clone());
        if !missing.contains(&said) {
            missing.push(said);
        }
    }
    let finite = |value: f64| value.is_finite().then_some(value);
    Some(Knowledge {
        views: advice.views,
        verdict: verdict.to_string(),
        missing,
        focal_px: solved.numbers[0],
        focal_sigma: finite(solved.sigma[0] / solved.numbers[0]),
        pixel_sigma_px: solved.trust.projection.as_ref().and_then(|map| finite(map.quantile_px(0.5))),
        rms_px: solved.rms_px,
    })
}
