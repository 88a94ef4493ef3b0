//! A sheet for people: some pictures, and beside each those that the network describes most alike.

use image::RgbImage;
use parallax_core::model_input::ModelInput;
use parallax_core::picture;
use parallax_models::ContrastiveNetwork;

use super::super::pictures::Pictures;
use super::super::{numbers, picture_dims, spread, tensor};
use crate::Error;

/// Pictures that are compared, spread over the data.
const COMPARED: usize = 64;

/// Rows of the sheet.
const ROWS: usize = 4;

/// Neighbours beside each picture.
const NEIGHBOURS: usize = 3;

/// Draws the sheet; captions are cosines.
///
/// # Errors
/// When a picture cannot be read or the device fails.
pub fn sheet(
    network: &ContrastiveNetwork,
    pictures: &Pictures,
    input: &ModelInput,
    device: &burn::tensor::Device,
) -> Result<RgbImage, Error> {
    let compared: Vec<RgbImage> =
        spread(COMPARED, pictures.count()).map(|number| pictures.picture(number)).collect::<Result<_, _>>()?;
    let mut embeddings: Vec<Vec<f32>> = Vec::with_capacity(compared.len());
    for picture in &compared {
        let mut values = vec![0.0; input.len()];
        input.normalize(picture, &mut values);
        let dims = picture_dims(&values, input);
        embeddings.push(numbers(network.forward(tensor(&values, dims, device)))?);
    }
    let rows: Vec<Vec<(String, RgbImage)>> = spread(ROWS, compared.len())
        .map(|number| {
            let nearest = nearest(number, &embeddings).into_iter().take(NEIGHBOURS);
            let alike = nearest.map(|(other, cosine)| (format!("{cosine:.3}"), compared[other].clone()));
            std::iter::once(("picture".to_owned(), compared[number].clone())).chain(alike).collect()
        })
        .collect();
    Ok(picture::sheet(&rows, (input.width, input.height)))
}

/// All others with their cosines, the most alike first.
fn nearest(number: usize, embeddings: &[Vec<f32>]) -> Vec<(usize, f32)> {
    let cosine = |other: &[f32]| embeddings[number].iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    let mut others: Vec<(usize, f32)> = embeddings
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != number)
        .map(|(other, embedding)| (other, cosine(embedding)))
        .collect();
    others.sort_by(|a, b| b.1.total_cmp(&a.1));
    others
}
