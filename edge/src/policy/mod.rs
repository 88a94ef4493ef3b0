//! When a frame is worked on, and by which model: a target rate, and rules that cool the board down.
//!
//! | module | what it does |
//! |---|---|
//! | [`rule`] | `above 80: rate 5`, `above 85: model small` |
//! | [`thermal`] | the rules that hold at a temperature, with hysteresis; the sensor |
//! | `pace` | at most so many frames a second |

pub(crate) mod pace;
pub mod rule;
pub mod thermal;

pub(crate) use pace::Pace;
pub use rule::{Effect, Rule};
pub(crate) use thermal::Thermal;
pub use thermal::ThermalConfig;
