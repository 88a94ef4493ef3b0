//! The run's log, one JSON line per logged step, and the loss curves drawn from it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use parallax_core::picture::draw_text;
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

use super::LossTerm;
use crate::Error;

/// One line of `log.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Steps done after this one.
    pub step: u64,
    /// The loss of this step's batch.
    pub loss: f64,
    /// Its parts.
    pub terms: std::collections::BTreeMap<String, f64>,
    /// The loss on the validation footage after this step, where it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// The learning rate used.
    pub learning_rate: f64,
    /// Seconds this step took.
    pub seconds: f64,
}

impl LogLine {
    pub(super) fn new(step: u64, terms: &[LossTerm], learning_rate: f64, seconds: f64) -> Self {
        Self {
            step,
            loss: terms.iter().map(|term| term.value).sum(),
            terms: terms.iter().map(|term| (term.name.to_owned(), term.value)).collect(),
            validation: None,
            learning_rate,
            seconds,
        }
    }
}

/// The log of a run, open for appending.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    lines: Vec<LogLine>,
}

impl Log {
    /// Opens the log; lines of steps after `done` belong to work that was lost and are dropped.
    pub(super) fn open(path: &Path, done: u64) -> Result<Self, Error> {
        let mut lines = if path.is_file() && done > 0 { read(path)? } else { Vec::new() };
        lines.retain(|line| line.step <= done);
        let mut text = Vec::new();
        for line in &lines {
            text.extend_from_slice(&to_json(line));
        }
        parallax_core::files::write_bytes(path, &text)?;
        let file = OpenOptions::new().append(true).open(path).map_err(Error::io("open", path))?;
        Ok(Self { path: path.to_path_buf(), file, lines })
    }

    pub(super) fn append(&mut self, line: LogLine) -> Result<(), Error> {
        self.file.write_all(&to_json(&line)).map_err(Error::io("write", &self.path))?;
        self.lines.push(line);
        Ok(())
    }

    /// The lines so far, those of earlier sittings included.
    pub(super) fn lines(&self) -> &[LogLine] {
        &self.lines
    }

    /// Brings what was logged to the disk: a checkpoint must not outlive its log.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::io("write", &self.path))
    }

    /// Draws total and terms over the steps.
    pub(super) fn draw(&self, path: &Path) -> Result<(), Error> {
        if self.lines.len() < 2 {
            return Ok(());
        }
        draw_curves(&self.lines, path)
    }
}

/// Reads a `log.jsonl`; an unfinished last line (a killed run) is left out.
///
/// # Errors
/// When the file cannot be read, or a line that was finished is no line of a log.
pub fn read(path: &Path) -> Result<Vec<LogLine>, Error> {
    let text = parallax_core::files::read_text(path)?;
    let finished = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Error::Run {
            what: format!("line {} of the log is damaged: {error}", number + 1),
            path: path.to_path_buf(),
            hint: "remove the line: it is the record of one step, and no weight depends on it",
        })
    };
    finished.lines().enumerate().map(line).collect()
}

fn to_json(line: &LogLine) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text
}

const WIDTH: u32 = 900;
const HEIGHT: u32 = 500;
const MARGIN: u32 = 44;

fn draw_curves(lines: &[LogLine], path: &Path) -> Result<(), Error> {
    let mut pixels = vec![0_u8; (WIDTH * HEIGHT * 3) as usize];
    plot(lines, &mut pixels).map_err(|error| Error::Drawing { what: "loss curves", reason: error.to_string() })?;
    let Some(mut picture) = image::RgbImage::from_raw(WIDTH, HEIGHT, pixels) else {
        return Err(Error::Drawing { what: "loss curves", reason: "the picture has the wrong size".into() });
    };
    caption(lines, &mut picture);
    Ok(parallax_core::files::write_picture(path, &picture.into())?)
}

