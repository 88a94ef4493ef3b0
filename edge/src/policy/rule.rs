//! One rule of a thermal policy, as people write it: `above 80: rate 5`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is done when it is hotter than `above_c`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    /// The temperature, in degrees Celsius.
    pub above_c: f64,
    /// What is done.
    pub effect: Effect,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// At most so many frames a second.
    Rate(f64),
    /// The bundle's model with this role runs.
    Model(String),
}

/// No board reads below or above: a threshold there is a mistyped one.
const PLAUSIBLE_C: std::ops::RangeInclusive<f64> = 0.0..=150.0;

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("expected \"above DEGREES: rate N\" or \"above DEGREES: model ROLE\", got {text:?}");
        let (condition, effect) = text.split_once(':').ok_or_else(refuse)?;
        let degrees = condition.trim().strip_prefix("above ").ok_or_else(refuse)?;
        let above_c: f64 = degrees.trim().parse().map_err(|_| refuse())?;
        if !PLAUSIBLE_C.contains(&above_c) {
            return Err(format!("expected degrees Celsius between 0 and 150, got {above_c} in {text:?}"));
        }
        let effect = match effect.trim().split_once(char::is_whitespace).map(|(what, value)| (what, value.trim())) {
            Some(("rate", value)) => Effect::Rate(rate(value)?),
            Some(("model", role)) if !role.is_empty() => Effect::Model(role.to_owned()),
            _ => return Err(refuse()),
        };
        Ok(Self { above_c, effect })
    }
}

/// A rate in frames a second.
///
/// # Errors
/// It is not a positive number that makes sense.
pub fn rate(text: &str) -> Result<f64, String> {
    // Below one frame in ten minutes, or above what any camera gives, something else was meant.
    let plausible = |rate: &f64| (1.0 / 600.0..=1000.0).contains(rate);
    text.parse()
        .ok()
        .filter(plausible)
        .ok_or_else(|| format!("expected frames a second such as 15 or 0.5, got {text:?}"))
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "above {}: {}", self.above_c, self.effect)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(formatter, "rate {rate}"),
            Self::Model(role) => write!(formatter, "model {role}"),
        }
    }
}

impl TryFrom<String> for Rule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_written() {
        for text in ["above 80: rate 5", "above 72.5: rate 0.5", "above 85: model small"] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        let loose = " above  80 :  model   small ".parse::<Rule>().unwrap();
        assert_eq!(loose, Rule { above_c: 80.0, effect: Effect::Model("small".into()) });
    }

    #[test]
    fn anything_else_is_refused_with_the_form_that_is_expected() {
        for text in [
            "",
            "80: rate 5",
            "above 80 rate 5",
            "above hot: rate 5",
            "above 80: rate",
            "above 80: rate 0",
            "above 80: rate fast",
            "above 80: stop",
            "above 800: rate 5",
            "above NaN: rate 5",
            "above 80: model ",
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert!(error.starts_with("expected"), "{error}");
        }
    }
}
