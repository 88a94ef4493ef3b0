//! Intrinsics that are learned with depth and motion, for footage without a camera file.
//!
//! ```text
//! f = f₀ · exp(10 p₀)       cx = (W − 1)/2 + 0.1 W tanh(p₁)       cy = (H − 1)/2 + 0.1 H tanh(p₂)
//! ```
//!
//! Three numbers per camera, the same for all its frames; the published form lets a network say them anew for each pair of
//! frames. The constraints: a focal length is positive; pixels are square in the picture as it was taken (true of nearly every
//! sensor), so that fx and fy at training size differ by the resize alone; the principal point lies within a tenth of the
//! picture from its centre; no lens distortion. `f₀` is 0.8 of the picture's longer side, 64° from side to side, between a
//! wide-angle webcam (0.6) and a phone (1). The factor 10 lets Adam, whose steps have the size of the learning rate, move the
//! focal length by a percent in ten steps at 1e-4.
//!
//! Reference: Gordon et al., *Depth from Videos in the Wild*, ICCV 2019, section 3 (there: softplus of a network's output).

use std::path::Path;

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use parallax_core::camera::Intrinsics;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::data::augmentation::Mirroring;
use crate::data::{Footage, View};
use crate::geometry::Pinholes;

/// How much faster than its number the logarithm of the focal length moves.
const FOCAL_GAIN: f64 = 10.0;

/// The first focal length as a part of the picture's longer side.
const FIRST_FOCAL: f64 = 0.8;

/// The farthest the principal point may be from the centre, as a part of the side.
pub(super) const CENTRE_RANGE: f64 = 0.1;

/// Numbers of a camera.
const NUMBERS: usize = 3;

/// The file in a run folder.
const FILE: &str = "cameras.json";

/// The identity of the parameter: fixed, so that Adam's moments find it in a resumed run. Networks count theirs from hashes of
/// their names.
const PARAMETER: u64 = 0x6361_6d65_7261_0001;

/// One learned camera: its frames at training size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraFrame {
    /// Width, pixels.
    pub width: f64,
    /// Height, pixels.
    pub height: f64,
    /// First guess of the focal lengths along x and y, pixels.
    pub focal: [f64; 2],
}

/// The cameras of a run.
#[derive(Module, Debug)]
pub struct LearnedCameras {
    /// `[cameras, 3]`.
    numbers: Param<Tensor<2>>,
    #[module(skip)]
    frames: Vec<CameraFrame>,
}

/// `cameras.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    schema: u32,
    /// Row by row.
    numbers: Vec<f32>,
}

impl LearnedCameras {
    /// The first guess.
    #[must_use]
    pub fn new(footage: &Footage, device: &Device) -> Self {
        let frames: Vec<CameraFrame> =
            footage.drives_of_cameras().into_iter().map(|drive| CameraFrame::of(footage, drive)).collect();
        Self::with_numbers(vec![0.0; NUMBERS * frames.len()], frames, device)
    }

    fn with_numbers(numbers: Vec<f32>, frames: Vec<CameraFrame>, device: &Device) -> Self {
        let mut numbers = Param::from_data(TensorData::new(numbers, [frames.len(), NUMBERS]), device);
        numbers.id = ParamId::from(PARAMETER);
        Self { numbers, frames }
    }

    /// The intrinsics of each camera at training size, as they are now.
    #[must_use]
    pub fn intrinsics(&self) -> Vec<Intrinsics> {
        let numbers = self.values();
        let place = |size: f64, number: f32| (size - 1.0) / 2.0 + CENTRE_RANGE * size * f64::from(number).tanh();
        let intrinsics = |(frame, numbers): (&CameraFrame, &[f32])| {
            let stretch = (FOCAL_GAIN * f64::from(numbers[0])).exp();
            Intrinsics {
                fx: frame.focal[0] * stretch,
                fy: frame.focal[1] * stretch,
                cx: place(frame.width, numbers[1]),
                cy: place(frame.height, numbers[2]),
            }
        };
        self.frames.iter().zip(numbers.chunks_exact(NUMBERS)).map(intrinsics).collect()
    }

    /// The camera of each picture of a batch, differentiable by the numbers.
    #[must_use]
    pub fn pinholes(&self, views: &[View], device: &Device) -> Pinholes {
        let device = device.clone().inner();
        let constants = |value: &dyn Fn(&View) -> f64| {
            let values: Vec<f32> = views.iter().map(|view| value(view) as f32).collect();
            Tensor::<4>::from_data(TensorData::new(values, [views.len(), 1, 1, 1]), &device)
        };
        let frame = |view: &View| self.frames[view.camera];
        // Picked out by a product with zeros and ones: its gradient is a product too, on every device.
        let mut ones = vec![0.0_f32; views.len() * self.frames.len()];
        views.iter().enumerate().for_each(|(image, view)| ones[image * self.frames.len() + view.camera] = 1.0);
        let ones = Tensor::<3>::from_data(TensorData::new(ones, [views.len(), self.frames.len(), 1]), &device);
        let numbers = (ones * self.numbers.val().unsqueeze_dim::<3>(0)).sum_dim(1);
        let number = |at: usize| numbers.clone().narrow(2, at, 1).reshape([views.len(), 1, 1, 1]);

        let stretch = number(0).mul_scalar(FOCAL_GAIN).exp();
        let sign = |view: &View| if view.mirroring == Mirroring::Yes { -1.0 } else { 1.0 };
        // The principal point in the frame, cut and mirrored as View::camera does.
        let centre_x = |view: &View| {
            let cut = (frame(view).width - 1.0) / 2.0 - view.left as f64;
            if view.mirroring == Mirroring::Yes { view.width as f64 - 1.0 - cut } else { cut }
        };
        let centre_y = |view: &View| (frame(view).height - 1.0) / 2.0 - view.top as f64;
        Pinholes {
            fx: stretch.clone() * constants(&|view| frame(view).focal[0]),
            fy: stretch * constants(&|view| frame(view).focal[1]),
            cx: number(1).tanh() * constants(&|view| sign(view) * CENTRE_RANGE * frame(view).width)
                + constants(&centre_x),
            cy: number(2).tanh() * constants(&|view| CENTRE_RANGE * frame(view).height) + constants(&centre_y),
        }
    }

