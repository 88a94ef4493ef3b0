//! Rules that hold at a temperature: the sensor is looked at once a second, and each rule switches off a few degrees
//! below where it switched on, so that the board does not go to and fro.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Effect, Rule};
use crate::{EdgeError, Result};

/// How often the sensor is read: heat moves in seconds.
const INTERVAL: Duration = Duration::from_secs(1);

/// A thermal policy.
#[derive(Debug, Clone, PartialEq)]
pub struct ThermalConfig {
    /// The file with thousandths of a degree Celsius, as the kernel gives it for each thermal zone.
    pub sensor: PathBuf,
    /// How many degrees below its threshold a rule ends.
    pub hysteresis_c: f64,
    /// The rules, in any order.
    pub rules: Vec<Rule>,
}

/// The first thermal zone of the kernel: the processor's on a Raspberry Pi and most other boards.
pub const SENSOR: &str = "/sys/class/thermal/thermal_zone0/temp";
/// Degrees between a rule's beginning and end.
pub const HYSTERESIS_C: f64 = 5.0;

/// The policy at work.
#[derive(Debug)]
pub(crate) struct Thermal {
    config: ThermalConfig,
    sensor: File,
    /// Whether each rule holds.
    holds: Vec<bool>,
    temperature_c: f64,
    next_look: Instant,
    readable: bool,
}

impl Thermal {
    /// Reads the sensor once.
    ///
    /// # Errors
    /// The sensor cannot be read.
    pub(crate) fn new(config: ThermalConfig) -> Result<Self> {
        let fault = |source| EdgeError::Sensor { source, path: config.sensor.clone() };
        let sensor = File::open(&config.sensor).map_err(fault)?;
        let temperature_c = read(&sensor).map_err(fault)?;
        let holds = vec![false; config.rules.len()];
        let mut thermal =
            Self { config, sensor, holds, temperature_c, next_look: Instant::now() + INTERVAL, readable: true };
        thermal.judge(temperature_c);
        Ok(thermal)
    }

    /// Reads the sensor when it is time. A sensor that cannot be read any more leaves everything as it is.
    pub(crate) fn look(&mut self, now: Instant) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + INTERVAL;
        match read(&self.sensor) {
            Ok(temperature_c) => {
                self.readable = true;
                self.judge(temperature_c);
            }
            Err(error) if self.readable => {
                self.readable = false;
                let sensor = self.config.sensor.display();
                tracing::warn!(
                    "the temperature cannot be read any more, its rules stay as they are: {error}: {sensor}"
                );
            }
            Err(_) => {}
        }
    }

    /// Decides which rules hold.
    fn judge(&mut self, temperature_c: f64) {
        self.temperature_c = temperature_c;
        for (rule, holds) in self.config.rules.iter().zip(&mut self.holds) {
            let begins = temperature_c > rule.above_c;
            let ends = temperature_c < rule.above_c - self.config.hysteresis_c;
            if begins && !*holds {
                *holds = true;
                tracing::warn!("{temperature_c:.1} °C: {rule}");
            } else if ends && *holds {
                *holds = false;
                tracing::info!("{temperature_c:.1} °C: no longer {rule}");
            }
        }
    }

    /// The temperature when it was read last, in degrees Celsius.
    pub(crate) fn temperature_c(&self) -> f64 {
        self.temperature_c
    }

    /// The smallest rate that the rules ask for.
    pub(crate) fn rate(&self) -> Option<f64> {
        let rates =
            self.holding().filter_map(|rule| if let Effect::Rate(rate) = rule.effect { Some(rate) } else { None });
        rates.min_by(f64::total_cmp)
    }

    /// The model that the rules ask for; of several the one at the highest temperature.
    pub(crate) fn model(&self) -> Option<&str> {
        let models = self.holding().filter_map(|rule| match &rule.effect {
            Effect::Model(role) => Some((rule.above_c, role.as_str())),
            Effect::Rate(_) => None,
        });
        models.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, role)| role)
    }

    fn holding(&self) -> impl Iterator<Item = &Rule> {
        self.config.rules.iter().zip(&self.holds).filter_map(|(rule, holds)| holds.then_some(rule))
    }
}

/// Degrees Celsius; without memory of its own, as this happens in the loop.
fn read(sensor: &File) -> std::io::Result<f64> {
    let mut bytes = [0; 32];
    let len = sensor.read_at(&mut bytes, 0)?;
    let number = std::str::from_utf8(&bytes[..len]).ok().and_then(|text| text.trim().parse::<i64>().ok());
    let millidegrees = number.ok_or_else(|| {
        std::io::Error::new(std::io::ErrorKind::InvalidData, "expected thousandths of a degree as one whole number")
    })?;
    Ok(millidegrees as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy on a sensor that the test writes.
    fn policy(folder: &tempfile::TempDir, degrees: f64, rules: &[&str]) -> Thermal {
        let sensor = folder.path().join("temp");
        heat(folder, degrees);
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        Thermal::new(ThermalConfig { sensor, hysteresis_c: HYSTERESIS_C, rules }).unwrap()
    }

    fn heat(folder: &tempfile::TempDir, degrees: f64) {
        std::fs::write(folder.path().join("temp"), format!("{}\n", (degrees * 1000.0) as i64)).unwrap();
    }

    #[test]
    fn rules_begin_above_their_temperature_and_end_some_degrees_below() {
        let folder = tempfile::tempdir().unwrap();
        let mut thermal = policy(&folder, 50.0, &["above 75: rate 10", "above 85: rate 5", "above 80: model small"]);
        let mut now = Instant::now();
        for (degrees, rate, model) in [
            (75.0, None, None),
            (75.1, Some(10.0), None),
            (71.0, Some(10.0), None),
            (81.0, Some(10.0), Some("small")),
            (86.0, Some(5.0), Some("small")),
            (80.0, Some(5.0), Some("small")),
            (79.9, Some(10.0), Some("small")),
            (75.0, Some(10.0), Some("small")),
            (74.9, Some(10.0), None),
            (69.9, None, None),
        ] {
            heat(&folder, degrees);
            now += INTERVAL + INTERVAL;
            thermal.look(now);
            assert_eq!((thermal.rate(), thermal.model()), (rate, model), "{degrees} °C");
            assert!((thermal.temperature_c() - degrees).abs() < 1e-3);
        }
    }

    #[test]
    fn the_sensor_is_left_alone_in_between_and_a_hot_start_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut thermal = policy(&folder, 90.0, &["above 80: rate 5"]);
        assert_eq!(thermal.rate(), Some(5.0));
        heat(&folder, 20.0);
        thermal.look(Instant::now());
        assert_eq!(thermal.rate(), Some(5.0));
    }

    #[test]
    fn a_sensor_that_fails_later_changes_nothing_and_one_that_fails_at_first_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut thermal = policy(&folder, 90.0, &["above 80: rate 5"]);
        std::fs::write(folder.path().join("temp"), "broken").unwrap();
        thermal.look(Instant::now() + INTERVAL + INTERVAL);
        assert_eq!(thermal.rate(), Some(5.0));
        for sensor in ["temp", "nowhere"] {
            let sensor = folder.path().join(sensor);
            let error = Thermal::new(ThermalConfig { sensor, hysteresis_c: 5.0, rules: Vec::new() }).unwrap_err();
            assert!(matches!(error, EdgeError::Sensor { .. }) && error.hint().is_some(), "{error}");
        }
    }
}
