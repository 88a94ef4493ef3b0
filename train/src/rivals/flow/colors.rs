//! Flow in colours: direction is hue, speed is saturation, standing still is white.
//!
//! The wheel is the usual one of the Middlebury benchmark: six arcs from red (right) over yellow (down right), green, cyan
//! (left), blue and magenta back to red, of unequal lengths because the eye tells some hues apart better than others.
//!
//! Reference: Baker, Scharstein, Lewis, Roth, Black, Szeliski, *A Database and Evaluation Methodology for Optical Flow*,
//! IJCV 2011, section 4.

use image::{Rgb, RgbImage};

/// The corners of the wheel and how many of its 55 steps lie between each and the next.
const ARCS: [([f32; 3], f32); 6] = [
    ([1.0, 0.0, 0.0], 15.0),
    ([1.0, 1.0, 0.0], 6.0),
    ([0.0, 1.0, 0.0], 4.0),
    ([0.0, 1.0, 1.0], 11.0),
    ([0.0, 0.0, 1.0], 13.0),
    ([1.0, 0.0, 1.0], 6.0),
];

/// A flow map as a picture. Full saturation is the speed that nine tenths of the pixels stay below, at least one pixel.
///
/// # Shapes
/// - `flow`: `[2, height, width]`, pixels, right and down
#[must_use]
pub fn flow_in_colors(flow: &[f32], width: usize) -> RgbImage {
    let pixels = flow.len() / 2;
    let speed = |at: usize| flow[at].hypot(flow[pixels + at]);
    let mut speeds: Vec<f32> = (0..pixels).map(speed).collect();
    speeds.sort_by(f32::total_cmp);
    let full = speeds.get(pixels * 9 / 10).copied().unwrap_or(0.0).max(1.0);
    RgbImage::from_fn(width as u32, (pixels / width) as u32, |x, y| {
        let at = y as usize * width + x as usize;
        let turn = flow[pixels + at].atan2(flow[at]) / std::f32::consts::TAU;
        let saturation = (speed(at) / full).min(1.0);
        Rgb(wheel(turn.rem_euclid(1.0)).map(|value| (255.0 * (1.0 - saturation * (1.0 - value))).round() as u8))
    })
}

/// The wheel's colour after `turn` of a full turn clockwise from the right, in 0..1.
fn wheel(turn: f32) -> [f32; 3] {
    let mut left = turn * ARCS.iter().map(|(_, steps)| steps).sum::<f32>();
    for (arc, (from, steps)) in ARCS.iter().enumerate() {
        if left <= *steps {
            let (to, _) = ARCS[(arc + 1) % ARCS.len()];
            return [0, 1, 2].map(|channel: usize| from[channel] + left / steps * (to[channel] - from[channel]));
        }
        left -= steps;
    }
    ARCS[0].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_is_red_standing_still_is_white_and_opposite_ways_differ() {
        // Right, left, down, none; a plane of columns, then one of rows.
        let picture = flow_in_colors(&[3.0, -3.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0], 4);
        let color = |x: u32| picture.get_pixel(x, 0).0;
        assert_eq!((color(0), color(3)), ([255, 0, 0], [255; 3]));
        let [red, green, blue] = color(1);
        assert!(red == 0 && green > 100 && blue > 100, "left is cyan: {:?}", color(1));
        assert_ne!(color(2), color(0));
    }

    #[test]
    fn the_wheel_closes() {
        let (first, last) = (wheel(0.0), wheel(1.0));
        assert!(first.iter().zip(last).all(|(a, b)| (a - b).abs() < 1e-4), "{first:?} {last:?}");
    }
}
