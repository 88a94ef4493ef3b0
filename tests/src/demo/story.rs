//! The story: render, pre-train, fine-tune three arms, export, quantize, pack, run.

use super::sheet::{SheetParts, write_sheet};
use super::summary::{Bytes, DepthScores, MillisecondsPerFrame, MiouByArm, Seconds, Steps, Summary};
use crate::programs::{argument, show_and_run};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How large the demonstration is.
#[derive(Clone, Debug)]
pub struct DemoConfig {
    /// Folder for everything it makes; must not exist or be empty.
    pub out: PathBuf,
    /// Seed of the place, the draw of labels and the networks.
    pub seed: u64,
    /// Size of the pictures and of the networks' input.
    pub size: (u32, u32),
    /// Stereo frames to pre-train on.
    pub frames: usize,
    /// Labelled pictures of the test.
    pub test_pictures: usize,
    /// Steps of depth pre-training from stereo.
    pub stereo_steps: u64,
    /// Steps from stereo and video together, after those.
    pub video_steps: u64,
    /// Steps of fine-tuning, each arm.
    pub finetune_steps: u64,
}

impl DemoConfig {
    /// The size that `scripts/demo` runs: about ten minutes on two cores.
    pub fn full(out: PathBuf) -> Self {
        Self {
            out,
            seed: 1,
            size: (256, 128),
            frames: 320,
            test_pictures: 60,
            stereo_steps: 1200,
            video_steps: 150,
            finetune_steps: 200,
        }
    }

