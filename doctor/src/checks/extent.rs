//! Is there enough footage, and is it of one piece?

use parallax_core::recording::Eye;

use super::super::cuts::Cuts;
use super::super::report::{Check, Exhibit, Verdict};
use super::percent;

/// Frames with a partner on either side below which there is nothing to learn, whatever they show: every other check would
/// rest on one or two pairs.
const FEWEST_TARGETS: usize = 4;
/// Below this the checks rest on a few pairs, and no training was tried with so little: one number cannot be told from the
/// luck of a moment.
const FEW_TARGETS: usize = 30;
/// A cut spoils the two frames beside it. A few do no harm; where every twentieth step is one, a tenth of training is on
/// pairs of two places.
const CUTS_FAIL: f64 = 0.05;
/// Cuts that are named one by one.
const MOST_NAMED: usize = 6;

/// Frames that training can learn from: those with a partner `gap` before and after them. `own` are those of this
/// recording, `all` those of all recordings together.
#[must_use]
pub fn length(frames: usize, gap: usize, own: usize, all: usize) -> Check {
    let verdict = match all {
        _ if own == 0 => Verdict::Fail,
        0..FEWEST_TARGETS => Verdict::Fail,
        FEWEST_TARGETS..FEW_TARGETS => Verdict::Unknown,
        _ => Verdict::Pass,
    };
    let mut finding = format!("{frames} frames, {own} of them with partners {gap} before and after");
    if all != own {
        finding = format!("{finding}; {all} in all recordings");
    }
    finding += match verdict {
        Verdict::Fail => ": too few to learn anything",
        Verdict::Unknown => ": too few to say more than what these few show",
        _ => "",
    };
    Check::new("length", verdict, finding)
        .or_else_do("record more: minutes of footage, along several ways through the place")
        .with_numbers([("frames", frames as f64), ("targets", own as f64), ("all_targets", all as f64)])
}

/// Frames that do not follow the one before.
#[must_use]
pub fn cuts(cuts: &Cuts) -> Check {
    const NAME: &str = "cuts";
    if cuts.looked_at == 0 {
        return Check::new(NAME, Verdict::Unknown, "no two successive frames could be looked at");
    }
    let share = cuts.after.len() as f64 / cuts.looked_at as f64;
    let warn = if cuts.after.is_empty() { Verdict::Pass } else { Verdict::Warn };
    let of = if cuts.looked_at < cuts.steps { format!(" of {}", cuts.steps) } else { String::new() };
    let mut finding = format!("{} cuts in {}{of} steps from frame to frame", cuts.after.len(), cuts.looked_at);
    if !cuts.after.is_empty() {
        let named: Vec<String> = cuts.after.iter().take(MOST_NAMED).map(ToString::to_string).collect();
        let more = if cuts.after.len() > MOST_NAMED { ", …" } else { "" };
        finding = format!("{finding} ({}): after frame {}{more}", percent(share), named.join(", "));
    }
    let exhibit = |start: &usize| Exhibit {
        caption: format!("frames {start} and {}: another place", start + 1),
        frames: vec![(*start, Eye::Left), (start + 1, Eye::Left)],
        tracks: Vec::new(),
    };
    Check::new(NAME, warn.max(Verdict::of(share, 1.0, CUTS_FAIL)), finding)
        .or_else_do("cut the footage there, and give each unbroken piece as --data of its own")
        .with_numbers([("cuts", cuts.after.len() as f64), ("steps", cuts.looked_at as f64)])
        .showing(cuts.after.iter().map(exhibit))
}
