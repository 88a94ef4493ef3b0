//! What the demonstration measured: `summary.json` and the table on the terminal.

use serde::Serialize;

/// Everything measured in one run of the demonstration.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Seed of the place, the draw of labels and the networks.
    pub seed: u64,
    /// Training steps.
    pub steps: Steps,
    /// Labelled pictures for training, and for the test.
    pub labelled: [usize; 2],
    /// Seconds taken.
    pub seconds: Seconds,
    /// Mean IoU on the test pictures.
    pub miou: MiouByArm,
    /// Depth on a drive that was not trained on.
    pub depth: DepthScores,
    /// One thread, the network alone.
    pub ms_per_frame: MillisecondsPerFrame,
    /// Sizes of the model files.
    pub bytes: Bytes,
    /// What to conclude, in a sentence.
    pub verdict: String,
}

/// Training steps of each stage.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Steps {
    /// Depth pre-training from stereo.
    pub stereo: u64,
    /// Depth pre-training from stereo and video, after those.
    pub video: u64,
    /// Fine-tuning, each arm.
    pub finetune: u64,
}

/// Seconds of each stage.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Seconds {
    /// Everything.
    pub total: f64,
    /// Rendering.
    pub render: f64,
    /// Depth pre-training.
    pub pretrain: f64,
    /// Fine-tuning, all arms.
    pub finetune: f64,
    /// The rest.
    pub rest: f64,
}

/// Mean IoU of each arm, 0 to 1.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MiouByArm {
    /// The most frequent label at each pixel; no picture looked at.
    pub location_prior: f64,
    /// No pre-training.
    pub none: f64,
    /// Depth pre-training, whole network transferred.
    pub depth: f64,
    /// Depth pre-training, encoder transferred, fresh decoder.
    pub depth_encoder: f64,
    /// The `depth` arm in int8.
    pub int8: f64,
}

/// Depth against truth, median-scaled, beside what no network is needed for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DepthScores {
    /// Mean of |depth - truth| / truth.
    pub abs_rel: f64,
    /// The same for the best ground plane.
    pub abs_rel_ground_plane: f64,
    /// The same for the best constant.
    pub abs_rel_constant: f64,
    /// Share of pixels with max(depth / truth, truth / depth) < 1.25.
    pub delta1: f64,
    /// The same for the best ground plane.
    pub delta1_ground_plane: f64,
}

/// Milliseconds of one frame through the network.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MillisecondsPerFrame {
    /// The float model.
    pub float: f64,
    /// The int8 model.
    pub int8: f64,
}

/// Bytes of the model files.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bytes {
    /// The float model.
    pub float: u64,
    /// The int8 model.
    pub int8: u64,
}

impl Summary {
    /// What the numbers say about the claim that depth pre-training helps.
    pub fn verdict_of(miou: &MiouByArm) -> String {
        let points = 100.0 * (miou.depth.max(miou.depth_encoder) - miou.none);
        if points > 0.0 {
            format!("depth pre-training gained {points:.1} points of mIoU over none in this one short run")
        } else {
            format!("depth pre-training did NOT help in this one short run ({points:.1} points of mIoU)")
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (miou, depth) = (&self.miou, &self.depth);
        writeln!(f, "segmentation of {} unseen pictures, {} labels      mIoU", self.labelled[1], self.labelled[0])?;
        for (name, value) in [
            ("location prior (no picture looked at)", miou.location_prior),
            ("none: from scratch", miou.none),
            ("depth pre-training, encoder only", miou.depth_encoder),
            ("depth pre-training, whole network", miou.depth),
            ("  … quantized to int8", miou.int8),
        ] {
            writeln!(f, "  {name:<46} {:6.2} %", 100.0 * value)?;
        }
        writeln!(f, "depth on an unseen drive              Abs Rel   δ<1.25")?;
        writeln!(f, "  {:<34} {:8.3}  {:6.1} %", "network", depth.abs_rel, 100.0 * depth.delta1)?;
        let (abs_rel, delta1) = (depth.abs_rel_ground_plane, 100.0 * depth.delta1_ground_plane);
        writeln!(f, "  {:<34} {abs_rel:8.3}  {delta1:6.1} %", "best ground plane")?;
        writeln!(f, "  {:<34} {:8.3}", "best constant", depth.abs_rel_constant)?;
        writeln!(f, "model                                 float     int8")?;
        let (float, int8) = (self.ms_per_frame.float, self.ms_per_frame.int8);
        writeln!(f, "  {:<30} {float:12.1} {int8:8.1}", "ms per frame, one thread")?;
        let (float, int8) = (self.bytes.float as f64 / 1e6, self.bytes.int8 as f64 / 1e6);
        writeln!(f, "  {:<30} {float:12.2} {int8:8.2}", "megabytes")?;
        write!(f, "{} ({:.0} s in all)", self.verdict, self.seconds.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_admits_when_depth_did_not_help() {
        let mut miou = MiouByArm { location_prior: 0.2, none: 0.4, depth: 0.45, depth_encoder: 0.42, int8: 0.45 };
        assert!(Summary::verdict_of(&miou).contains("gained 5.0 points"));
        (miou.depth, miou.depth_encoder) = (0.35, 0.38);
        assert!(Summary::verdict_of(&miou).contains("did NOT help"));
    }
}
