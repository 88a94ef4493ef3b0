//! Masks that do not flicker: each pixel shows the class that most of the last `n` masks gave it.
//!
//! A majority filter over time, at the network's size. Where several classes are equally frequent, the one shown stays.
//!
//! What it costs is lag: a pixel that really changes is shown `⌊n / 2⌋` frames later than without (n = 5 at 30 frames a
//! second: 67 ms), and what is seen in fewer than half of the last `n` frames never shows. A moving border lags as many
//! frames behind. So: for a mask that is looked at or averaged over, not for one that stops a robot.

use parallax_core::labels::LabelMap;

/// The majority of the last masks of one stream.
#[derive(Debug, Clone)]
pub struct Smoother {
    frames: usize,
    classes: usize,
    /// The last masks, one after the other; the oldest is at `next` once there are as many as there is room for.
    history: Vec<u8>,
    next: usize,
    len: usize,
    /// How many of the last masks give a pixel a class: `[pixel, class]`.
    counts: Vec<u8>,
    shown: LabelMap,
}

impl Smoother {
    /// For masks of `classes` classes and a size; over the last `frames` masks.
    pub fn new(frames: u8, classes: usize, (width, height): (u32, u32)) -> Self {
        let (frames, pixels) = (usize::from(frames.max(1)), width as usize * height as usize);
        Self {
            frames,
            classes,
            history: vec![0; frames * pixels],
            next: 0,
            len: 0,
            counts: vec![0; pixels * classes],
            shown: LabelMap { width, height, indices: vec![0; pixels] },
        }
    }

    /// Forgets everything: what was seen before the camera was lost says nothing about what it sees now.
    pub fn forget(&mut self) {
        (self.next, self.len) = (0, 0);
    }

    /// Takes the newest mask and gives the smoothed one.
    ///
    /// # Panics
    /// The mask has another size, or a class that is none.
    pub fn smooth(&mut self, mask: &LabelMap) -> &LabelMap {
        let pixels = self.shown.indices.len();
        assert_eq!(mask.indices.len(), pixels, "masks of one stream have one size");
        if self.len == 0 {
            self.counts.fill(0);
            self.shown.indices.copy_from_slice(&mask.indices);
        }
        let oldest = (self.len == self.frames).then_some(self.next);
        let slot = &mut self.history[self.next * pixels..][..pixels];
        let rows = self.counts.chunks_exact_mut(self.classes).zip(slot);
        for ((counts, kept), (new, shown)) in rows.zip(mask.indices.iter().zip(&mut self.shown.indices)) {
            let old = std::mem::replace(kept, *new);
            counts[usize::from(*new)] += 1;
            if oldest.is_some() {
                counts[usize::from(old)] -= 1;
            }
            // The order of the classes changes only where something changes.
            if *new != *shown || old != *new {
                let most = counts.iter().copied().max().unwrap_or(0);
                if counts[usize::from(*shown)] < most {
                    *shown = counts.iter().position(|count| *count == most).unwrap_or(0) as u8;
                }
            }
        }
        self.next = (self.next + 1) % self.frames;
        self.len = (self.len + 1).min(self.frames);
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(indices: &[u8]) -> LabelMap {
        LabelMap { width: indices.len() as u32, height: 1, indices: indices.to_vec() }
    }

    /// What one pixel shows while its masks say `seen`.
    fn shown(frames: u8, seen: &[u8]) -> Vec<u8> {
        let mut smoother = Smoother::new(frames, 4, (1, 1));
        seen.iter().map(|class| smoother.smooth(&map(&[*class])).indices[0]).collect()
    }

    #[test]
    fn a_flicker_does_not_show_and_a_change_shows_half_a_window_later() {
        assert_eq!(shown(5, &[1, 1, 1, 1, 2, 1, 1, 2, 1]), [1; 9]);
        // The change is at the sixth mask; with n = 5 it shows two frames later.
        assert_eq!(shown(5, &[1, 1, 1, 1, 1, 2, 2, 2, 2]), [1, 1, 1, 1, 1, 1, 1, 2, 2]);
        assert_eq!(shown(1, &[1, 2, 3, 0]), [1, 2, 3, 0]);
    }

    #[test]
    fn it_agrees_with_counting_the_window_anew_for_every_mask() {
        let (frames, classes) = (5, 3);
        let mut smoother = Smoother::new(frames, classes, (7, 1));
        let masks: Vec<LabelMap> = (0..200_u32)
            .map(|t| map(&(0..7_u32).map(|p| ((t * t * 31 + p * 17 + t * p) / 7 % 3) as u8).collect::<Vec<_>>()))
            .collect();
        let mut before = masks[0].indices.clone();
        for (t, mask) in masks.iter().enumerate() {
            let window = &masks[(t + 1).saturating_sub(usize::from(frames))..=t];
            let shown = smoother.smooth(mask).indices.clone();
            for pixel in 0..7 {
                let count =
                    |class: usize| window.iter().filter(|mask| usize::from(mask.indices[pixel]) == class).count();
                let most = (0..classes).map(count).max().unwrap();
                let stays = count(usize::from(before[pixel])) == most;
                let expected =
                    if stays { before[pixel] } else { (0..classes).position(|c| count(c) == most).unwrap() as u8 };
                assert_eq!(shown[pixel], expected, "mask {t}, pixel {pixel}");
            }
            before = shown;
        }
    }

    #[test]
    fn what_was_seen_before_a_loss_is_forgotten() {
        let mut smoother = Smoother::new(5, 4, (1, 1));
        for _ in 0..5 {
            smoother.smooth(&map(&[1]));
        }
        smoother.forget();
        assert_eq!(smoother.smooth(&map(&[3])).indices, [3]);
    }
}
