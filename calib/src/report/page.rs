//! The page, from top to bottom.

use super::charts;
use crate::solve::{Fate, Solution, SolvedCamera, SolvedView};
use crate::stereo::Pair;
use crate::uncertainty::{Reason, Verdict};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Colours and widths of the page; the charts take theirs from the same classes.
const STYLE: &str = include_str!("style.css");

/// The page.
pub fn page(solution: &Solution) -> String {
    let title = format!("Calibration with {}", solution.board);
    let used = solution.used_views().count();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p {
                    (used) " of " (solution.views.len()) " views used, rms " (px(solution.rms_px)) ", σ of a corner "
                    (px(solution.sigma_px)) "."
                    @if let Some([x, y]) = solution.warp_m {
                        " The board is bent by " (plus_minus(x.0 * 1e3, x.1 * 1e3, 2)) " mm along its width and "
                        (plus_minus(y.0 * 1e3, y.1 * 1e3, 2)) " mm along its height."
                    }
                }
                @for (index, solved) in solution.cameras.iter().enumerate() {
                    (camera(solution, index, solved))
                }
                @if let Some(pair) = &solution.pair { (stereo(pair)) }
                (views(solution))
                footer { "parallax-calib " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
    .into_string()
}

fn camera(solution: &Solution, index: usize, solved: &SolvedCamera) -> Markup {
    let trust = &solved.trust;
    let size = (solved.camera.width, solved.camera.height);
    html! {
        section {
            h2 { (solved.camera.name) " " (verdict(trust.verdict)) }
            (reasons(&trust.reasons))
            @if let Some(next) = &trust.next_view {
                p {
                    "The view that would help most: " b { (next.to_string()) } " (pixels "
                    (format!("{:.0}", (1.0 - next.improvement) * 100.0)) " % more certain)."
                }
            }
            (parameters(solved))
            div.charts {
                figure {
                    (charts::residuals(solution, index))
                    figcaption {
                        "Seen minus expected, each corner. A round cloud is noise; a shape in it is a lens that the model does "
                        "not describe. Grey: left out. rms " (px(solved.rms_px))
                        @if let Some(held_out) = trust.held_out_px {
                            ", on views that took no part " (px(held_out)) " (median)"
                        }
                        "."
                    }
                }
                figure {
                    (charts::residuals_in_picture(solution, index, size))
                    figcaption {
                        "The same over the picture, " (charts::MAGNIFIED) " times as long. Neighbours that point the same way "
                        "tell of a lens that the model does not describe."
                    }
                }
                @if let Some(map) = &trust.projection {
                    figure {
                        (charts::field(map.columns, map.rows, size, &map.sigma_px, |sigma| format!("{sigma:.2}")))
                        figcaption {
                            "How far a pixel may be off (σ, pixels) because the numbers above are not known better: "
                            (px(map.quantile_px(0.5))) " typically, " (px(map.quantile_px(1.0))) " at worst."
                        }
                    }
                }
                figure {
                    (coverage(solved, size))
                    figcaption {
                        "Corners in each field: " (format!("{:.0}", trust.coverage.part() * 100.0))
                        " % of the fields have some. The lens is guessed where there are none."
                    }
                }
            }
        }
    }
}

fn verdict(verdict: Verdict) -> Markup {
    let class = match verdict {
        Verdict::Good => "good",
        Verdict::Usable => "usable",
        Verdict::NotDetermined => "bad",
    };
    html! { span.verdict .(class) { (verdict) } }
}

fn reasons(reasons: &[Reason]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            ul { @for reason in reasons { li { b { (reason.what) } ": " (reason.remedy) } } }
        }
    }
}

fn coverage(solved: &SolvedCamera, size: (u32, u32)) -> Markup {
    let coverage = &solved.trust.coverage;
    let counts: Vec<f64> = coverage.corners.iter().map(|&count| f64::from(count)).collect();
    charts::field(coverage.columns, coverage.rows, size, &counts, |count| format!("{count:.0}"))
}

