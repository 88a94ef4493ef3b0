//! From recordings to a report: which pairs are looked at, and all checks on them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use parallax_core::recording::Eye;
use parallax_vision::footage::pair::is_same_picture;
use parallax_vision::footage::statistics::spread;
use parallax_vision::footage::{PairMeasure, blur, exposure};
use rayon::prelude::*;

use super::checks::camera::LensQuestion;
use super::checks::{camera, extent, motion, pictures, stereo as stereo_checks, timing};
use super::cuts::Cuts;
use super::drive::{Drive, DriveConfig, View};
use super::frame::FrameMeasure;
use super::frame_gap::{CANDIDATES, GapMeasure, propose};
use super::report::{Check, DriveReport, Report, SCHEMA, Verdict};
use super::self_calibration::{LensEstimate, calibrate, combine};
use super::stereo::{StereoGeometry, StereoMeasure};
use super::windows::{MOST_WINDOWS, Window, window_starts};
use crate::DoctorError;

/// Pairs that the frame gap is chosen by, at each gap: a median over more changes little.
const GAP_PAIRS: usize = 24;
/// Moments at which the eyes are compared: 300 matches each.
const STEREO_MOMENTS: usize = 40;

/// What is looked at, and how closely.
#[derive(Debug, Clone, PartialEq)]
pub struct DoctorConfig {
    /// Recordings or folders.
    pub data: Vec<PathBuf>,
    /// Camera files and the size that training will have.
    pub drive: DriveConfig,
    /// Frames between partners.
    pub frame_gap: usize,
    /// Pairs of each recording that are looked at, at most, spread over it.
    pub pairs: usize,
}

impl DoctorConfig {
    fn check(&self) -> Result<(), DoctorError> {
        let wrong = |what: String, hint| Err(DoctorError::Settings { what, hint });
        if self.data.is_empty() {
            return wrong("there is nothing to look at".into(), "name a recording or a folder of frames");
        }
        if self.frame_gap == 0 || self.pairs == 0 {
            return wrong("--frame-gap and --pairs must be at least 1".into(), "leave them out for the defaults");
        }
        let (width, height) = (self.drive.width, self.drive.height);
        if !(64..=4096).contains(&width) || !(32..=4096).contains(&height) {
            let what = format!("expected a size from 64x32 to 4096 pixels, got {width}x{height}");
            return wrong(what, "give the size that training will have, for example 640x192");
        }
        Ok(())
    }
}

/// Looks at all recordings; `progress` is told how much of how much is done.
///
/// # Errors
/// A setting makes no sense, or a recording cannot be opened. Frames that cannot be read are a finding, not an error.
pub fn examine(config: &DoctorConfig, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Report, DoctorError> {
    config.check()?;
    let drives = open_all(config)?;
    let work: usize =
        drives.iter().map(|drive| drive.as_ref().map_or(0, |drive| Plan::new(drive, config).work())).sum();
    let targets: usize = drives.iter().flatten().map(|drive| targets(drive, config.frame_gap)).sum();
    let done = AtomicUsize::new(0);
    let tick = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, work);
    let reports: Vec<DriveReport> = config
        .data
        .iter()
        .zip(&drives)
        .map(|(path, drive)| match drive {
            Ok(drive) => examine_drive(path, drive, config, targets, &tick),
            Err(misfit) => misfit_report(path, misfit.clone()),
        })
        .collect();
    progress(work, work);
    let verdict = Verdict::of_drives(&reports);
    Ok(Report {
        schema: SCHEMA,
        verdict,
        width: config.drive.width,
        height: config.drive.height,
        frame_gap: config.frame_gap,
        proposed_frame_gap: common_gap(reports.iter().map(|report| (report.frame_gap, report.frames))),
        drives: reports,
    })
}

