//! `--frame-gap N|auto`: frames between partners, as given or as the doctor proposes.

use parallax_core::recording::Recording;
use parallax_doctor::{DoctorConfig, DriveConfig, propose_frame_gap};
use parallax_train::Error;
use parallax_train::data::Supervision;
use parallax_train::pretraining::PretrainConfig;

/// Frames between partners, as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameGap {
    /// This many.
    Frames(usize),
    /// As the footage asks for.
    Auto,
}

impl FrameGap {
    /// The number, 1 where it is to be found.
    pub(crate) fn or_one(self) -> usize {
        match self {
            Self::Frames(frames) => frames,
            Self::Auto => 1,
        }
    }
}

/// `N` or `auto`.
pub(crate) fn parse_frame_gap(text: &str) -> Result<FrameGap, String> {
    match text {
        "auto" => Ok(FrameGap::Auto),
        _ => text.parse().map(FrameGap::Frames).map_err(|_| format!("expected a number or auto, got `{text}`")),
    }
}

/// What the doctor proposes for a run; partners do not matter without video.
pub(crate) fn proposed_frame_gap(config: &PretrainConfig) -> anyhow::Result<usize> {
    if !config.from.contains(&Supervision::Video) {
        return Ok(1);
    }
    // Windows of full-resolution frames: the frames' own size.
    let (width, height) = match (config.width, config.height) {
        (0, 0) => Recording::open(&config.data[0]).map(|recording| recording.size())?,
        (width, height) => (width as u32, height as u32),
    };
    let drive = DriveConfig {
        camera: config.camera.clone(),
        right_camera: config.right_camera.clone(),
        width: width as usize,
        height: height as usize,
    };
    let gap = propose_frame_gap(&DoctorConfig { data: config.data.clone(), drive, frame_gap: 1, pairs: 1 })?;
    let gap = gap.ok_or_else(|| Error::Data {
        what: "found no two frames between which the camera moves".into(),
        path: config.data[0].clone(),
        hint: "`parallax-train doctor` tells more; video teaches depth only where the camera moves",
    })?;
    tracing::info!("frame gap {gap}, as the motion in the footage asks for");
    Ok(gap)
}
