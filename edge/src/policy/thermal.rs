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
    /// Whether the run goes on without rules on a machine where that file cannot be read.
    pub sensor_may_lack: bool,
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
    /// The open sensor; none while it cannot be read.
    sensor: Option<File>,
    /// Whether each rule holds.
    holds: Vec<bool>,
    temperature_c: Option<f64>,
    next_look: Instant,
    readable: bool,
}

impl Thermal {
    /// Reads the sensor once.
    ///
    /// # Errors
    /// The sensor cannot be read, and may not lack.
    pub(crate) fn new(config: ThermalConfig) -> Result<Self> {
        let (holds, next_look) = (vec![false; config.rules.len()], Instant::now() + INTERVAL);
        let mut thermal = Self { config, sensor: None, holds, temperature_c: None, next_look, readable: true };
        match thermal.read() {
            Ok(temperature_c) => thermal.judge(temperature_c),
            Err(error) if thermal.config.sensor_may_lack => {
                thermal.readable = false;
                let sensor = thermal.config.sensor.display();
                tracing::warn!("the temperature cannot be read, so its rules do nothing: {error}: {sensor}");
                tracing::info!("hint: name the board's sensor with --thermal-sensor, or `sensor` in [thermal]");
            }
            Err(source) => return Err(EdgeError::Sensor { source, path: thermal.config.sensor }),
        }
        Ok(thermal)
    }

    /// Reads the sensor when it is time. While it cannot be read everything stays as it is.
    pub(crate) fn look(&mut self, now: Instant) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + INTERVAL;
        match self.read() {
            Ok(temperature_c) => {
                if !self.readable {
                    self.readable = true;
                    tracing::info!("the temperature can be read: {}", self.config.sensor.display());
                }
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

    /// Degrees Celsius; the sensor is opened when it is there at last.
    fn read(&mut self) -> std::io::Result<f64> {
        let sensor = match self.sensor.take() {
            Some(sensor) => sensor,
            None => File::open(&self.config.sensor)?,
        };
        let temperature_c = read(&sensor)?;
        self.sensor = Some(sensor);
        Ok(temperature_c)
    }

    /// Decides which rules hold.
    fn judge(&mut self, temperature_c: f64) {
        self.temperature_c = Some(temperature_c);
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

    /// The temperature when it was read last, in degrees Celsius; none as long as it never could be.
    pub(crate) fn temperature_c(&self) -> Option<f64> {
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
        let config = ThermalConfig { sensor, sensor_may_lack: false, hysteresis_c: HYSTERESIS_C, rules };
        Thermal::new(config).unwrap()
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
            assert!((thermal.temperature_c().unwrap() - degrees).abs() < 1e-3);
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
            let config =
                ThermalConfig { sensor, sensor_may_lack: false, hysteresis_c: HYSTERESIS_C, rules: Vec::new() };
            let error = Thermal::new(config).unwrap_err();
            assert!(matches!(error, EdgeError::Sensor { .. }) && error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn a_machine_without_a_sensor_runs_without_rules_until_it_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let rules = vec!["above 80: rate 5".parse().unwrap()];
        let sensor = folder.path().join("temp");
        let config = ThermalConfig { sensor, sensor_may_lack: true, hysteresis_c: HYSTERESIS_C, rules };
        let mut thermal = Thermal::new(config).unwrap();
        assert_eq!((thermal.rate(), thermal.temperature_c()), (None, None));
        heat(&folder, 90.0);
        thermal.look(Instant::now() + INTERVAL + INTERVAL);
        assert_eq!((thermal.rate(), thermal.temperature_c()), (Some(5.0), Some(90.0)));
    }
}
