//! `--json`: a line on stdout for every picture that was looked at, for everything that the views say, and for the end.

use parallax_calib::capture::adviser::Advice;
use parallax_calib::capture::{Decision, Outcome, Status};
use parallax_core::program::print;
use serde_json::{Value, json};

/// Writes events, or nothing.
pub(super) struct Events {
    is_asked_for: bool,
}

impl Events {
    pub(super) const fn new(is_asked_for: bool) -> Self {
        Self { is_asked_for }
    }

    fn write(&self, event: impl FnOnce() -> Value) {
        if self.is_asked_for {
            print(event());
        }
    }

    /// A picture was kept or refused.
    pub(super) fn decided(&self, decision: &Decision) {
        self.write(|| {
            let sight = &decision.sight;
            let degrees = |(x, y): (f64, f64)| [x.to_degrees(), y.to_degrees()];
            let mut event = json!({
                "frame": decision.frame,
                "sequence": sight.moment.sequence,
                "motion_px": sight.motion_px,
                "edge_width_px": sight.edge_width_px,
                "place": sight.placement.map(|placement| placement.place),
                "size": sight.placement.map(|placement| placement.size),
                "tilt_degrees": sight.placement.map(|placement| degrees(placement.tilt)),
            });
            match &decision.outcome {
                Outcome::Kept { view, name } => {
                    (event["event"], event["view"], event["name"]) = (json!("kept"), json!(view), json!(name));
                }
                Outcome::Refused { reason, why } => {
                    (event["event"], event["reason"], event["why"]) = (json!("refused"), json!(reason), json!(why));
                }
            }
            event
        });
    }

    /// The views so far were solved.
    pub(super) fn advised(&self, advice: &Advice) {
        self.write(|| match &advice.solution {
            Err(why) => json!({ "event": "open", "views": advice.views, "why": why }),
            Ok(solution) => {
                let mut event = parallax_calib::summary::json(solution);
                if let Some(event) = event.as_object_mut() {
                    // Of every view, the end tells.
                    event.remove("views");
                    event.insert("event".to_owned(), json!("solved"));
                    event.insert("views".to_owned(), json!(advice.views));
                }
                event
            }
        });
    }

    /// The end: counts, and what `solve --json` says.
    pub(super) fn done(&self, status: &Status, solution: Value) {
        self.write(|| {
            json!({
                "event": "done",
                "frames": status.frame,
                "views": status.views,
                "refused": status.refused,
                "solution": solution,
            })
        });
    }
}
