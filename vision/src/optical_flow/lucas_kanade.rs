//! Following points from one picture into another.
//!
//! At each level of the pyramid, coarsest first, the displacement d that minimises
//! Σ (J(p + d) − I(p) − b)² over a 15×15 window is found by Gauss-Newton steps; b lets the brightness differ by a
//! constant, as between the two eyes of a pair or under automatic exposure. A point that does not come back to where it
//! started is dropped.
//!
//! References: Lucas, Kanade, *An Iterative Image Registration Technique*, IJCAI 1981; Bouguet, *Pyramidal
//! Implementation of the Affine Lucas Kanade Feature Tracker*, Intel 2001; Kalal, Mikolajczyk, Matas,
//! *Forward-Backward Error*, ICPR 2010.

use super::pyramid::{BORDER, Level, Pyramid};

/// Half the window: 15×15 pixels hold a corner and its surroundings, and still move as one in most places.
pub(super) const RADIUS: usize = 7;
const SIDE: usize = 2 * RADIUS + 1;
/// The window and the pixel around it that its gradients need.
const OUTER: usize = SIDE + 2;

/// Steps at most; those that converge do so in three to six.
const MOST_STEPS: usize = 12;
/// A step below this many pixels is the last: a thirtieth of what a photometric loss can tell apart.
const LAST_STEP_PX: f32 = 0.01;
/// Least weaker eigenvalue of the window's mean structure tensor, grey levels squared; below it the window slides.
const LEAST_TEXTURE: f32 = 0.5;
/// A point that returns farther than this from where it started was not followed but lost.
const MOST_RETURN_ERROR_PX: f32 = 0.5;

/// One point in two pictures, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Which of the given points it is.
    pub index: usize,
    /// Where it is in the first picture.
    pub from: [f32; 2],
    /// Where it is in the second.
    pub to: [f32; 2],
}

impl Track {
    /// How far it moved: to the right and down.
    pub fn flow(&self) -> [f32; 2] {
        difference(self.to, self.from)
    }

    /// How many pixels it moved.
    pub fn length_px(&self) -> f32 {
        let [x, y] = self.flow();
        x.hypot(y)
    }
}

/// Where points of one picture are in another of the same size; none for those that leave it or cannot be followed.
pub fn track(from: &Pyramid, to: &Pyramid, points: &[[f32; 2]]) -> Vec<Option<[f32; 2]>> {
    points.iter().map(|&point| follow(from, to, point, [0.0; 2], from.levels.len())).collect()
}

/// The points that can be followed into the other picture and back to within half a pixel.
pub fn track_both_ways(from: &Pyramid, to: &Pyramid, points: &[[f32; 2]]) -> Vec<Track> {
    track_both_ways_near(from, to, points, points)
}

/// As [`track_both_ways`], from a guess where each point is: for pictures several frames apart.
///
/// # Panics
/// There are not as many guesses as points.
pub fn track_both_ways_near(from: &Pyramid, to: &Pyramid, points: &[[f32; 2]], guesses: &[[f32; 2]]) -> Vec<Track> {
    assert_eq!(points.len(), guesses.len(), "each point has a guess");
    let there_and_back = |index: usize| {
        let (point, guess) = (points[index], guesses[index]);
        let there = follow(from, to, point, difference(guess, point), from.levels.len())?;
        // What was found is good to a pixel or two: half of the pyramid is enough to find back from it.
        let back = follow(to, from, there, difference(point, there), from.levels.len().div_ceil(2))?;
        let [x, y] = difference(back, point);
        (x.hypot(y) <= MOST_RETURN_ERROR_PX).then_some(Track { index, from: point, to: there })
    };
    (0..points.len()).filter_map(there_and_back).collect()
}

fn difference(to: [f32; 2], from: [f32; 2]) -> [f32; 2] {
    [to[0] - from[0], to[1] - from[1]]
}

fn follow(from: &Pyramid, to: &Pyramid, point: [f32; 2], guess: [f32; 2], levels: usize) -> Option<[f32; 2]> {
    let start = levels.min(from.levels.len()).min(to.levels.len());
    let scale = |level: usize| 1.0 / (1_usize << level) as f32;
    let mut moved = guess.map(|part| part * scale(start));
    for level in (0..start).rev() {
        moved = moved.map(|part| 2.0 * part);
        let at = point.map(|part| part * scale(level));
        match better(&from.levels[level], &to.levels[level], at, moved) {
            Step::Found(better) => moved = better,
            // A coarse level may show nothing, or the point beyond its border: a finer one can still find it.
            Step::NoTexture | Step::Outside if level > 0 => {}
            Step::NoTexture | Step::Outside => return None,
        }
    }
    Some([point[0] + moved[0], point[1] + moved[1]])
}

enum Step {
    Found([f32; 2]),
    NoTexture,
    Outside,
}

