//! `parallax-calib convert`: camera files from other forms.

use super::Outcome;
use super::show::{describe, json_of};
use crate::cli::{ConvertArgs, PairName};
use parallax_calib::{CameraPair, Pair};
use parallax_core::camera::Intrinsics;
use parallax_core::recording;
use std::io::Write;

pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<Outcome> {
    let mut cameras = read(args)?;
    if let Some(size) = args.resize {
        cameras = cameras.resized(size.width, size.height);
    }
    let written = cameras.write(&args.out)?;
    let mut stdout = std::io::stdout().lock();
    if args.json {
        let right = cameras.right.as_ref().map(json_of);
        let object = serde_json::json!({ "wrote": written, "left": json_of(&cameras.left), "right": right });
        writeln!(stdout, "{object}")?;
    } else {
        for (path, camera) in written.iter().zip([Some(&cameras.left), cameras.right.as_ref()].into_iter().flatten()) {
            writeln!(stdout, "{}\nwrote {}", describe(camera), path.display())?;
        }
    }
    Ok(Outcome::Done)
}

fn read(args: &ConvertArgs) -> anyhow::Result<CameraPair> {
    let size = match (&args.images, args.size) {
        (Some(images), _) => Some(recording::picture_size(images)?),
        (None, size) => size.map(|size| (size.width, size.height)),
    };
    let pair = match args.pair {
        PairName::Color => Pair::Color,
        PairName::Gray => Pair::Gray,
    };
    match (&args.input, &args.numbers) {
        (Some(input), _) => Ok(parallax_calib::from_file(input, size, pair)?),
        (None, Some(numbers)) => {
            let intrinsics = Intrinsics { fx: numbers.fx, fy: numbers.fy, cx: numbers.cx, cy: numbers.cy };
            let size = size.ok_or_else(|| anyhow::anyhow!("expected the pictures' size: add --size or --images"))?;
            Ok(CameraPair::pinhole(intrinsics, size, numbers.baseline)?)
        }
        (None, None) => anyhow::bail!("expected a file or --fx, --fy, --cx and --cy"),
    }
}
