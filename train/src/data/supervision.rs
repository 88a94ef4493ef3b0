//! What teaches depth, and the settings of each way to teach it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::loss::photometric::OutOfView;

/// What teaches depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Supervision {
    /// Neighbouring frames; the motion between them is learned too, or given.
    Video,
    /// The other eye of a rectified pair; the motion is the baseline.
    Stereo,
    /// What a range sensor measured, dense or sparse.
    Range,
}

impl Supervision {
    /// `video`, `stereo` or `range`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Stereo => "stereo",
            Self::Range => "range",
        }
    }
}

/// Settings of the terms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TermsConfig {
    /// Factor λ of each term.
    pub weights: Weights,
    /// Where the motion between neighbouring frames comes from.
    pub poses: PoseSource,
    /// Which measurements the range term takes; none: lidar where there is some, else depth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeChannel>,
    /// What is known of the speed, for the scale of learned motion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<SpeedSource>,
    /// What is learned from places outside a source's picture.
    #[serde(skip_serializing_if = "OutOfView::is_border")]
    pub out_of_view: OutOfView,
}

/// Factor λ of each term (Lao et al., eq. 1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    /// Of video.
    pub video: f64,
    /// Of stereo.
    pub stereo: f64,
    /// Of range.
    pub range: f64,
    /// Of speed.
    pub speed: f64,
}

impl Default for Weights {
    /// 1, and 0.05 for speed: the published weight, small enough that scale is corrected over the run rather than per frame.
    fn default() -> Self {
        Self { video: 1.0, stereo: 1.0, range: 1.0, speed: 0.05 }
    }
}

impl Weights {
    /// The factor of a kind of supervision.
    #[must_use]
    pub fn of(&self, supervision: Supervision) -> f32 {
        let weight = match supervision {
            Supervision::Video => self.video,
            Supervision::Stereo => self.stereo,
            Supervision::Range => self.range,
        };
        weight as f32
    }
}

impl FromStr for Weights {
    type Err = String;

    /// `video=1,range=0.5`; terms that are not named keep their default.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut weights = Self::default();
        for part in text.split(',') {
            let (name, number) =
                part.split_once('=').ok_or_else(|| format!("expected TERM=NUMBER, like range=0.5, got `{part}`"))?;
            let weight = match name.trim() {
                "video" => &mut weights.video,
                "stereo" => &mut weights.stereo,
                "range" => &mut weights.range,
                "speed" => &mut weights.speed,
                other => return Err(format!("expected video, stereo, range or speed, got `{other}`")),
            };
            *weight = match number.trim().parse::<f64>() {
                Ok(number) if number.is_finite() && number > 0.0 => number,
                _ => return Err(format!("expected a weight above 0, got `{number}`")),
            };
        }
        Ok(weights)
    }
}

/// Where the motion between neighbouring frames comes from; written `learn`, `given` or as a path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum PoseSource {
    /// A pose network learns it.
    #[default]
    Learned,
    /// From what the recording says: its transforms, or `poses.txt` in a folder.
    Given,
    /// From a pose file elsewhere.
    File(PathBuf),
}

impl PoseSource {
    /// Whether a pose network is needed.
    #[must_use]
    pub fn is_learned(&self) -> bool {
        *self == Self::Learned
    }

    /// The pose file, where one is named.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Learned | Self::Given => None,
        }
    }
}

impl From<String> for PoseSource {
    fn from(text: String) -> Self {
        match text.as_str() {
            "learn" => Self::Learned,
            "given" => Self::Given,
            _ => Self::File(text.into()),
        }
    }
}

impl From<PoseSource> for String {
    fn from(source: PoseSource) -> Self {
        match source {
            PoseSource::Learned => "learn".into(),
            PoseSource::Given => "given".into(),
            PoseSource::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// Which of a recording's measurements the range term takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RangeChannel {
    /// Sparse measurements of a range sensor.
    Lidar,
    /// Dense depth: of a depth camera, or exact in a rendered recording; the `depth/` pictures of a folder.
    Depth,
}

impl fmt::Display for RangeChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lidar => "lidar",
            Self::Depth => "depth",
        })
    }
}

/// What is known of the speed; written as a number of metres per second or as a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum SpeedSource {
    /// The same at all times, metres per second.
    Constant(f64),
    /// A file of time stamps and speeds, see [`super::speed`].
    File(PathBuf),
}

impl From<String> for SpeedSource {
    fn from(text: String) -> Self {
        text.parse().map_or_else(|_| Self::File(text.into()), Self::Constant)
    }
}

impl From<SpeedSource> for String {
    fn from(source: SpeedSource) -> Self {
        match source {
            SpeedSource::Constant(speed) => speed.to_string(),
            SpeedSource::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// Where a camera's intrinsics come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntrinsicsSource {
    /// From camera files or the recording.
    #[default]
    Given,
    /// Learned with depth and motion, for footage nobody can calibrate.
    Learn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_are_not_named_keep_their_default() {
        let weights: Weights = "range=0.5,video=2".parse().unwrap();
        assert_eq!(weights, Weights { video: 2.0, range: 0.5, ..Weights::default() });
        for (text, says) in [("range", "TERM=NUMBER"), ("lidar=1", "`lidar`"), ("range=0", "above 0"), ("range=x", "x")]
        {
            assert!(text.parse::<Weights>().unwrap_err().contains(says), "{text}");
        }
    }

    #[test]
    fn settings_come_back_from_what_was_written() {
        let config = TermsConfig {
            poses: PoseSource::File("track.txt".into()),
            speed: Some(SpeedSource::Constant(1.5)),
            range: Some(RangeChannel::Depth),
            out_of_view: OutOfView::Masked,
            ..TermsConfig::default()
        };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<TermsConfig>(&text).unwrap(), config);
    }
}
