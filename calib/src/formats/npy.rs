//! A 3×3 matrix as NumPy saves it (`np.save`): magic, version, length, a line that says type and shape, then the numbers.
//!
//! Reference: NumPy, *A simple file format for NumPy arrays* (NEP 1).

use super::bare::of_matrix;
use super::found::Found;
use parallax_core::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longer than any 3×3 matrix with its head.
const MOST_BYTES: u64 = 1 << 14;

/// The camera of a `.npy` file; none for a file of another kind.
pub(super) fn read(path: &Path) -> Result<Option<Found>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    // What cannot be read once (a pipe) is left to who reads text.
    if !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return Ok(None);
    }
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let malformed = |what: &str, hint| Error::Malformed { what: what.to_owned(), path: path.to_path_buf(), hint };
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(malformed(
            "expected text, found a zip file (of np.savez?)",
            "write its matrices as YAML with the names camera_matrix and distortion_coefficients (cv2.FileStorage)",
        ));
    }
    if !bytes.starts_with(b"\x93NUMPY") {
        return Ok(None);
    }
    let numbers = matrix(&bytes).ok_or_else(|| {
        malformed(
            "expected a 3x3 matrix of 64-bit floats",
            "save the camera matrix alone: np.save('K.npy', K.astype(float)); with a lens write YAML (cv2.FileStorage)",
        )
    })?;
    Ok(Some(of_matrix(numbers, path)))
}

fn matrix(bytes: &[u8]) -> Option<Vec<f64>> {
    let (length, start) = match bytes.get(6)? {
        1 => (u32::from(u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?)), 10),
        _ => (u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?), 12),
    };
    let end = start + length as usize;
    let head: String = std::str::from_utf8(bytes.get(start..end)?).ok()?.split_whitespace().collect();
    if !head.contains("'descr':'<f8'") || !head.contains("'shape':(3,3)") {
        return None;
    }
    let data = bytes.get(end..end + 72).filter(|_| bytes.len() == end + 72)?;
    let numbers: Vec<f64> =
        data.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok()).map(f64::from_le_bytes).collect();
    let by_columns = head.contains("'fortran_order':True");
    let at = |row: usize, column: usize| numbers[if by_columns { 3 * column + row } else { 3 * row + column }];
    let matrix: Vec<f64> = (0..9).map(|index| at(index / 3, index % 3)).collect();
    matrix.iter().all(|number| number.is_finite()).then_some(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, by_columns: bool, numbers: &[f64]) -> Vec<u8> {
        let order = if by_columns { "True" } else { "False" };
        let head = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': (3, 3), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.bytes());
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    #[test]
    fn a_saved_matrix_is_read_in_either_order() {
        let k = [520.25, 0.0, 318.5, 0.0, 519.75, 241.25, 0.0, 0.0, 1.0];
        let transposed = [520.25, 0.0, 0.0, 0.0, 519.75, 0.0, 318.5, 241.25, 1.0];
        assert_eq!(matrix(&file("<f8", false, &k)).unwrap(), k);
        assert_eq!(matrix(&file("<f8", true, &transposed)).unwrap(), k);
    }

    #[test]
    fn other_arrays_are_none() {
        let k = [1.0; 9];
        assert_eq!(matrix(&file("<f4", false, &k)), None);
        assert_eq!(matrix(&file("<f8", false, &k[..8])), None);
        assert_eq!(matrix(&file("<f8", false, &[f64::NAN; 9])), None);
        assert_eq!(matrix(b"\x93NUMPY\x01\x00\xff\xff"), None);
    }
}