/// The displacement at one level, from a first guess.
fn better(from: &Level, to: &Level, at: [f32; 2], mut moved: [f32; 2]) -> Step {
    if !holds(from, at) {
        return Step::Outside;
    }
    let window = Window::new(from, at);
    let Some(inverse) = window.inverse_tensor() else { return Step::NoTexture };
    for _ in 0..MOST_STEPS {
        let place = [at[0] + moved[0], at[1] + moved[1]];
        if !holds(to, place) {
            return Step::Outside;
        }
        let mut seen = [[0.0; SIDE]; SIDE];
        read(to, place, &mut seen);
        let [x, y] = window.slope_of_error(&seen);
        let [xx, xy, yy] = inverse;
        let step = [-(xx * x + xy * y), -(xy * x + yy * y)];
        moved = [moved[0] + step[0], moved[1] + step[1]];
        if step[0].hypot(step[1]) < LAST_STEP_PX {
            break;
        }
    }
    if holds(to, [at[0] + moved[0], at[1] + moved[1]]) { Step::Found(moved) } else { Step::Outside }
}

fn holds(level: &Level, [x, y]: [f32; 2]) -> bool {
    (0.0..=(level.width - 1) as f32).contains(&x) && (0.0..=(level.height - 1) as f32).contains(&y)
}

/// What surrounds a point, and how it changes; gradients without their mean, which takes the brightness offset out.
struct Window {
    values: [[f32; SIDE]; SIDE],
    across: [[f32; SIDE]; SIDE],
    down: [[f32; SIDE]; SIDE],
}

impl Window {
    fn new(level: &Level, at: [f32; 2]) -> Self {
        let mut outer = [[0.0; OUTER]; OUTER];
        read(level, at, &mut outer);
        let mut window = Self { values: [[0.0; SIDE]; SIDE], across: [[0.0; SIDE]; SIDE], down: [[0.0; SIDE]; SIDE] };
        for y in 0..SIDE {
            for x in 0..SIDE {
                window.values[y][x] = outer[y + 1][x + 1];
                window.across[y][x] = 0.5 * (outer[y + 1][x + 2] - outer[y + 1][x]);
                window.down[y][x] = 0.5 * (outer[y + 2][x + 1] - outer[y][x + 1]);
            }
        }
        for gradient in [&mut window.across, &mut window.down] {
            let mean = gradient.as_flattened().iter().sum::<f32>() / (SIDE * SIDE) as f32;
            gradient.as_flattened_mut().iter_mut().for_each(|value| *value -= mean);
        }
        window
    }

    /// The inverse of Σ g gᵀ as `[xx, xy, yy]`; none where it has none worth using.
    fn inverse_tensor(&self) -> Option<[f32; 3]> {
        let (across, down) = (self.across.as_flattened(), self.down.as_flattened());
        let [xx, xy, yy] = [dot(across, across), dot(across, down), dot(down, down)];
        let smaller = 0.5 * (xx + yy - ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt());
        if smaller < LEAST_TEXTURE * (SIDE * SIDE) as f32 {
            return None;
        }
        let determinant = xx * yy - xy * xy;
        Some([yy / determinant, -xy / determinant, xx / determinant])
    }

    /// Σ g (J − I).
    fn slope_of_error(&self, seen: &[[f32; SIDE]; SIDE]) -> [f32; 2] {
        let mut error = *seen;
        for (error, value) in error.as_flattened_mut().iter_mut().zip(self.values.as_flattened()) {
            *error -= value;
        }
        [dot(self.across.as_flattened(), error.as_flattened()), dot(self.down.as_flattened(), error.as_flattened())]
    }
}

/// In eight sums side by side, which the compiler turns into vector instructions; the order is fixed.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (wholes, others) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = wholes.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in wholes.zip(others) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The `SIZE × SIZE` values around a point, bilinearly. The point lies within the level; its border covers the rest.
fn read<const SIZE: usize>(level: &Level, [x, y]: [f32; 2], values: &mut [[f32; SIZE]; SIZE]) {
    let (column, row) = (x as usize, y as usize);
    let (a, b) = (x - column as f32, y - row as f32);
    let weights = [(1.0 - a) * (1.0 - b), a * (1.0 - b), (1.0 - a) * b, a * b];
    let first = (row + BORDER - SIZE / 2) * level.stride + column + BORDER - SIZE / 2;
    for (line, out) in values.iter_mut().enumerate() {
        let above = &level.values[first + line * level.stride..][..=SIZE];
        let below = &level.values[first + (line + 1) * level.stride..][..=SIZE];
        for place in 0..SIZE {
            out[place] = weights[0] * above[place]
                + weights[1] * above[place + 1]
                + weights[2] * below[place]
                + weights[3] * below[place + 1];
        }
    }
}