    /// A size that shows only that every part works: seconds rather than minutes.
    pub fn quick(out: PathBuf) -> Self {
        Self {
            out,
            seed: 1,
            size: (96, 64),
            frames: 12,
            test_pictures: 6,
            stereo_steps: 3,
            video_steps: 2,
            finetune_steps: 3,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    pub(super) fn file(&self, name: &str) -> String {
        argument(&self.path(name))
    }
}

/// Labels that the paper fine-tunes on.
const LABELS: usize = 16;
/// The arms: name, and whether and how the pre-trained network is transferred.
const ARMS: [(&str, Option<&str>); 3] = [("none", None), ("depth", Some("whole")), ("depth_encoder", Some("encoder"))];

/// Runs the whole story and writes `summary.json` and `sheet.png` beside what the programs wrote.
///
/// # Errors
/// A program is not built or fails.
pub fn tell(config: &DemoConfig) -> Result<Summary> {
    let start = Instant::now();
    let mut seconds = Seconds { render: render(config)?, ..Seconds::default() };
    seconds.pretrain = pretrain(config)?;
    let depth = evaluate_depth(config)?;
    seconds.finetune = ARMS.iter().map(|arm| finetune(config, arm)).sum::<Result<f64>>()?;
    let scores: Vec<Value> = ARMS.iter().map(|(arm, _)| evaluate(config, arm)).collect::<Result<_>>()?;
    export_and_quantize(config)?;
    pack(config, "depth", "depth.int8.onnx", "depth.int8.bundle")?;
    pack(config, "depth", "depth.onnx", "depth.float.bundle")?;
    let int8 = evaluate_bundle(config)?;
    run_board(config)?;
    let miou = MiouByArm {
        location_prior: number(&scores[0], "/location_prior/miou")?,
        none: number(&scores[0], "/miou")?,
        depth: number(&scores[1], "/miou")?,
        depth_encoder: number(&scores[2], "/miou")?,
        int8: number(&int8, "/miou")?,
    };
    let ms_per_frame = MillisecondsPerFrame {
        float: milliseconds(config, "depth.float.bundle")?,
        int8: milliseconds(config, "depth.int8.bundle")?,
    };
    write_sheet(&SheetParts::collect(config)?, &config.path("sheet.png"))?;
    let bytes = Bytes { float: size_of(&config.path("depth.onnx"))?, int8: size_of(&config.path("depth.int8.onnx"))? };
    seconds.total = start.elapsed().as_secs_f64();
    seconds.rest = seconds.total - seconds.render - seconds.pretrain - seconds.finetune;
    let summary = Summary {
        seed: config.seed,
        steps: Steps { stereo: config.stereo_steps, video: config.video_steps, finetune: config.finetune_steps },
        labelled: [LABELS, config.test_pictures],
        seconds,
        verdict: Summary::verdict_of(&miou),
        miou,
        depth,
        ms_per_frame,
        bytes,
    };
    let text = serde_json::to_string_pretty(&summary)?;
    parallax_core::files::write_bytes(&config.path("summary.json"), text.as_bytes())?;
    Ok(summary)
}

/// Three drives through one place: to train on, to test depth on, and labelled pictures of others.
fn render(config: &DemoConfig) -> Result<f64> {
    let size = format!("{}x{}", config.size.0, config.size.1);
    let render = |name: &str, options: &[&str]| -> Result<f64> {
        let seed = config.seed.to_string();
        let mut arguments = vec!["render", "--seed", &seed, "--size", &size];
        arguments.extend(options);
        let out = config.file(name);
        arguments.extend(["--out", &out, "--json"]);
        Ok(show_and_run("parallax-world", &owned(&arguments))?.seconds)
    };
    let (frames, labels) = (config.frames.to_string(), LABELS.to_string());
    let unseen = (config.frames / 6).max(6).to_string();
    let test = config.test_pictures.to_string();
    // Fast enough that the drive passes 130 m of the place; the unseen drive starts after them.
    Ok(render("drive", &["--frames", &frames, "--speed", "4", "--stereo", "--labels", &labels])?
        + render("unseen", &["--frames", &unseen, "--speed", "4", "--start", "150", "--labels", &test])?)
}

/// Depth from stereo first, where the motion between the pictures is known and learning is fast; then stereo and video
/// together, which adds what moves past the robot.
fn pretrain(config: &DemoConfig) -> Result<f64> {
    let (data, size) = (config.file("drive/drive.mcap"), format!("{}x{}", config.size.0, config.size.1));
    let seed = config.seed.to_string();
    let pretrain = |from: &str, steps: u64, init: Option<&str>, out: &str| -> Result<f64> {
        let (steps, out) = (steps.to_string(), config.file(out));
        let mut arguments = vec!["pretrain", "--from", from, "--data", &data, "--network", "slim", "--size", &size];
        arguments.extend(["--steps", &steps, "--seed", &seed, "--out", &out]);
        if let Some(init) = init {
            // A learned network wants small steps.
            arguments.extend(["--init", init, "--lr", "3e-4"]);
        }
        Ok(show_and_run("parallax-train", &owned(&arguments))?.seconds)
    };
    let stereo = config.file("pretrained_stereo");
    Ok(pretrain("stereo", config.stereo_steps, None, "pretrained_stereo")?
        + pretrain("stereo,video", config.video_steps, Some(&stereo), "pretrained")?)
}

fn evaluate_depth(config: &DemoConfig) -> Result<DepthScores> {
    let (run, data) = (config.file("pretrained"), config.file("unseen/drive.mcap"));
    let arguments = owned(&["evaluate", &run, "--depth", "--data", &data, "--json"]);
    let scores = show_and_run("parallax-train", &arguments)?.result;
    Ok(DepthScores {
        abs_rel: number(&scores, "/abs_rel")?,
        abs_rel_ground_plane: number(&scores, "/baselines/ground_plane/abs_rel")?,
        abs_rel_constant: number(&scores, "/baselines/constant/abs_rel")?,
        delta1: number(&scores, "/delta1")?,
        delta1_ground_plane: number(&scores, "/baselines/ground_plane/delta1")?,
    })
}

fn finetune(config: &DemoConfig, (arm, transfer): &(&str, Option<&str>)) -> Result<f64> {
    let (labels, init) = (config.file("drive/labelled"), config.file("pretrained"));
    let (size, steps) = (format!("{}x{}", config.size.0, config.size.1), config.finetune_steps.to_string());
    let (count, seed, out) = (LABELS.to_string(), config.seed.to_string(), config.file(arm));
    let mut arguments = vec!["finetune", "--labels", &labels, "--count", &count, "--seed", &seed];
    arguments.extend(["--network", "slim", "--size", &size, "--steps", &steps, "--out", &out]);
    if let Some(transfer) = transfer {
        arguments.extend(["--init", &init, "--transfer", transfer]);
    }
    Ok(show_and_run("parallax-train", &owned(&arguments))?.seconds)
}

fn evaluate(config: &DemoConfig, arm: &str) -> Result<Value> {
    let (run, labels) = (config.file(arm), config.file("unseen/labelled"));
    Ok(show_and_run("parallax-train", &owned(&["evaluate", &run, "--labels", &labels, "--all", "--json"]))?.result)
}

fn export_and_quantize(config: &DemoConfig) -> Result<()> {
    let (run, float, int8) = (config.file("depth"), config.file("depth.onnx"), config.file("depth.int8.onnx"));
    let data = config.file("drive/drive.mcap");
    show_and_run("parallax-train", &owned(&["export", &run, "--out", &float]))?;
    show_and_run("parallax-train", &owned(&["quantize", &float, "--data", &data, "--out", &int8]))?;
    Ok(())
}

fn pack(config: &DemoConfig, arm: &str, model: &str, bundle: &str) -> Result<()> {
    let (model, run, bundle) = (config.file(model), config.file(arm), config.file(bundle));
    show_and_run("parallax-train", &owned(&["pack", &model, "--run", &run, "--out", &bundle])).map(drop)
}

fn evaluate_bundle(config: &DemoConfig) -> Result<Value> {
    let (bundle, labels) = (config.file("depth.int8.bundle"), config.file("unseen/labelled"));
    let arguments = ["evaluate", "--bundle", &bundle, "--labels", &labels, "--include-training", "--json"];
    Ok(show_and_run("parallax-edge", &owned(&arguments))?.result)
}

fn run_board(config: &DemoConfig) -> Result<()> {
    let (from, bundle, out) =
        (config.file("unseen/drive.mcap"), config.file("depth.int8.bundle"), config.file("masks"));
    show_and_run("parallax-edge", &owned(&["run", "--from", &from, "--bundle", &bundle, "--out", &out])).map(drop)
}

fn milliseconds(config: &DemoConfig, bundle: &str) -> Result<f64> {
    let bundle = config.file(bundle);
    let report = show_and_run("parallax-edge", &owned(&["bench", "--bundle", &bundle, "--runs", "30", "--json"]))?;
    number(&report.result, "/p50_ms")
}

fn size_of(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).with_context(|| format!("cannot see {}", path.display()))?.len())
}

/// A number in a JSON object; the error names what is missing.
fn number(value: &Value, pointer: &str) -> Result<f64> {
    value.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no number {pointer} in {value}"))
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}