    /// Writes the numbers into a folder.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec(&Saved { schema: 1, numbers: self.values() })
            .map_err(|error| Error::Weights { what: error.to_string(), path: path.clone() })?;
        Ok(parallax_core::files::write_bytes(&path, &text)?)
    }

    /// Reads what [`LearnedCameras::save`] wrote, for the same footage.
    ///
    /// # Errors
    /// When the file is missing, damaged or of other cameras.
    pub fn load(folder: &Path, footage: &Footage, device: &Device) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let unfit = |what: String| Error::Weights { what, path: path.clone() };
        let text = parallax_core::files::read_text(&path)?;
        let saved: Saved = serde_json::from_str(&text).map_err(|error| unfit(error.to_string()))?;
        let Self { frames, .. } = Self::new(footage, device);
        if saved.numbers.len() != NUMBERS * frames.len() {
            return Err(unfit(format!("expected {} cameras, found {}", frames.len(), saved.numbers.len() / NUMBERS)));
        }
        Ok(Self::with_numbers(saved.numbers, frames, device))
    }

    fn values(&self) -> Vec<f32> {
        self.numbers.val().inner().try_into_vec_as().expect("a float tensor can be read as f32")
    }
}

impl CameraFrame {
    fn of(footage: &Footage, drive: usize) -> Self {
        let (width, height) = footage.frame_size(drive);
        let (taken_width, taken_height) = footage.recording(drive).size();
        let focal = FIRST_FOCAL * f64::from(taken_width.max(taken_height));
        let (width, height) = (width as f64, height as f64);
        let focal = [focal * width / f64::from(taken_width), focal * height / f64::from(taken_height)];
        Self { width, height, focal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::zoom::Zoom;

    const FRAMES: [CameraFrame; 2] = [
        CameraFrame { width: 64.0, height: 32.0, focal: [50.0, 45.0] },
        CameraFrame { width: 96.0, height: 32.0, focal: [70.0, 60.0] },
    ];

    fn cameras(device: &Device) -> LearnedCameras {
        LearnedCameras::with_numbers(vec![0.01, 0.3, -0.2, -0.02, 0.1, 0.4], FRAMES.to_vec(), device)
    }

    #[test]
    fn tensors_and_numbers_say_the_same_camera_of_a_cut_and_mirrored_picture() {
        let cameras = cameras(&Device::flex());
        let view = |camera: usize, mirroring| {
            let CameraFrame { width, height, .. } = FRAMES[camera];
            let zoom = Zoom::none((width as usize, height as usize));
            View { camera, zoom, left: 5, top: 3, width: 32, height: 16, mirroring }
        };
        let views = [view(0, Mirroring::Yes), view(1, Mirroring::No)];
        let pinholes = cameras.pinholes(&views, &Device::flex());
        let entries = [pinholes.fx, pinholes.fy, pinholes.cx, pinholes.cy];
        let entries = entries.map(|entry| -> Vec<f32> { entry.into_data().try_into_vec().unwrap() });
        for (image, view) in views.iter().enumerate() {
            let Intrinsics { fx, fy, cx, cy } = view.camera(cameras.intrinsics()[view.camera]);
            for (entry, expected) in entries.iter().zip([fx, fy, cx, cy]) {
                assert!((f64::from(entry[image]) - expected).abs() < 1e-4, "{entry:?} {expected}");
            }
        }
    }

    #[test]
    fn the_gradient_moves_the_camera_that_took_the_picture() {
        let device = Device::flex().autodiff();
        let cameras = cameras(&device);
        let zoom = Zoom::none((96, 32));
        let view = View { camera: 1, zoom, left: 0, top: 0, width: 96, height: 32, mirroring: Mirroring::No };
        let gradients = cameras.pinholes(&[view], &device).dot(&[[1.0, 0.0, 0.0, 0.0]]).backward();
        let gradient = cameras.numbers.val().grad(&gradients).unwrap();
        let gradient: Vec<f32> = gradient.into_data().try_into_vec().unwrap();
        // ∂fx/∂p₀ = 10 fx
        let expected = 10.0 * cameras.intrinsics()[1].fx as f32;
        assert!((gradient[3] - expected).abs() < 1e-3 * expected, "{gradient:?}");
        assert_eq!([gradient[0], gradient[1], gradient[2], gradient[4], gradient[5]], [0.0; 5]);
    }
}