fn parameters(solved: &SolvedCamera) -> Markup {
    let names = solved.lens.parameter_names();
    html! {
        table {
            caption { (solved.lens.name()) ", " (solved.camera.width) "x" (solved.camera.height) }
            tr { @for name in names { th { (name) } } }
            tr {
                @for (index, number) in solved.numbers.iter().enumerate() {
                    td { (format!("{number:.*}", digits(index))) }
                }
            }
            tr.sigma {
                @for (index, sigma) in solved.sigma.iter().enumerate() {
                    td { "± " (format!("{sigma:.*}", digits(index))) }
                }
            }
        }
    }
}

/// Digits after the point: the first four numbers are pixels, the others coefficients.
const fn digits(index: usize) -> usize {
    if index < 4 { 3 } else { 5 }
}

fn stereo(pair: &Pair) -> Markup {
    let translation = pair.right_from_left.translation.vector * 1e3;
    html! {
        section {
            h2 { "The pair " (verdict(pair.verdict)) }
            (reasons(&pair.reasons))
            table {
                tr { th { "baseline" } td { (plus_minus(pair.baseline_m() * 1e3, pair.baseline_sigma_m() * 1e3, 2)) " mm" } }
                tr { th { "turned by" } td { (format!("{:.3}°", pair.rotation_rad().to_degrees())) } }
                tr {
                    th { "left camera in the right one" }
                    td { (format!("{:.2}, {:.2}, {:.2} mm", translation.x, translation.y, translation.z)) }
                }
                tr {
                    th { "rows of the same corner apart, as taken" }
                    td { (px(pair.before.typical_px)) " in the median view, at worst " (px(pair.before.worst_px)) }
                }
                tr {
                    th { "… rectified" }
                    td { (px(pair.after.typical_px)) " in the median view, at worst " (px(pair.after.worst_px)) }
                }
            }
        }
    }
}

fn views(solution: &Solution) -> Markup {
    let errors: Vec<(String, f64, bool)> = solution
        .views
        .iter()
        .filter(|view| !view.corners.is_empty())
        .map(|view| (view.name.clone(), view.rms_px, view.fate == Fate::Used))
        .collect();
    html! {
        section {
            h2 { "Views" }
            figure.wide { (charts::bars(&errors)) figcaption { "rms of each view, pixels; grey: left out." } }
            table {
                tr {
                    th { "view" } th { "rms" } th { "predicted to" } th { "corners" } th { "tilt" } th { "distance" } th { "" }
                }
                @for view in &solution.views { (view_row(view)) }
            }
            p { "Predicted to: rms of the view's corners by cameras that were fitted without it." }
            @for (view, error) in solution.lone_views() {
                p { b { (view) } " stands alone: " (crate::summary::lone(error)) "; add views beside it." }
            }
        }
    }
}

fn view_row(view: &SolvedView) -> Markup {
    let used = view.corners.iter().filter(|corner| corner.is_used).count();
    let fate = match &view.fate {
        Fate::Used if used < view.corners.len() => format!("{} corners left out", view.corners.len() - used),
        Fate::Used => String::new(),
        Fate::NoBoard(reasons) => reasons.join("; "),
        Fate::Dropped(reason) => format!("left out: {reason}"),
    };
    html! {
        tr .unused[view.fate != Fate::Used] {
            td { (view.name) }
            td { @if !view.corners.is_empty() { (px(view.rms_px)) } }
            td {
                @match view.held_out_px {
                    Some(error) if error.is_finite() => (px(error)),
                    Some(_) => "not at all",
                    None => "",
                }
            }
            td { (used) "/" (view.corners.len()) }
            td { @if let Some(tilt) = view.tilt_rad { (format!("{:.0}°", tilt.to_degrees())) } }
            td { @if let Some(pose) = &view.camera_from_board { (format!("{:.2} m", pose.translation.vector.norm())) } }
            td { (fate) }
        }
    }
}

fn px(value: f64) -> String {
    format!("{value:.3} px")
}

fn plus_minus(value: f64, sigma: f64, digits: usize) -> String {
    format!("{value:.digits$} ± {sigma:.digits$}")
}

#[cfg(test)]
mod tests;
