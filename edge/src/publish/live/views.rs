//! Pictures for people: overlay, mask, camera, as JPEGs; encoded in a thread of their own, and only while somebody looks.
//!
//! That the camera is lost is a picture too: no view keeps showing what was seen before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use parallax_camera::preview::Newest;
use parallax_core::labels::Classes;
use parallax_core::picture::{draw_text, mask_in_colors, overlay_onto};

use super::foxglove::{Foxglove, Scene};
use crate::publish::handover::{Handover, Taken};
use crate::publish::{News, Published};

/// What can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// The mask's colours over the picture.
    Overlay,
    /// The mask's colours.
    Mask,
    /// The picture.
    Camera,
}

impl View {
    pub(super) const ALL: [Self; 3] = [Self::Overlay, Self::Mask, Self::Camera];

    /// Its name in addresses.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::Mask => "mask",
            Self::Camera => "camera",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }
}

/// The newest picture of each view.
#[derive(Debug, Default)]
pub(super) struct Views([Newest; 3]);

impl Views {
    pub(super) fn of(&self, view: View) -> &Newest {
        &self.0[view as usize]
    }

    fn is_looked_at(&self, view: View) -> bool {
        self.of(view).is_looked_at()
    }

    fn show(&self, view: View, jpeg: Vec<u8>) {
        self.of(view).show(jpeg);
    }
}

/// For the eye; half the bytes of 90.
const QUALITY: u8 = 75;
/// How long the thread waits for a frame before it looks whether somebody came.
const PATIENCE: Duration = Duration::from_millis(100);
/// The picture that says that the camera is lost, until the camera's size is known.
const SIZE: (u32, u32) = (640, 480);

/// Encodes what is looked at, until the loop ends.
pub(super) fn encode(
    handover: &Handover<News>,
    wants_pictures: &AtomicBool,
    views: &Views,
    foxglove: Option<&Foxglove>,
    classes: &Classes,
) {
    let (mut painted, mut size, mut last) = (RgbImage::default(), SIZE, None);
    loop {
        let wants = [View::Overlay, View::Camera].into_iter().any(|view| views.is_looked_at(view))
            || foxglove.is_some_and(Foxglove::wants_pictures);
        wants_pictures.store(wants, Ordering::Relaxed);
        match handover.take(PATIENCE) {
            // Threads may finish frames in another order.
            Taken::Item(News::Frame(frame)) if last.is_some_and(|last| frame.line.frame < last) => {}
            Taken::Item(News::Frame(frame)) => {
                last = Some(frame.line.frame);
                size = (frame.mask.width, frame.mask.height);
                show(&frame, views, foxglove, classes, &mut painted);
            }
            Taken::Item(News::Lost(line)) => {
                let why = line.error.as_deref().unwrap_or("no frame");
                let picture = lost_picture(size, why);
                if let Some(jpeg) = jpeg(&picture) {
                    View::ALL.into_iter().for_each(|view| views.show(view, jpeg.clone()));
                }
                if let Some(foxglove) = foxglove {
                    foxglove.lose(&line);
                }
            }
            Taken::Nothing => {}
            Taken::Closed => return,
        }
    }
}

fn show(frame: &Published, views: &Views, foxglove: Option<&Foxglove>, classes: &Classes, painted: &mut RgbImage) {
    // The copy of a frame that was handed over before somebody looked has no picture.
    let has_picture = frame.picture.width() > 0;
    let wants = |view| views.is_looked_at(view) || foxglove.is_some_and(|foxglove| foxglove.wants(view));
    let mut scene = Scene::default();
    if has_picture && wants(View::Camera) {
        scene.camera = jpeg(&frame.picture);
    }
    if has_picture && wants(View::Overlay) {
        painted.clone_from(&frame.picture);
        overlay_onto(painted, &frame.mask, classes);
        scene.overlay = jpeg(painted);
    }
    if views.is_looked_at(View::Mask)
        && let Some(jpeg) = jpeg(&mask_in_colors(&frame.mask, classes))
    {
        views.show(View::Mask, jpeg);
    }
    if let Some(foxglove) = foxglove {
        foxglove.show(frame, &scene, classes);
    }
    for (view, jpeg) in [(View::Camera, scene.camera), (View::Overlay, scene.overlay)] {
        if let Some(jpeg) = jpeg.filter(|_| views.is_looked_at(view)) {
            views.show(view, jpeg);
        }
    }
}