/// The frame gap that suits all recordings together; none where the camera always stands.
///
/// # Errors
/// As [`examine`].
pub fn propose_frame_gap(config: &DoctorConfig) -> Result<Option<usize>, DoctorError> {
    config.check()?;
    let drives = open_all(config)?;
    let proposals = drives.iter().flatten().map(|drive| {
        let gaps: Vec<GapMeasure> = measure_gaps(drive, &|| ()).into_iter().map(|(measure, _)| measure).collect();
        (propose(&gaps, config.drive.width), drive.recording.len())
    });
    Ok(common_gap(proposals))
}

/// Opens all recordings before any is looked at. A camera that does not fit its pictures is a finding.
fn open_all(config: &DoctorConfig) -> Result<Vec<Result<Drive, String>>, DoctorError> {
    let open = |path: &PathBuf| match Drive::open(path, &config.drive) {
        Ok(drive) => Ok(Ok(drive)),
        Err(DoctorError::Core(error @ parallax_core::Error::Camera { .. })) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    };
    config.data.iter().map(open).collect()
}

fn misfit_report(path: &Path, misfit: String) -> DriveReport {
    let check = Check::new("camera file", Verdict::Fail, misfit)
        .or_else_do("give the camera file of these pictures, at their size: `parallax-calib convert --help`");
    DriveReport {
        path: path.to_path_buf(),
        frames: 0,
        pairs: 0,
        verdict: Verdict::Fail,
        checks: vec![check],
        flow_histogram: Vec::new(),
        gaps: Vec::new(),
        frame_gap: None,
    }
}

/// The middle proposal, each counted by its recording's frames.
fn common_gap(proposals: impl Iterator<Item = (Option<usize>, usize)>) -> Option<usize> {
    let mut proposals: Vec<(usize, usize)> = proposals.filter_map(|(gap, frames)| Some((gap?, frames))).collect();
    proposals.sort_unstable();
    let half = proposals.iter().map(|(_, frames)| frames).sum::<usize>().div_ceil(2);
    let mut counted = 0;
    proposals.into_iter().find_map(|(gap, frames)| {
        counted += frames;
        (counted >= half).then_some(gap)
    })
}

/// Which frames of a recording are looked at.
struct Plan {
    /// First frames of pairs.
    starts: Vec<usize>,
    /// Frames at which the eyes are compared.
    moments: Vec<usize>,
}

impl Plan {
    fn new(drive: &Drive, config: &DoctorConfig) -> Self {
        let frames = drive.recording.len();
        let starts = spread(frames.saturating_sub(config.frame_gap).max(1), config.pairs);
        let paired: Vec<usize> = (0..frames).filter(|index| drive.recording.has_frame(*index, Eye::Right)).collect();
        let moments = spread(paired.len(), STEREO_MOMENTS.min(config.pairs)).into_iter().map(|at| paired[at]);
        Self { moments: moments.collect(), starts }
    }

    fn work(&self) -> usize {
        self.starts.len() + self.moments.len() + CANDIDATES.len() + MOST_WINDOWS + 1
    }
}

type Readable<T> = Result<T, (usize, DoctorError)>;

fn view(drive: &Drive, index: usize, eye: Eye) -> Readable<View> {
    drive.view(index, eye).map_err(|error| (index, error))
}

/// What is known of one place in a recording.
struct Look {
    frame: FrameMeasure,
    pair: Option<PairMeasure>,
    /// Whether the next frame is the same picture; none where there is no next one.
    repeated: Option<bool>,
}

/// Whether a frame has a partner `gap` frames later, with no frames left out by a recorder between them.
fn is_pair(drive: &Drive, start: usize, gap: usize) -> bool {
    let recording = &drive.recording;
    start + gap < recording.len() && recording.stretch(start) == recording.stretch(start + gap)
}

/// Frames with a partner before and after them.
fn targets(drive: &Drive, gap: usize) -> usize {
    (0..drive.recording.len().saturating_sub(2 * gap)).filter(|start| is_pair(drive, *start, 2 * gap)).count()
}

