//! `parallax-edge evaluate`: the score of a bundle on a labelled set.

use parallax_core::bundle::Bundle;
use parallax_core::files::read_text;
use parallax_core::labels::LabelledSet;
use parallax_core::program::{print, stop_on_signal};
use parallax_edge::Engine;
use parallax_edge::evaluation::{Evaluation, Pictures, evaluate};

use super::{Outcome, progress_bar, warn_of_float};
use crate::cli::EvaluateArgs;

/// Runs the command.
pub(crate) fn run(args: &EvaluateArgs) -> anyhow::Result<Outcome> {
    let bundle = Bundle::open(&args.bundle)?;
    let engine = Engine::load_with(&bundle, args.model.as_deref(), args.engine.config()?)?;
    warn_of_float(&engine);
    let set = LabelledSet::open(&args.labels, args.classes.as_deref())?;
    let pictures = match &args.only {
        Some(path) => Pictures::Only(read_text(path)?.split_whitespace().map(str::to_owned).collect()),
        None if args.include_training => Pictures::All,
        None => Pictures::Unseen,
    };
    let bar = progress_bar(Some(set.len()));
    let evaluation = evaluate(&bundle, &engine, &set, &pictures, stop_on_signal(), |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    show(&evaluation, args.json)?;
    Ok(if evaluation.interrupted { Outcome::DoneWithLostInput } else { Outcome::Done })
}

fn show(evaluation: &Evaluation, json: bool) -> anyhow::Result<()> {
    if json {
        print(serde_json::to_string(evaluation)?);
        return Ok(());
    }
    print(&evaluation.score);
    if evaluation.left_out > 0 {
        print(format_args!("{} pictures left out (trained on, or not asked for)", evaluation.left_out));
    }
    if evaluation.interrupted {
        print("stopped before the end: the score is of the pictures done so far");
    }
    Ok(())
}
