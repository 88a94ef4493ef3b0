//! Texts of the command line as values: sizes, times, rates, regions, sources. An error says what was expected.

use std::time::Duration;

use parallax_core::recording::Encoding;
use parallax_kernels::Isa;

use crate::framing::Region;
use crate::policy::rule;

/// When a file ends.
#[derive(Debug, Clone, Copy)]
pub struct Roll {
    /// After this time,
    pub time: Duration,
    /// or at this size.
    pub bytes: u64,
}

/// When a file ends: a time, a size, or both.
///
/// # Errors
/// The text is none.
pub fn roll(text: &str) -> Result<Roll, String> {
    let mut roll = Roll { time: Duration::MAX, bytes: u64::MAX };
    for part in text.split(',') {
        match (duration(part), bytes(part)) {
            (Ok(time), _) => roll.time = time,
            (_, Ok(bytes)) => roll.bytes = bytes,
            _ => return Err(format!("expected a time or a size, such as 5min or 500MB, got `{part}`")),
        }
    }
    Ok(roll)
}

/// The number before one of the units, times what the unit stands for.
fn number_with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let value = number.trim().parse::<f64>().ok()? * factor;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// A size in bytes.
///
/// # Errors
/// The text is none.
pub fn bytes(text: &str) -> Result<u64, String> {
    let units =
        [("GiB", f64::from(1 << 30)), ("MiB", f64::from(1 << 20)), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)];
    if text == "0" {
        return Ok(0);
    }
    let value = number_with_unit(text, &units);
    value.map(|value| value as u64).ok_or_else(|| format!("expected a size such as 500MB or 4GB, got `{text}`"))
}

/// A time.
///
/// # Errors
/// The text is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let value = number_with_unit(text, &[("min", 60.0), ("h", 3600.0), ("s", 1.0)]);
    let value = value.filter(|secs| *secs <= 1e7).map(Duration::from_secs_f64);
    value.ok_or_else(|| format!("expected a time such as 30s, 5min or 2h, got `{text}`"))
}

/// Millions of bytes, as a configuration file counts them, from a size with its unit.
///
/// # Errors
/// The text is none.
pub fn megabytes(text: &str) -> Result<f64, String> {
    bytes(text).map(|bytes| bytes as f64 / 1e6)
}

/// Width and height of frames that networks can take.
///
/// # Errors
/// The text is none.
pub fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |(width, height): &(u32, u32)| (64..=4096).contains(width) && (32..=4096).contains(height);
    sides
        .filter(fits)
        .ok_or_else(|| format!("expected a size from 64x32 to 4096 pixels, such as 640x192, got `{text}`"))
}

/// How pictures are stored.
///
/// # Errors
/// The text is none.
pub fn encoding(text: &str) -> Result<Encoding, String> {
    let quality = text.strip_prefix("jpeg:").and_then(|quality| quality.parse().ok());
    match quality.filter(|quality| (1..=100).contains(quality)) {
        Some(quality) => Ok(Encoding::Jpeg(quality)),
        None if text == "png" => Ok(Encoding::Png),
        None => Err(format!("expected png, or jpeg:95 with a quality from 1 to 100, got `{text}`")),
    }
}

/// A rate that makes sense.
///
/// # Errors
/// The text is none.
pub fn rate(text: &str) -> Result<f64, String> {
    rule::rate(text)
}

/// A region that makes sense, as it was given.
///
/// # Errors
/// The text is none.
pub fn region(text: &str) -> Result<String, String> {
    text.parse::<Region>().map(|region| region.to_string())
}

/// The name of instructions that this processor has.
///
/// # Errors
/// It has none of this name.
pub fn isa(name: &str) -> Result<String, String> {
    let known = || Isa::available().into_iter().map(Isa::name).collect::<Vec<_>>().join(", ");
    Isa::named(name).map(|isa| isa.name().to_owned()).ok_or_else(|| format!("this processor has {}", known()))
}

/// A source of frames, as it was given.
///
/// # Errors
/// The text cannot be understood as one.
pub fn source_uri(uri: &str) -> Result<String, String> {
    let told = |error: &parallax_camera::Error| match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    };
    parallax_camera::Source::check(uri).map(|()| uri.to_owned()).map_err(|error| told(&error))
}