/// What the axes and colours mean. Drawn with the fixed font of [`parallax_core::picture`]: the plotting library's text
/// needs a font file, which a bare machine lacks.
fn caption(lines: &[LogLine], picture: &mut image::RgbImage) {
    let black = image::Rgb([0; 3]);
    let last = &lines[lines.len() - 1];
    draw_text(picture, (4, MARGIN - 6), &format!("{:.3}", highest(lines)), black);
    draw_text(picture, (4, HEIGHT - MARGIN - 6), "0", black);
    draw_text(picture, (WIDTH - MARGIN - 60, HEIGHT - MARGIN + 8), &format!("step {}", last.step), black);
    draw_text(picture, (MARGIN, 6), &format!("loss {:.4}", last.loss), black);
    for (index, (name, value)) in last.terms.iter().enumerate() {
        let (red, green, blue) = Palette99::pick(index).to_rgba().rgb();
        let x = MARGIN + 120 + 200 * index as u32;
        draw_text(picture, (x, 6), &format!("{name} {value:.5}"), image::Rgb([red, green, blue]));
    }
    if let Some((_, loss)) = validations(lines).last() {
        draw_text(picture, (MARGIN, 22), &format!("validation {loss:.4}"), image::Rgb(VALIDATION_COLOR));
    }
}

/// The colour of the loss on footage that is not trained on.
const VALIDATION_COLOR: [u8; 3] = [90, 0, 140];

fn validations(lines: &[LogLine]) -> impl Iterator<Item = (f64, f64)> {
    lines.iter().filter_map(|line| Some((line.step as f64, line.validation?)))
}

/// The top of the vertical axis.
fn highest(lines: &[LogLine]) -> f64 {
    let total = smoothed(lines.iter().map(|line| (line.step as f64, line.loss)));
    total.into_iter().chain(validations(lines)).map(|(_, loss)| loss).fold(1e-9, f64::max) * 1.05
}

type PlotResult = Result<(), Box<dyn std::error::Error>>;

/// Total (black), terms and validation (in their captions' colours) over the steps.
fn plot(lines: &[LogLine], pixels: &mut [u8]) -> PlotResult {
    let names: Vec<&String> = lines[lines.len() - 1].terms.keys().collect();
    let total = smoothed(lines.iter().map(|line| (line.step as f64, line.loss)));
    let terms: Vec<Vec<(f64, f64)>> = names
        .iter()
        .map(|name| smoothed(lines.iter().filter_map(|line| Some((line.step as f64, *line.terms.get(*name)?)))))
        .collect();
    let last_step = lines[lines.len() - 1].step as f64;
    let highest = highest(lines);

    let root = BitMapBackend::with_buffer(pixels, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root).margin(MARGIN).build_cartesian_2d(0.0..last_step, 0.0..highest)?;
    for tenth in 0..=10 {
        let (x, y) = (last_step * f64::from(tenth) / 10.0, highest * f64::from(tenth) / 10.0);
        chart.draw_series([PathElement::new(vec![(x, 0.0), (x, highest)], RGBColor(225, 225, 225))])?;
        chart.draw_series([PathElement::new(vec![(0.0, y), (last_step, y)], RGBColor(225, 225, 225))])?;
    }
    for (index, points) in terms.into_iter().enumerate() {
        chart.draw_series(LineSeries::new(points, Palette99::pick(index).stroke_width(1)))?;
    }
    chart.draw_series(LineSeries::new(total, BLACK.stroke_width(2)))?;
    let [red, green, blue] = VALIDATION_COLOR;
    chart.draw_series(LineSeries::new(validations(lines), RGBColor(red, green, blue).stroke_width(2)).point_size(3))?;
    root.present()?;
    Ok(())
}

/// A running mean over about a fiftieth of the run: single batches differ more than the learning of many steps.
fn smoothed(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = points.collect();
    let weight = 1.0 / (points.len() as f64 / 50.0).max(1.0);
    let mut mean = points.first().map_or(0.0, |(_, value)| *value);
    points
        .into_iter()
        .map(|(step, value)| {
            mean += weight * (value - mean);
            (step, mean)
        })
        .collect()
}
