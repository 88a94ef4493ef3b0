//! The report's drawings, as SVG inside the page.

use crate::solve::Solution;
use maud::{Markup, html};

/// How much longer residuals are drawn over the picture than they are.
pub(super) const MAGNIFIED: f64 = 100.0;
/// Half of the width of a square chart.
const HALF: f64 = 200.0;
/// Widest side of a picture's drawing.
const WIDTH: f64 = 480.0;

/// Every corner's error as a point; the circle is the root mean square.
pub(super) fn residuals(solution: &Solution, camera: usize) -> Markup {
    let errors: Vec<_> = solution
        .views
        .iter()
        .flat_map(|view| &view.corners)
        .filter(|corner| corner.camera == camera)
        .filter_map(|corner| Some((corner.error?, corner.is_used)))
        .collect();
    let rms = solution.cameras[camera].rms_px;
    // Four times the rms shows all of a normal cloud; what lies outside is drawn at the border.
    let reach = (4.0 * rms).max(1e-3);
    let place = |value: f64| (value / reach).clamp(-1.0, 1.0) * HALF;
    let step = tick(reach);
    let ticks = (-4..=4).map(|index| f64::from(index) * step).filter(|value| value.abs() <= reach);
    html! {
        svg viewBox=(format!("{} {} {} {}", -HALF - 5.0, -HALF - 5.0, 2.0 * HALF + 10.0, 2.0 * HALF + 10.0))
            role="img" aria-label="residuals" {
            line.axis x1=(-HALF) x2=(HALF) y1="0" y2="0" {}
            line.axis x1="0" x2="0" y1=(-HALF) y2=(HALF) {}
            circle.axis cx="0" cy="0" r=(format!("{:.1}", rms / reach * HALF)) {}
            @for value in ticks {
                line.axis x1=(format!("{:.1}", place(value))) x2=(format!("{:.1}", place(value))) y1="-3" y2="3" {}
                @if value != 0.0 {
                    text x=(format!("{:.1}", place(value))) y="14" text-anchor="middle" { (short(value)) }
                }
            }
            text x=(HALF) y="-4" text-anchor="end" { "px" }
            @for (error, is_used) in errors {
                circle class=(if is_used { "seen" } else { "dropped" }) r="2"
                    cx=(format!("{:.1}", place(error.x))) cy=(format!("{:.1}", place(error.y))) {}
            }
        }
    }
}

/// Every corner's error as a line from where it was seen.
pub(super) fn residuals_in_picture(solution: &Solution, camera: usize, size: (u32, u32)) -> Markup {
    let scale = WIDTH / f64::from(size.0);
    let corners = solution.views.iter().flat_map(|view| &view.corners).filter(|corner| corner.camera == camera);
    let lines: Vec<_> = corners
        .filter_map(|corner| {
            let error = corner.error?;
            let (from, to) = (corner.pixel * scale, (corner.pixel + error * MAGNIFIED) * scale);
            Some((from, to, corner.is_used))
        })
        .collect();
    let height = f64::from(size.1) * scale;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label="residuals over the picture" {
            @for (from, to, is_used) in lines {
                line class=(if is_used { "arrow" } else { "arrow dropped" })
                    x1=(format!("{:.1}", from.x)) y1=(format!("{:.1}", from.y))
                    x2=(format!("{:.1}", to.x)) y2=(format!("{:.1}", to.y)) {}
                circle class=(if is_used { "seen" } else { "dropped" }) r="1.5"
                    cx=(format!("{:.1}", from.x)) cy=(format!("{:.1}", from.y)) {}
            }
        }
    }
}

/// Numbers over fields of the picture, darker for larger ones; NaN stays empty.
pub(super) fn field(
    columns: usize,
    rows: usize,
    size: (u32, u32),
    values: &[f64],
    label: impl Fn(f64) -> String,
) -> Markup {
    let height = WIDTH * f64::from(size.1) / f64::from(size.0);
    let (w, h) = (WIDTH / columns.max(1) as f64, height / rows.max(1) as f64);
    let largest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let fields = values.iter().enumerate().filter(|(_, value)| value.is_finite());
    let fields = fields.map(|(index, &value)| {
        let share = if largest > 0.0 { value / largest } else { 0.0 };
        ((index % columns) as f64 * w, (index / columns) as f64 * h, share, label(value))
    });
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label="over the picture" {
            @for (x, y, share, text) in fields {
                rect x=(format!("{x:.1}")) y=(format!("{y:.1}")) width=(format!("{w:.1}")) height=(format!("{h:.1}"))
                    fill="#0969da" fill-opacity=(format!("{:.2}", 0.05 + 0.6 * share)) {}
                text x=(format!("{:.1}", x + w / 2.0)) y=(format!("{:.1}", y + h / 2.0 + 3.0)) text-anchor="middle"
                    { (text) }
            }
        }
    }
}

/// A bar for each name; grey where it is not used.
pub(super) fn bars(values: &[(String, f64, bool)]) -> Markup {
    const HEIGHT: f64 = 140.0;
    let step = (1000.0 / values.len().max(1) as f64).min(40.0);
    let most = values.iter().map(|(_, value, _)| *value).filter(|value| value.is_finite()).fold(1e-9, f64::max);
    let width = step * values.len() as f64 + 40.0;
    html! {
        svg viewBox=(format!("0 0 {width:.0} {}", HEIGHT + 20.0)) role="img" aria-label="rms of each view" {
            text x="0" y="12" { (short(most)) }
            text x="0" y=(HEIGHT) { "0" }
            line.axis x1="35" x2=(width) y1=(HEIGHT) y2=(HEIGHT) {}
            @for (index, (name, value, is_used)) in values.iter().enumerate() {
                rect class=(if *is_used { "seen" } else { "dropped" }) x=(format!("{:.1}", 38.0 + index as f64 * step))
                    width=(format!("{:.1}", step * 0.8)) y=(format!("{:.1}", HEIGHT - bar(*value, most, HEIGHT - 10.0)))
                    height=(format!("{:.1}", bar(*value, most, HEIGHT - 10.0)))
                    { title { (name) ": " (format!("{value:.3} px")) } }
            }
        }
    }
}

fn bar(value: f64, most: f64, height: f64) -> f64 {
    if value.is_finite() { value / most * height } else { height }
}

/// A round distance of ticks, of which three or four fit into `reach`.
fn tick(reach: f64) -> f64 {
    let power = 10f64.powf((reach / 3.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| reach / step <= 4.0).unwrap_or(power)
}

fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (reach, expected) in [(1.0, 0.5), (0.9, 0.5), (4.0, 1.0), (0.35, 0.1), (10.0, 5.0)] {
            let found = tick(reach);
            assert!((found - expected).abs() < 1e-9, "{reach}: {found}");
        }
    }
}
