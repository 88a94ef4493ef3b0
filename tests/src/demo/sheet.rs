//! The picture sheet: for a few test pictures the frame, the depth learned without labels, and the masks without
//! pre-training, with it, and as they should be.

use super::story::DemoConfig;
use crate::onnx::OnnxModel;
use crate::programs::{argument, run_to_end};
use anyhow::{Result, bail, ensure};
use parallax_core::depth::DepthMap;
use parallax_core::files::{AtomicFolder, write_picture};
use parallax_core::labels::{LabelMap, LabelledSet};
use parallax_core::model_input::ModelInput;
use parallax_core::picture::{depth_in_colors, mask_in_colors, overlay, sheet};
use std::path::Path;

/// Test pictures on the sheet.
const ROWS: usize = 5;
/// Size of one picture on the sheet.
const CELL: (u32, u32) = (256, 128);

/// What the sheet shows.
pub(super) struct SheetParts {
    set: LabelledSet,
    chosen: Vec<usize>,
    disparity: OnnxModel,
    input: ModelInput,
    masks_without: Vec<LabelMap>,
    masks_with: Vec<LabelMap>,
}

impl SheetParts {
    /// Runs the arms `none` and `depth` and the depth network over pictures spread over the test set.
    pub(super) fn collect(config: &DemoConfig) -> Result<Self> {
        let set = LabelledSet::open(&config.path("unseen/labelled"), None)?;
        let rows = ROWS.min(set.len());
        let chosen: Vec<usize> = (0..rows).map(|row| (2 * row + 1) * set.len() / (2 * rows)).collect();
        let pictures = copy_pictures(&set, &chosen, &config.path("sheet_pictures"))?;
        let (run, model) = (config.file("pretrained"), config.path("pretrained.onnx"));
        run_to_end("parallax-train", &["export", &run, "--out", &argument(&model)])?;
        let masks = |arm: &str| masks_of(config, arm, &pictures, &set, &chosen);
        Ok(Self {
            masks_without: masks("none")?,
            masks_with: masks("depth")?,
            disparity: OnnxModel::load(&model)?,
            input: ModelInput::imagenet(config.size.0, config.size.1),
            set,
            chosen,
        })
    }

    fn row(&self, row: usize) -> Result<Vec<(String, image::RgbImage)>> {
        let (frame, truth) = self.set.pair(self.chosen[row])?;
        let mut input = vec![0.0; self.input.len()];
        self.input.prepare(&frame, &mut input);
        let disparity = self.disparity.run(&input)?;
        // Only the order matters for colours: they follow inverse depth, which is what the network gives.
        let metres = disparity.iter().map(|&value| 1.0 / (0.01 + 9.99 * value)).collect();
        let [.., height, width] = self.disparity.output_shape() else { bail!("the depth model gives no maps") };
        let depth = DepthMap { width: *width as u32, height: *height as u32, metres };
        let classes = self.set.classes();
        let captioned = |caption: &str, picture: image::RgbImage| (caption.to_owned(), picture);
        Ok(vec![
            captioned("frame", frame.clone()),
            captioned("depth, no labels", depth_in_colors(&depth)),
            captioned("masks, no pre-training", overlay(&frame, &self.masks_without[row], classes)),
            captioned("masks, depth pre-training", overlay(&frame, &self.masks_with[row], classes)),
            captioned("truth", mask_in_colors(&truth, classes)),
        ])
    }
}

/// Draws the sheet.
pub(super) fn write_sheet(parts: &SheetParts, path: &Path) -> Result<()> {
    let rows: Vec<_> = (0..parts.chosen.len()).map(|row| parts.row(row)).collect::<Result<_>>()?;
    write_picture(path, &sheet(&rows, CELL).into())?;
    Ok(())
}

/// Copies the chosen pictures into a folder of their own and returns it.
fn copy_pictures(set: &LabelledSet, chosen: &[usize], path: &Path) -> Result<String> {
    let folder = AtomicFolder::create(path)?;
    for &index in chosen {
        write_picture(&folder.partial().join(format!("{}.png", set.name(index))), &set.image(index)?.into())?;
    }
    Ok(argument(&folder.finish()?))
}

/// The masks that an arm's float model gives on the board.
fn masks_of(
    config: &DemoConfig,
    arm: &str,
    pictures: &str,
    set: &LabelledSet,
    chosen: &[usize],
) -> Result<Vec<LabelMap>> {
    let file = |suffix: &str| config.file(&format!("sheet_{arm}{suffix}"));
    let (run, model, bundle, out) = (config.file(arm), file(".onnx"), file(".bundle"), file("_masks"));
    run_to_end("parallax-train", &["export", &run, "--out", &model])?;
    run_to_end("parallax-train", &["pack", &model, "--run", &run, "--out", &bundle])?;
    run_to_end("parallax-edge", &["run", "--from", pictures, "--bundle", &bundle, "--out", &out])?;
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&out).join("masks"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    ensure!(files.len() == chosen.len(), "expected {} masks in {out}, found {}", chosen.len(), files.len());
    files.iter().map(|file| Ok(LabelMap::read(file, set.classes())?)).collect()
}
