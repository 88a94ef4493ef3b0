//! Which sample comes when.
//!
//! Every sample once per round, each round in its own random order, as a function of the seed and the place alone: batches
//! can be made on any thread and a resumed run sees what the uninterrupted one would have.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// What a random stream is for; streams of one seed are unrelated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The order of the samples.
    Order,
    /// How a sample is altered.
    Augmentation,
}

/// A random stream for one purpose and one place in the run.
#[must_use]
pub fn random(seed: u64, purpose: Purpose, place: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&place.to_le_bytes());
    key[16] = match purpose {
        Purpose::Order => 1,
        Purpose::Augmentation => 2,
    };
    ChaCha8Rng::from_seed(key)
}

/// The samples of step `step`, as numbers below `count`.
///
/// # Panics
/// When `count` is 0.
#[must_use]
pub fn samples_of_step(seed: u64, step: u64, batch: usize, count: usize) -> Vec<usize> {
    assert!(count > 0, "there is nothing to draw from");
    let (first, batch, count) = (step * batch as u64, batch as u64, count as u64);
    let mut round = None;
    (first..first + batch)
        .map(|place| {
            let number = place / count;
            if round.as_ref().is_none_or(|(known, _)| *known != number) {
                round = Some((number, order_of_round(seed, number, count as usize)));
            }
            round.as_ref().map_or(0, |(_, order)| order[(place % count) as usize])
        })
        .collect()
}

fn order_of_round(seed: u64, round: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut random(seed, Purpose::Order, round));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_shows_every_sample_once() {
        let mut seen: Vec<usize> = (0..5).flat_map(|step| samples_of_step(7, step, 2, 10)).collect();
        assert_ne!(seen, (0..10).collect::<Vec<_>>());
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_batch_larger_than_the_footage_goes_round_again() {
        assert_eq!(samples_of_step(7, 0, 7, 3).len(), 7);
    }

    #[test]
    fn the_order_depends_on_the_seed_and_on_nothing_else() {
        assert_eq!(samples_of_step(1, 9, 4, 100), samples_of_step(1, 9, 4, 100));
        assert_ne!(samples_of_step(1, 9, 4, 100), samples_of_step(2, 9, 4, 100));
    }
}