fn look(drive: &Drive, start: usize, gap: usize) -> Readable<Look> {
    let first = view(drive, start, Eye::Left)?;
    let frame = FrameMeasure { index: start, blur: blur(&first.sight.gray), exposure: exposure(&first.raw) };
    let frames = drive.recording.len();
    let second = is_pair(drive, start, gap).then(|| view(drive, start + gap, Eye::Left)).transpose()?;
    let pair = second
        .as_ref()
        .map(|second| PairMeasure::new([start, start + gap], &first.sight, &second.sight, drive.intrinsics()));
    let repeated = match &second {
        Some(second) if gap == 1 => Some(is_same_picture(&first.sight.gray, &second.sight.gray)),
        _ if start + 1 < frames => {
            Some(is_same_picture(&first.sight.gray, &view(drive, start + 1, Eye::Left)?.sight.gray))
        }
        _ => None,
    };
    Ok(Look { frame, pair, repeated })
}

fn examine_drive(
    path: &Path,
    drive: &Drive,
    config: &DoctorConfig,
    all_targets: usize,
    tick: &(dyn Fn() + Sync),
) -> DriveReport {
    let plan = Plan::new(drive, config);
    let looks: Vec<Readable<Look>> = plan
        .starts
        .par_iter()
        .map(|start| {
            let look = look(drive, *start, config.frame_gap);
            tick();
            look
        })
        .collect();
    let mut unreadable = Vec::new();
    let looked_at = looks.len();
    let looks: Vec<Look> =
        looks.into_iter().filter_map(|look| look.map_err(|error| unreadable.push(error)).ok()).collect();
    let mut eyes = Vec::new();
    if drive.recording.has(Eye::Right) {
        eyes.push(timing::stereo_times(&drive.recording));
        eyes.extend(compare_eyes(drive, &plan.moments, &mut unreadable, tick));
    }
    unreadable.sort_by_key(|(index, _)| *index);
    unreadable.dedup_by_key(|(index, _)| *index);
    let frames: Vec<FrameMeasure> = looks.iter().map(|look| look.frame).collect();
    let repeats: Vec<bool> = looks.iter().filter_map(|look| look.repeated).collect();
    let repeated: Vec<[usize; 2]> = looks
        .iter()
        .filter(|look| look.repeated == Some(true))
        .map(|look| [look.frame.index, look.frame.index + 1])
        .collect();
    let pairs: Vec<PairMeasure> = looks.into_iter().filter_map(|look| look.pair).collect();
    let gap_pairs = measure_gaps(drive, tick);
    let gaps: Vec<GapMeasure> = gap_pairs.iter().map(|(measure, _)| *measure).collect();
    let proposed = propose(&gaps, config.drive.width);
    // What moves slowly shows only over as many frames as give useful parallax.
    let apart =
        gap_pairs.iter().find(|(measure, _)| Some(measure.gap) == proposed.filter(|gap| *gap > config.frame_gap));
    let movers = apart.map_or(&pairs, |(_, pairs)| pairs);
    let (lens, windows) = measure_lens(drive, &pairs, window_step(proposed), tick);

    let cuts = Cuts::find(drive);
    tick();

    let own_targets = targets(drive, config.frame_gap);
    let mut checks = vec![
        pictures::recording(drive.recording.damage(), &unreadable, looked_at),
        extent::length(drive.recording.len(), config.frame_gap, own_targets, all_targets),
        extent::cuts(&cuts),
        timing::time_stamps(&drive.recording),
        camera::file(drive),
    ];
    checks.extend(timing::clocks(&drive.recording));
    checks.extend(camera::lens(&LensQuestion {
        estimate: lens.as_ref(),
        windows,
        intrinsics: drive.intrinsics(),
        source: &drive.camera_source,
        widths: [config.drive.width, drive.recording.size().0 as usize],
    }));
    if !frames.is_empty() {
        checks.extend([pictures::exposure(&frames), pictures::blur(&frames)]);
    }
    checks.push(pictures::frozen(&pairs, &repeated, repeats.len()));
    if pairs.is_empty() {
        let what = format!("no two frames {} apart could be looked at", config.frame_gap);
        checks.push(Check::new("parallax", Verdict::Fail, what).or_else_do("give a longer recording"));
    } else {
        checks.extend([
            motion::standing(&pairs),
            motion::turning(&pairs),
            motion::flow(&pairs, config.frame_gap, &gaps, proposed, config.drive.width),
            motion::moving_objects(movers),
        ]);
    }
    checks.extend(eyes);
    DriveReport {
        path: path.to_path_buf(),
        frames: drive.recording.len(),
        pairs: pairs.len(),
        verdict: Verdict::of_checks(&checks),
        flow_histogram: motion::histogram(&pairs),
        checks,
        gaps,
        frame_gap: proposed,
    }
}

