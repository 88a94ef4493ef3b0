//! Is a frame sharp?

use crate::optical_flow::GrayPicture;

/// Above this a frame is blurred: `docs/doctor.md` says what sharp and blurred footage measures.
pub const BLURRED: f64 = 0.5;
/// Differences below this many grey levels are taken for noise and not for edges.
const NOISE: f32 = 6.0;
/// Half the length of the averaging that the picture is compared with.
const BLUR_RADIUS: usize = 4;

/// How blurred a picture is, 0 to 1, without another one to compare with; none where it has no edges at all.
///
/// A sharp picture loses much of its differences between neighbours when it is averaged, a blurred one little:
///
/// ```text
/// D = |I(x) − I(x−1)|,  D' = the same of I averaged over 9 pixels
/// blur = 1 − Σ max(0, D − D') / Σ D      along rows and along columns; the larger one
/// ```
///
/// Only differences above the noise count: noise is sharp, and would hide blur.
///
/// Reference: Crété, Dolmiere, Ladret, Nicolas, *The Blur Effect: Perception and Estimation with a New No-Reference
/// Perceptual Blur Metric*, SPIE Human Vision and Electronic Imaging 2007.
pub fn blur(picture: &GrayPicture) -> Option<f64> {
    let rows = picture.values.chunks_exact(picture.width).map(<[f32]>::to_vec);
    let columns = (0..picture.width).map(|x| picture.values[x..].iter().step_by(picture.width).copied().collect());
    let along = |lines: &mut dyn Iterator<Item = Vec<f32>>| {
        let (mut all, mut lost) = (0.0_f64, 0.0_f64);
        for line in lines {
            let averaged = averaged(&line);
            for (here, smooth) in line.windows(2).zip(averaged.windows(2)) {
                let difference = (here[1] - here[0]).abs();
                if difference >= NOISE {
                    all += f64::from(difference);
                    lost += f64::from((difference - (smooth[1] - smooth[0]).abs()).max(0.0));
                }
            }
        }
        (all > 0.0).then(|| 1.0 - lost / all)
    };
    match (along(&mut { rows }), along(&mut { columns })) {
        (Some(across), Some(down)) => Some(across.max(down)),
        (across, down) => across.or(down),
    }
}

fn averaged(line: &[f32]) -> Vec<f32> {
    let mut sums = Vec::with_capacity(line.len() + 1);
    sums.push(0.0_f64);
    for value in line {
        sums.push(sums[sums.len() - 1] + f64::from(*value));
    }
    let mean = |x: usize| {
        let (start, end) = (x.saturating_sub(BLUR_RADIUS), (x + BLUR_RADIUS + 1).min(line.len()));
        ((sums[end] - sums[start]) / (end - start) as f64) as f32
    };
    (0..line.len()).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(width_px: f32, contrast: f32) -> GrayPicture {
        // Stripes with edges `width_px` wide, in both directions.
        let edge = |x: usize| (((x % 24) as f32 - 12.0) / width_px).clamp(-1.0, 1.0) * contrast;
        let values = (0..96 * 96).map(|at| 128.0 + edge(at % 96) + edge(at / 96)).collect();
        GrayPicture { width: 96, height: 96, values }
    }

    #[test]
    fn wider_edges_are_more_blurred_whatever_their_contrast() {
        let sharp = blur(&stripes(0.5, 50.0)).unwrap();
        let soft = blur(&stripes(3.0, 50.0)).unwrap();
        let softer = blur(&stripes(5.0, 50.0)).unwrap();
        assert!(sharp < soft && soft < softer, "{sharp} {soft} {softer}");
        assert!((blur(&stripes(0.5, 25.0)).unwrap() - sharp).abs() < 0.02);
        assert_eq!(blur(&stripes(3.0, 0.0)), None);
    }
}
