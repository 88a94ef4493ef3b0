//! A bare 3×3 camera matrix: what `print(K)`, `np.savetxt`, a spreadsheet or a page of a paper gives. It says nothing about
//! the lens, which is taken as one without distortion.

use super::found::Found;
use parallax_core::camera::CameraNumbers;
use parallax_core::{Error, Result};
use std::path::Path;

/// Whether the text has the nine numbers of a matrix, or what decimal commas make of them.
pub(super) fn is_matrix(text: &str) -> bool {
    matches!(words(text).count(), 9 | 18)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Found> {
    let numbers = words(text).map(str::parse).collect::<std::result::Result<Vec<f64>, _>>();
    let is_finite = |numbers: &Vec<f64>| numbers.iter().all(|number| number.is_finite());
    let k = numbers.ok().filter(is_finite).filter(|numbers| numbers.len() == 9).ok_or_else(|| Error::Malformed {
        what: format!("expected the nine numbers of a camera matrix, found {} that are not", words(text).count()),
        path: path.to_path_buf(),
        hint: "numbers have a decimal point, not a comma: 520.25 0 318.5 / 0 519.75 241.25 / 0 0 1",
    })?;
    Ok(of_matrix(k, path))
}

/// A camera of which nothing but K is known.
pub(super) fn of_matrix(k: Vec<f64>, path: &Path) -> Found {
    tracing::warn!("{} says nothing about the lens: it is taken as one without distortion", path.display());
    Found::one(CameraNumbers { k, ..CameraNumbers::default() })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let without_comments = text.lines().map(|line| line.split(['#', '%']).next().unwrap_or_default());
    let between = |letter: char| letter.is_whitespace() || ",;[]()".contains(letter);
    without_comments
        .flat_map(move |line| line.split(between))
        .filter(|word| !word.is_empty() && *word != "-" && *word != "array")
}
