//! `parallax-calib convert`: camera files from other forms.

use super::Outcome;
use super::show::{describe, json_of};
use crate::cli::{ConvertArgs, FormatName, LensName, PairName, Unit};
use parallax_calib::formats::{self, Format, Unsaid};
use parallax_calib::{CameraPair, Pair};
use parallax_core::camera::Intrinsics;
use parallax_core::program::print;
use parallax_core::recording;

pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<Outcome> {
    let mut cameras = read(args)?;
    if let Some(size) = args.resize {
        cameras = cameras.resized(size.width, size.height);
    }
    let format = match args.format {
        FormatName::Ros => Format::Ros,
        FormatName::Kalibr => Format::Kalibr,
        FormatName::Opencv => Format::OpenCv,
        FormatName::Foxglove => Format::Foxglove,
    };
    let written = formats::write(&args.out, &cameras, format)?;
    if args.json {
        let right = cameras.right.as_ref().map(json_of);
        let object = serde_json::json!({ "wrote": written, "left": json_of(&cameras.left), "right": right });
        print(object);
    } else {
        for camera in [Some(&cameras.left), cameras.right.as_ref()].into_iter().flatten() {
            print(describe(camera));
        }
        for path in &written {
            print(format_args!("wrote {}", path.display()));
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
    let metres_per_unit = args.unit.map(|unit| match unit {
        Unit::Mm => 1e-3,
        Unit::Cm => 1e-2,
        Unit::M => 1.0,
    });
    match (&args.input, &args.numbers) {
        (Some(input), _) => {
            let unsaid = Unsaid {
                size,
                pair,
                metres_per_unit,
                model: args.model.map(LensName::ros_name),
                right: args.right.clone(),
                extrinsics: args.extrinsics.clone(),
                ignored: args.ignore.clone(),
            };
            Ok(formats::read(input, &unsaid)?)
        }
        (None, Some(numbers)) => {
            let intrinsics = Intrinsics { fx: numbers.fx, fy: numbers.fy, cx: numbers.cx, cy: numbers.cy };
            let size = size.ok_or_else(|| anyhow::anyhow!("expected the pictures' size: add --size or --images"))?;
            Ok(CameraPair::pinhole(intrinsics, size, numbers.baseline)?)
        }
        (None, None) => anyhow::bail!("expected a file or --fx, --fy, --cx and --cy"),
    }
}
