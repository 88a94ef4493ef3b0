//! Any function of one u8: an activation, a change of scale.
//!
//! With 256 possible inputs the function is computed once, in float, when the table is made.

use crate::Result;
use crate::addition::Grid;

/// What each u8 becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table([u8; 256]);

impl Table {
    /// The table of `function` between two grids: `quantize(function(dequantize(q)))`.
    ///
    /// # Errors
    /// Scales that are not positive and finite.
    pub fn new(input: Grid, output: Grid, function: impl Fn(f32) -> f32) -> Result<Self> {
        input.check()?;
        output.check()?;
        let mut table = [0; 256];
        for (integer, entry) in (0..=255).zip(&mut table) {
            *entry = output.quantize(function(input.dequantize(integer)));
        }
        Ok(Self(table))
    }

    /// The table that gives `second` of what this one gives.
    #[must_use]
    pub fn then(&self, second: &Self) -> Self {
        Self(self.0.map(|entry| second.of(entry)))
    }

    /// Whether every number stays what it is.
    pub fn is_identity(&self) -> bool {
        (0..=255).zip(self.0).all(|(integer, entry)| integer == entry)
    }

    /// What one number becomes.
    #[inline]
    pub fn of(&self, integer: u8) -> u8 {
        self.0[usize::from(integer)]
    }

    /// Looks every number up, in its place.
    pub fn run(&self, numbers: &mut [u8]) {
        for number in numbers {
            *number = self.of(*number);
        }
    }

    /// Looks every number up.
    ///
    /// # Panics
    /// Slices of different lengths.
    pub fn run_to(&self, input: &[u8], output: &mut [u8]) {
        assert_eq!(input.len(), output.len(), "numbers to look up");
        for (output, input) in output.iter_mut().zip(input) {
            *output = self.of(*input);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Grid = Grid { scale: 0.01, zero_point: 100 };
    const COARSE: Grid = Grid { scale: 0.02, zero_point: 50 };

    #[test]
    fn a_table_between_equal_grids_changes_nothing() {
        let same = Table::new(FINE, FINE, |value| value).unwrap();
        assert!(same.is_identity());
        let there = Table::new(FINE, COARSE, |value| value).unwrap();
        assert!(!there.is_identity());
        assert_eq!(there.of(102), 51);
        assert_eq!(there.then(&Table::new(COARSE, FINE, |value| value).unwrap()).of(102), 102);
    }

    #[test]
    fn functions_are_rounded_and_clamped_and_nan_is_zero() {
        let elu = Table::new(FINE, COARSE, |x| if x > 0.0 { x } else { x.exp_m1() }).unwrap();
        let mut numbers = [0, 100, 200, 255];
        elu.run(&mut numbers);
        // exp(−1) − 1 = −0.632 = −31.6 steps of 0.02.
        assert_eq!(numbers, [18, 50, 100, 128]);
        assert_eq!(Table::new(FINE, FINE, |_| f32::NAN).unwrap().of(7), 0);
        assert_eq!(Table::new(FINE, FINE, |_| f32::INFINITY).unwrap().of(7), 255);
    }

    #[test]
    fn a_scale_that_is_no_scale_is_refused() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
            assert!(Table::new(Grid { scale, zero_point: 0 }, FINE, |value| value).is_err(), "{scale}");
        }
    }
}