/// What each candidate gap gives, with its pairs, as far as the recording is long enough; frames that cannot be read
/// are passed over.
fn measure_gaps(drive: &Drive, tick: &(dyn Fn() + Sync)) -> Vec<(GapMeasure, Vec<PairMeasure>)> {
    let frames = drive.recording.len();
    let measure = |gap: &usize| {
        let starts: Vec<usize> =
            (0..frames.saturating_sub(*gap)).filter(|start| is_pair(drive, *start, *gap)).collect();
        let starts: Vec<usize> = spread(starts.len(), GAP_PAIRS).into_iter().map(|at| starts[at]).collect();
        let pairs: Vec<PairMeasure> = starts
            .par_iter()
            .filter_map(|start| {
                let (first, second) = (drive.view(*start, Eye::Left).ok()?, drive.view(start + gap, Eye::Left).ok()?);
                Some(PairMeasure::new([*start, start + gap], &first.sight, &second.sight, drive.intrinsics()))
            })
            .collect();
        tick();
        Some((GapMeasure::new(*gap, &pairs)?, pairs))
    };
    CANDIDATES.iter().filter(|gap| **gap < frames).filter_map(measure).collect()
}

/// Frames from view to view of a window: half of what partners should be apart, so that fewer corners are lost.
fn window_step(proposed_gap: Option<usize>) -> usize {
    proposed_gap.map_or(1, |gap| (gap / 2).max(1))
}

/// What the windows of a recording say about the lens together, and how many did.
fn measure_lens(
    drive: &Drive,
    pairs: &[PairMeasure],
    step: usize,
    tick: &(dyn Fn() + Sync),
) -> (Option<LensEstimate>, usize) {
    let estimates: Vec<LensEstimate> = window_starts(pairs, step)
        .par_iter()
        .filter_map(|start| {
            let window = Window::follow(drive, *start, step).ok().flatten();
            tick();
            calibrate(&window?, drive.intrinsics())
        })
        .collect();
    (combine(&estimates), estimates.len())
}

/// What the eyes say of each other; frames that cannot be read are added to `unreadable`.
fn compare_eyes(
    drive: &Drive,
    moments: &[usize],
    unreadable: &mut Vec<(usize, DoctorError)>,
    tick: &(dyn Fn() + Sync),
) -> Vec<Check> {
    let measure = |index: &usize| -> Readable<StereoMeasure> {
        let left = view(drive, *index, Eye::Left);
        let right = view(drive, *index, Eye::Right);
        let next = (index + 1 < drive.recording.len()).then(|| drive.view(index + 1, Eye::Left).ok()).flatten();
        tick();
        Ok(StereoMeasure::new(*index, &left?, &right?, next.as_ref(), drive.intrinsics()))
    };
    let measures: Vec<Readable<StereoMeasure>> = moments.par_iter().map(measure).collect();
    let readable = measures.into_iter().filter_map(|measure| measure.map_err(|error| unreadable.push(error)).ok());
    let measures: Vec<StereoMeasure> = readable.collect();
    stereo_checks::stereo(&measures, StereoGeometry::new(&measures).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_gap_is_that_of_most_frames() {
        assert_eq!(common_gap([(Some(1), 100), (Some(4), 300), (None, 900)].into_iter()), Some(4));
        assert_eq!(common_gap([(Some(1), 300), (Some(4), 100)].into_iter()), Some(1));
        assert_eq!(common_gap([(None, 5)].into_iter()), None);
    }
}