fn jpeg(picture: &RgbImage) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(picture);
    encoded.inspect_err(|error| tracing::debug!("a preview cannot be encoded: {error}")).ok()?;
    Some(bytes)
}

fn lost_picture((width, height): (u32, u32), why: &str) -> RgbImage {
    let mut picture = RgbImage::from_pixel(width.max(1), height.max(1), Rgb([48, 0, 0]));
    draw_text(&mut picture, (8, 8), "LOST", Rgb([255; 3]));
    // Characters are six pixels wide.
    let line = (width.saturating_sub(16) / 6).max(1) as usize;
    let characters: Vec<char> = why.chars().collect();
    for (row, text) in characters.chunks(line).enumerate() {
        draw_text(&mut picture, (8, 24 + 14 * row as u32), &text.iter().collect::<String>(), Rgb([220; 3]));
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::drive::FrameLine;
    use crate::publish::handover::Full;
    use parallax_camera::preview::Jpeg;
    use parallax_core::labels::LabelMap;
    use tokio::sync::watch;

    fn frame(number: usize) -> News {
        News::Frame(Arc::new(Published {
            line: FrameLine { frame: number, ..FrameLine::default() },
            picture: RgbImage::from_pixel(64, 48, Rgb([0, 0, 200])),
            mask: LabelMap { width: 64, height: 48, indices: vec![1; 64 * 48] },
        }))
    }

    /// The newest picture of a view, decoded.
    fn seen(view: &mut watch::Receiver<Jpeg>) -> Option<RgbImage> {
        let jpeg = view.borrow_and_update().clone()?;
        Some(image::load_from_memory(&jpeg).unwrap().to_rgb8())
    }

    /// Encodes what is put in before the end.
    fn run(views: &Views, news: News) -> bool {
        let (handover, wants) = (Handover::new(1), AtomicBool::new(false));
        handover.put(news, Full::DropOldest);
        handover.close();
        encode(&handover, &wants, views, None, &Classes::dense(&[("a", [0; 3]), ("b", [200, 0, 0])]));
        wants.load(Ordering::Relaxed)
    }

    #[test]
    fn only_what_is_looked_at_is_encoded() {
        let views = Views::default();
        assert!(!run(&views, frame(0)));
        let mut mask = views.of(View::Mask).look();
        assert!(!run(&views, frame(1)), "a mask needs no picture");
        let close = |found: [u8; 3], expected: [u8; 3]| found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 12);
        assert!(close(seen(&mut mask).unwrap().get_pixel(30, 20).0, [200, 0, 0]));
        assert_eq!(seen(&mut views.of(View::Overlay).look()), None);
        let mut overlay = views.of(View::Overlay).look();
        assert!(run(&views, frame(2)));
        assert!(close(seen(&mut overlay).unwrap().get_pixel(30, 20).0, [110, 0, 90]));
    }

    #[test]
    fn a_loss_is_shown_in_every_view_in_place_of_the_last_picture() {
        let views = Views::default();
        let mut camera = views.of(View::Camera).look();
        run(&views, frame(0));
        let before = seen(&mut camera).unwrap();
        run(&views, News::Lost(Arc::new(FrameLine { error: Some("unplugged".into()), ..FrameLine::default() })));
        let after = seen(&mut camera).unwrap();
        assert!(before.get_pixel(60, 40).0[2] > 180 && after.get_pixel(600, 400).0[2] < 20);
        assert!(seen(&mut views.of(View::Mask).look()).is_some(), "who comes later sees it too");
    }
}
