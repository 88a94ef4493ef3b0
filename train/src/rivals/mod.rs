//! The pre-trainings that depth is compared with: same footage, same loop, same kind of checkpoint.
//!
//! | rival | a batch | network | loss | leaves |
//! |---|---|---|---|---|
//! | [`flow`] | two frames of one camera | siamese encoder, decoder of both | photometric, smoothness | encoder |
//! | [`inpainting`] | a picture with blanked rectangles | the depth network with colours for disparity | L1 where blanked | encoder, decoder |
//! | [`contrastive`] | two altered views of a picture | encoder, momentum encoder, queue | InfoNCE | encoder |
//!
//! Two more need nothing of their own: ImageNet (`--init FILE`) and segmentation of another labelled set (`finetune`, then
//! `finetune --init` that run).
//!
//! | file | what |
//! |---|---|
//! | [`config`] | every setting of a run, as `run.toml` keeps it |
//! | [`pictures`] | pictures and pairs of frames, which need no camera |
//! | [`run`] | a run from its settings to its folder |
//!
//! Reference: Lao et al., *On the Viability of Monocular Depth Pre-training for Semantic Segmentation*, section 4.

pub mod config;
pub mod contrastive;
pub mod flow;
pub mod inpainting;
pub mod pictures;
pub mod run;

pub use config::{Method, Rival, RivalConfig};
pub use run::{RivalPretrained, pretrain, resume};

use burn::tensor::{Device, Tensor, TensorData};
use parallax_core::model_input::ModelInput;

use crate::Error;

/// Pictures or maps on a device.
fn tensor(values: &[f32], dims: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), device)
}

/// `[pictures, 3, height, width]` of so many values at the network's size.
fn picture_dims(values: &[f32], input: &ModelInput) -> [usize; 4] {
    [values.len() / input.len(), 3, input.height as usize, input.width as usize]
}

/// The numbers of a tensor, row by row.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Error> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Device {
        what: format!("the device gave no result: {error}"),
        hint: "try --device cpu",
    })
}

/// The one number of a tensor.
fn number(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}

/// Numbers in 0..1 as 8-bit pixels, from planes `[3, height, width]`.
fn picture_of(planes: &[f32], width: usize) -> image::RgbImage {
    let pixels = planes.len() / 3;
    image::RgbImage::from_fn(width as u32, (pixels / width) as u32, |x, y| {
        let at = y as usize * width + x as usize;
        image::Rgb([0, 1, 2].map(|channel| (planes[channel * pixels + at].clamp(0.0, 1.0) * 255.0).round() as u8))
    })
}

/// Pictures of one width, one below the other.
fn stacked(pictures: &[image::RgbImage]) -> image::RgbImage {
    let width = pictures.iter().map(image::RgbImage::width).max().unwrap_or(1);
    let height: u32 = pictures.iter().map(image::RgbImage::height).sum();
    let mut sheet = image::RgbImage::new(width, height.max(1));
    let mut top = 0;
    for picture in pictures {
        image::imageops::replace(&mut sheet, picture, 0, top);
        top += i64::from(picture.height());
    }
    sheet
}

/// `count` numbers spread evenly over `0..total`; fewer when there are not as many.
fn spread(count: usize, total: usize) -> impl Iterator<Item = usize> {
    let count = count.min(total);
    (0..count).map(move |place| place * total / count)
}
