//! What the loop gives to others: masks and pictures by hand-over, news of the camera, signs of life.
//!
//! | module | what it does |
//! |---|---|
//! | [`handover`] | a few places between the loop and a consumer |
//! | [`mask_log`] | masks and frame lines as MCAP files |
//! | [`service`] | readiness and the watchdog of systemd |
//! | `live` | preview page, metrics and Foxglove view (feature `live`) |
//!
//! *Invariant:* of a live camera, nothing here makes the loop wait. What is handed over lies in a pool whose memory goes round; a
//! consumer that is still busy with the last picture misses the next one.

pub mod handover;
#[cfg(feature = "live")]
pub mod live;
mod log_clock;
pub mod mask_log;
pub mod service;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use image::RgbImage;
use parallax_core::labels::LabelMap;

use crate::drive::FrameLine;
use handover::{Full, Handover};

/// A frame as consumers get it.
#[derive(Debug, Default)]
pub struct Published {
    /// Its numbers; the time of writing is not known yet.
    pub line: FrameLine,
    /// The picture that the mask belongs to; empty if nobody looks.
    pub picture: RgbImage,
    /// The mask, of the picture's size.
    pub mask: LabelMap,
}

/// What a consumer is handed.
#[derive(Debug, Clone)]
pub enum News {
    /// A frame.
    Frame(Arc<Published>),
    /// A frame is lost, or the camera: why.
    Lost(Arc<FrameLine>),
}

/// One consumer's side of the loop.
#[derive(Debug, Clone)]
pub struct Outlet {
    /// Where news go.
    pub handover: Arc<Handover<News>>,
    /// What happens when the consumer is slow.
    pub full: Full,
    /// Whether somebody looks at pictures just now; otherwise they are not copied.
    pub wants_pictures: Arc<AtomicBool>,
}

/// Hands frames over to every consumer.
#[derive(Debug)]
pub struct Publisher {
    outlets: Vec<Outlet>,
    /// As many as consumers can hold at once, and one more for each thread of the loop.
    pool: Mutex<Vec<Arc<Published>>>,
}

impl Publisher {
    /// For the consumers of a loop of `threads` threads.
    pub fn new(outlets: Vec<Outlet>, threads: usize) -> Self {
        let held: usize = outlets.iter().map(|outlet| outlet.handover.places() + 1).sum();
        let pool = (0..held + threads).map(|_| Arc::new(Published::default())).collect();
        Self { outlets, pool: Mutex::new(pool) }
    }

    /// Hands a frame over: copies it once, whatever the number of consumers, and not at all without any.
    pub fn publish(&self, line: &FrameLine, picture: &RgbImage, mask: &LabelMap) {
        if self.outlets.is_empty() {
            return;
        }
        let Some(mut published) = self.free() else { return };
        if let Some(frame) = Arc::get_mut(&mut published) {
            let wanted = self.outlets.iter().any(|outlet| outlet.wants_pictures.load(Ordering::Relaxed));
            frame.line.clone_from(line);
            copy_picture(wanted.then_some(picture), &mut frame.picture);
            (frame.mask.width, frame.mask.height) = (mask.width, mask.height);
            frame.mask.indices.clone_from(&mask.indices);
        }
        for outlet in &self.outlets {
            outlet.handover.put(News::Frame(Arc::clone(&published)), outlet.full);
        }
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(published);
    }

    /// Tells of a loss.
    pub fn lose(&self, line: &FrameLine) {
        let line = Arc::new(line.clone());
        for outlet in &self.outlets {
            outlet.handover.put(News::Lost(Arc::clone(&line)), outlet.full);
        }
    }

    /// Says that nothing more will come.
    pub fn close(&self) {
        self.outlets.iter().for_each(|outlet| outlet.handover.close());
    }

    /// One that no consumer holds, taken out of the pool; there is one unless a consumer keeps more than its share.
    fn free(&self) -> Option<Arc<Published>> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let at = pool.iter_mut().position(|published| Arc::get_mut(published).is_some())?;
        Some(pool.swap_remove(at))
    }
}

/// Copies a picture into the memory of another one where it has the same size; nothing leaves an empty one.
fn copy_picture(from: Option<&RgbImage>, to: &mut RgbImage) {
    match from {
        Some(from) if from.dimensions() == to.dimensions() => to.copy_from_slice(from),
        Some(from) => to.clone_from(from),
        None => *to = RgbImage::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::handover::Taken;
    use super::*;
    use std::time::Duration;

    fn outlet(places: usize, wants: bool) -> Outlet {
        let (handover, wants_pictures) = (Arc::new(Handover::new(places)), Arc::new(AtomicBool::new(wants)));
        Outlet { handover, full: Full::DropOldest, wants_pictures }
    }

    fn frame(frame: usize) -> (FrameLine, RgbImage, LabelMap) {
        let mask = LabelMap { width: 2, height: 1, indices: vec![frame as u8; 2] };
        (FrameLine { frame, ..FrameLine::default() }, RgbImage::from_pixel(2, 1, image::Rgb([frame as u8; 3])), mask)
    }

    #[test]
    fn a_consumer_that_holds_on_to_a_frame_keeps_it_unchanged_and_memory_goes_round() {
        let (slow, fast) = (outlet(1, true), outlet(1, false));
        let publisher = Publisher::new(vec![slow.clone(), fast.clone()], 1);
        let mut held = None;
        let mut seen = std::collections::HashSet::new();
        for number in 0..20 {
            let (line, picture, mask) = frame(number);
            publisher.publish(&line, &picture, &mask);
            let Taken::Item(News::Frame(newest)) = fast.handover.take(Duration::ZERO) else { panic!("no frame") };
            assert_eq!((newest.line.frame, newest.mask.indices[0]), (number, number as u8));
            seen.insert(newest.mask.indices.as_ptr());
            if number == 3 {
                let Taken::Item(News::Frame(frame)) = slow.handover.take(Duration::ZERO) else { panic!("no frame") };
                held = Some(frame);
            }
        }
        let held = held.unwrap();
        assert_eq!((held.line.frame, held.mask.indices[0], held.picture.get_pixel(1, 0).0), (3, 3, [3; 3]));
        assert!(seen.len() <= 5, "two consumers with a place and a hand each, and the loop: {}", seen.len());
        assert_eq!(slow.handover.missed(), 18);
    }

    #[test]
    fn pictures_are_copied_only_while_somebody_looks() {
        let consumer = outlet(1, false);
        let publisher = Publisher::new(vec![consumer.clone()], 1);
        for (wants, size) in [(false, (0, 0)), (true, (2, 1)), (false, (0, 0))] {
            consumer.wants_pictures.store(wants, Ordering::Relaxed);
            let (line, picture, mask) = frame(1);
            publisher.publish(&line, &picture, &mask);
            let Taken::Item(News::Frame(frame)) = consumer.handover.take(Duration::ZERO) else { panic!("no frame") };
            assert_eq!(frame.picture.dimensions(), size);
        }
    }

    #[test]
    fn a_loss_is_the_newest_news() {
        let consumer = outlet(1, false);
        let publisher = Publisher::new(vec![consumer.clone()], 1);
        let (line, picture, mask) = frame(1);
        publisher.publish(&line, &picture, &mask);
        publisher.lose(&FrameLine { error: Some("unplugged".into()), ..line });
        let Taken::Item(News::Lost(line)) = consumer.handover.take(Duration::ZERO) else { panic!("no loss") };
        assert_eq!(line.error.as_deref(), Some("unplugged"));
    }
}
