//! How far the wheels say that the camera went.
//!
//! A file has a line for each measurement, `time stamp, metres per second`, the time in seconds on the recording's clock;
//! commas, semicolons or white space between, `#` and one line of column names allowed. The way between two frames is the
//! integral of the speed, which is taken as linear between measurements; backward speed counts as way too.

use std::path::{Path, PathBuf};

use super::supervision::SpeedSource;
use crate::Error;

/// The speed over a recording.
#[derive(Debug, Clone, PartialEq)]
pub enum Speed {
    /// The same at all times, metres per second.
    Constant(f64),
    /// Times in seconds, increasing, with metres per second.
    Measured(Vec<[f64; 2]>),
}

impl Speed {
    /// The speed of the recording at `recording`. A file is looked for beside the recording first, then as it is named.
    ///
    /// # Errors
    /// When a file cannot be found or read, or a number makes no sense.
    pub fn of(source: &SpeedSource, recording: &Path) -> Result<Self, Error> {
        match source {
            SpeedSource::Constant(speed) => Ok(Self::Constant(*speed)),
            SpeedSource::File(path) => Self::read(&beside(recording, path)),
        }
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let text = parallax_core::files::read_text(path)?;
        let malformed = |what| Error::Data {
            what,
            path: path.to_path_buf(),
            hint: "a line is a time stamp in seconds on the recording's clock, a comma, and metres per second",
        };
        let mut track: Vec<[f64; 2]> = Vec::new();
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        for (place, (number, line)) in lines.enumerate() {
            match row(line) {
                Some(row) if track.last().is_none_or(|last| last[0] < row[0]) => track.push(row),
                Some(_) => return Err(malformed(format!("line {}: expected increasing times", number + 1))),
                // The first line may hold the names of the columns.
                None if place == 0 => {}
                None => return Err(malformed(format!("line {}: expected two numbers, found {line:?}", number + 1))),
            }
        }
        if track.len() < 2 {
            return Err(malformed(format!("expected at least two speeds, found {}", track.len())));
        }
        Ok(Self::Measured(track))
    }

    /// Metres driven between two times, if the speed is known from one to the other.
    #[must_use]
    pub fn way_m(&self, from_secs: f64, to_secs: f64) -> Option<f64> {
        match self {
            Self::Constant(speed) => Some(speed.abs() * (to_secs - from_secs)),
            Self::Measured(track) => {
                let (first, last) = (track.first()?[0], track.last()?[0]);
                (first <= from_secs && to_secs <= last).then(|| integral(track, from_secs, to_secs))
            }
        }
    }
}

fn beside(recording: &Path, file: &Path) -> PathBuf {
    let folder = if recording.is_dir() { Some(recording) } else { recording.parent() };
    let beside = folder.map(|folder| folder.join(file)).filter(|path| path.is_file());
    beside.unwrap_or_else(|| file.to_path_buf())
}

fn row(line: &str) -> Option<[f64; 2]> {
    let mut words = line.split([',', ';', ' ', '\t']).filter(|word| !word.is_empty());
    let mut number = || words.next()?.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    Some([number()?, number()?])
}

/// Sum of trapezoids over the pieces of the track between two times.
fn integral(track: &[[f64; 2]], from: f64, to: f64) -> f64 {
    let piece = |pair: &[[f64; 2]]| {
        let [[t0, v0], [t1, v1]] = [pair[0], pair[1]];
        let (start, end) = (t0.max(from), t1.min(to));
        let speed = |time: f64| (v0 + (v1 - v0) * (time - t0) / (t1 - t0)).abs();
        if start < end { 0.5 * (speed(start) + speed(end)) * (end - start) } else { 0.0 }
    };
    track.windows(2).map(piece).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Speed, Error> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("speed.csv"), text).unwrap();
        Speed::of(&SpeedSource::File("speed.csv".into()), folder.path())
    }

    #[test]
    fn the_way_is_the_integral_of_the_speed() {
        let speed = read("stamp,speed\n10.0, 1.0\n11.0, 3.0\n13.0, 3.0\n").unwrap();
        // From 10.5 (2 m/s) to 11 (3 m/s) and on to 12: 1.25 + 3.
        assert!((speed.way_m(10.5, 12.0).unwrap() - 4.25).abs() < 1e-12);
        assert_eq!(speed.way_m(9.9, 12.0), None);
        assert_eq!(Speed::Constant(-2.0).way_m(1.0, 1.5), Some(1.0));
    }

    #[test]
    fn a_bad_file_is_named_with_its_line() {
        for (text, says) in [
            ("1,2\n1,3\n", "line 2: expected increasing"),
            ("stamp,speed\n1,2\nx,3\n", "line 3: expected two numbers"),
            ("1,2\n", "at least two speeds, found 1"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("speed.csv"), "{error}");
        }
    }
}
