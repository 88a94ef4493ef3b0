//! Picture after picture until there are enough views, then the solution.

use super::events::Events;
use super::page::{self, Page};
use super::terminal::Terminal;
use crate::cli::CaptureArgs;
use crate::commands::Outcome;
use crate::commands::looking::{Seen, look};
use crate::commands::solve::{Task, answered, conclude, config};
use anyhow::Context as _;
use parallax_calib::Error;
use parallax_calib::capture::folder::Existing;
use parallax_calib::capture::gate::counted;
use parallax_calib::capture::{Capture, CaptureConfig, Enough, Facts, Folder, Footage, Pace, Taken};
use parallax_camera::{Arrival, Shot, Source};
use parallax_core::program::{print, stop_on_signal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long to wait for a picture before looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// The camera file in the output folder.
const CAMERA: &str = "camera.yaml";

pub(crate) fn run(args: &CaptureArgs) -> anyhow::Result<Outcome> {
    answered(args.json, capture(args))
}

fn capture(args: &CaptureArgs) -> anyhow::Result<Outcome> {
    let stop = stop_on_signal();
    let visitors = page::asked_for(args)?;
    let mut source = Source::open(&args.from).map_err(Error::from)?.with_both_eyes();
    let mut lost = source.damage().inspect(|damage| tracing::warn!("the source is damaged: {damage}")).is_some();
    let mut shot = Shot::default();
    let first = next(&mut source, &mut shot, stop, |what| {
        tracing::warn!("{what}");
        lost = true;
    });
    if first == Next::End {
        return Err(Error::Capture {
            what: format!("no picture came from {}", args.from),
            hint: "check the source: `parallax-edge devices` lists cameras, docs/cameras.md every kind of source"
                .to_owned(),
        }
        .into());
    }
    let mut capture = start(args, &source, &shot)?;
    let page = Page::start(visitors.as_ref())?;
    let (mut terminal, events) = (Terminal::start(), Events::new(args.json));
    loop {
        let kept = kept(&capture, args);
        let decision = capture.look(&shot).context(kept)?;
        events.decided(&decision);
        while let Some(advice) = capture.advice() {
            events.advised(advice);
        }
        let status = capture.status();
        terminal.show(&status);
        page.show(&capture, &status, &shot);
        if let Some(enough) = capture.is_enough() {
            terminal.say(match enough {
                Enough::Good => "enough views, and the verdict is good",
                Enough::Many => "twice as many views as were asked for",
            });
            break;
        }
        let came = next(&mut source, &mut shot, stop, |what| {
            terminal.say(what);
            page.lose(what);
            lost = true;
        });
        match came {
            Next::Shot => {}
            Next::ShotAfterLoss => capture.interrupt(),
            Next::End => break,
        }
    }
    terminal.finish();
    page.finish();
    finish(args, capture, lost, &events)
}

/// Opens the output folder and begins with the views that are in it.
fn start(args: &CaptureArgs, source: &Source, first: &Shot) -> anyhow::Result<Capture> {
    let sizes: Vec<(u32, u32)> =
        std::iter::once(&first.left).chain(&first.right).map(|frame| (frame.width, frame.height)).collect();
    let solve = config(&args.task);
    let facts = Facts::new(&args.task.board, &solve, &sizes, &args.from, &args.out);
    let folder = Folder::open(&args.out, &facts, if args.resume { Existing::GoOn } else { Existing::Refuse })?;
    let mut earlier = Vec::new();
    if !folder.is_empty() {
        let right: Vec<PathBuf> = (1..sizes.len()).map(|eye| folder.place(eye)).collect();
        let seen = look(&[folder.place(0)], &right, &args.task.board)?;
        earlier = seen.ok_or_else(|| Error::Stopped { path: args.out.join(CAMERA) })?.views;
    }
    let config = CaptureConfig {
        board: args.task.board.clone(),
        solve,
        views: args.views as usize,
        footage: if args.stills { Footage::Stills } else { Footage::Film },
        widest_edge_px: args.edge_width,
        pace: if source.frames().is_some() { Pace::Patient } else { Pace::Live },
    };
    Ok(Capture::new(config, sizes, folder, earlier))
}

/// Solves what was kept, as `solve` does.
fn finish(args: &CaptureArgs, capture: Capture, lost: bool, events: &Events) -> anyhow::Result<Outcome> {
    let (status, kept) = (capture.status(), kept(&capture, args));
    let Taken { views, sizes } = capture.finish()?;
    let solved = conclude(Task {
        board: &args.task.board,
        config: config(&args.task),
        seen: Seen { sizes, views, lost },
        out: &args.out.join(CAMERA),
        report: args.report.as_deref(),
        require: args.task.require,
    })
    .context(kept)?;
    events.done(&status, solved.json());
    if !args.json {
        let refused = if status.refused.is_empty() { "none".to_owned() } else { counted(&status.refused) };
        print(format_args!("{} views of {} pictures; refused: {refused}", status.views, status.frame));
        print(solved.text().trim_end());
    }
    Ok(solved.outcome)
}

/// What is safe whatever went wrong.
fn kept(capture: &Capture, args: &CaptureArgs) -> String {
    let (count, out) = (capture.views(), args.out.display());
    match count {
        1 => format!("1 view is kept in {out}, --resume goes on with it"),
        _ => format!("{count} views are kept in {out}, --resume goes on with them"),
    }
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A picture.
    Shot,
    /// A picture, and something was lost before it.
    ShotAfterLoss,
    /// Nothing more, or the user stopped it.
    End,
}

/// The next picture, whatever is lost before it.
fn next(source: &mut Source, shot: &mut Shot, stop: &AtomicBool, mut lost: impl FnMut(&str)) -> Next {
    let mut came = Next::Shot;
    while !stop.load(Ordering::Relaxed) {
        match source.next_into(shot, PATIENCE) {
            Ok(Arrival::Fresh { .. }) => return came,
            Ok(Arrival::Nothing) => {}
            Ok(Arrival::End) => return Next::End,
            Err(error) => {
                lost(&error.to_string());
                came = Next::ShotAfterLoss;
            }
        }
    }
    Next::End
}
