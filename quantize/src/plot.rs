//! The report as a picture: one row for each layer, from the input down to the output.
//!
//! Blue: signal-to-noise ratio of the layer's result in the running int8 model; grey dot: its own rounding alone. Red, where
//! layers were measured one by one: what the layer alone costs, to the right of the middle line, or gains, to the left.

use std::path::Path;

use image::{Rgb, RgbImage};
use parallax_core::picture::draw_text;
use plotters::prelude::*;

use super::report::QuantizeReport;
use super::{QuantizeError, Result};

const ROW: u32 = 14;
const TOP: u32 = 34;
/// Left ends and widths of the three columns.
const NAMES: u32 = 6;
const NOISE: (u32, u32) = (330, 260);
const COST: (u32, u32) = (630, 240);
const WIDTH: u32 = 890;
/// The right end of the decibel scale: more than any layer of 8 bits reaches.
const MOST_DB: f64 = 60.0;
const BLACK: Rgb<u8> = Rgb([0; 3]);

/// Draws the report.
///
/// # Errors
/// The picture cannot be drawn or written.
pub fn draw(report: &QuantizeReport, path: &Path) -> Result<()> {
    let height = TOP + ROW * report.layers.len() as u32 + 12;
    let mut pixels = vec![255_u8; (WIDTH * height * 3) as usize];
    bars(report, &mut pixels, height).map_err(|error| QuantizeError::Drawing(error.to_string()))?;
    let wrong_size = || QuantizeError::Drawing("the picture has the wrong size".to_owned());
    let mut picture = RgbImage::from_raw(WIDTH, height, pixels).ok_or_else(wrong_size)?;
    captions(report, &mut picture);
    Ok(parallax_core::files::write_picture(path, &picture.into())?)
}

fn bars(report: &QuantizeReport, pixels: &mut [u8], height: u32) -> Result<(), Box<dyn std::error::Error>> {
    let root = BitMapBackend::with_buffer(pixels, (WIDTH, height)).into_drawing_area();
    let at =
        |(left, width): (u32, u32), share: f64| (f64::from(left) + share.clamp(0.0, 1.0) * f64::from(width)) as i32;
    let rule = |x: i32| PathElement::new(vec![(x, TOP as i32), (x, height as i32 - 8)], RGBColor(200, 200, 200));
    for tick in 0..=6 {
        root.draw(&rule(at(NOISE, f64::from(tick) / 6.0)))?;
    }
    let largest = largest_cost(report);
    if largest.is_some() {
        root.draw(&rule(at(COST, 0.5)))?;
    }
    for (row, layer) in report.layers.iter().enumerate() {
        let y = (TOP + ROW * row as u32) as i32;
        let bar = |from: i32, to: i32, color: RGBColor| {
            Rectangle::new([(from.min(to), y + 2), (from.max(to), y + ROW as i32 - 3)], color.filled())
        };
        root.draw(&bar(at(NOISE, 0.0), at(NOISE, layer.snr_db / MOST_DB), RGBColor(90, 140, 210)))?;
        let own = (at(NOISE, layer.own_snr_db / MOST_DB), y + ROW as i32 / 2);
        root.draw(&Circle::new(own, 3, RGBColor(110, 110, 110).filled()))?;
        if let (Some(largest), Some(cost)) = (largest, report.cost_of(&layer.node)) {
            root.draw(&bar(at(COST, 0.5), at(COST, 0.5 + 0.5 * cost / largest), RGBColor(200, 70, 60)))?;
        }
    }
    root.present()?;
    Ok(())
}

/// The end of the cost scale; none where no layer was measured by itself.
fn largest_cost(report: &QuantizeReport) -> Option<f64> {
    let costs = report.layers.iter().filter_map(|layer| report.cost_of(&layer.node));
    costs.map(f64::abs).reduce(f64::max).map(|largest| largest.max(1e-3))
}

/// What the columns and rows mean, in the fixed font of [`parallax_core::picture`]: the plotting library's text needs a font
/// file, which a bare machine lacks.
fn captions(report: &QuantizeReport, picture: &mut RgbImage) {
    let text = |picture: &mut RgbImage, x: u32, y: u32, words: &str| draw_text(picture, (x, y), words, BLACK);
    text(picture, NAMES, 4, "layer");
    text(picture, NOISE.0, 4, "SNR dB: bar in int8, dot alone");
    text(picture, NOISE.0, 20, "0");
    text(picture, NOISE.0 + NOISE.1 - 12, 20, &format!("{MOST_DB:.0}"));
    if let Some(largest) = largest_cost(report) {
        let unit = if report.whole.as_ref().is_some_and(|whole| whole.float.miou_percent.is_some()) {
            "mIoU points"
        } else {
            "% of pixels"
        };
        text(picture, COST.0, 4, &format!("cost alone, {unit}"));
        text(picture, COST.0 + COST.1 / 2, 20, "0");
        text(picture, COST.0 + COST.1 - 36, 20, &format!("{largest:.2}"));
    }
    for (row, layer) in report.layers.iter().enumerate() {
        // The end of a long name says more than its beginning.
        let name: Vec<char> = layer.node.chars().collect();
        let shown: String = name[name.len().saturating_sub(NAME_LENGTH)..].iter().collect();
        text(picture, NAMES, TOP + ROW * row as u32, &shown);
    }
}

/// Letters of a name that fit beside the bars.
const NAME_LENGTH: usize = 38;
