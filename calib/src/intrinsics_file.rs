//! The plain form `fx fy cx cy [baseline_m]`: pixels, pixel centres at integers, `#` starts a comment.

use crate::CameraPair;
use crate::formats::FORMS;
use parallax_core::camera::Intrinsics;
use parallax_core::{Error, Result};
use std::path::Path;

pub(crate) fn parse(text: &str, path: &Path, size: Option<(u32, u32)>) -> Result<CameraPair> {
    let malformed = |what: String, hint: &'static str| Error::Malformed { what, path: path.to_path_buf(), hint };
    let without_comments = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let numbers = without_comments.flat_map(str::split_whitespace).map(|word| {
        let is_nearly = word.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        let hint = if is_nearly {
            "the form is: fx fy cx cy [baseline_m], with white space between and a decimal point, not a comma"
        } else {
            FORMS
        };
        let complaint = || malformed(format!("expected a number, found {word:?}"), hint);
        word.parse::<f64>().map_err(|_| complaint())
    });
    let numbers: Vec<f64> = numbers.collect::<Result<_>>()?;
    let (&[fx, fy, cx, cy], baseline_m) = (match numbers.as_slice() {
        [k @ .., baseline_m] if numbers.len() == 5 => (k, Some(*baseline_m)),
        k => (k, None),
    }) else {
        let what = format!("expected 4 or 5 numbers, found {}", numbers.len());
        return Err(malformed(what, if numbers.is_empty() { FORMS } else { "the form is: fx fy cx cy [baseline_m]" }));
    };
    let size = crate::check_size(None, size, path)?;
    CameraPair::pinhole(Intrinsics { fx, fy, cx, cy }, size, baseline_m).map_err(|error| match error {
        Error::Camera { what, .. } => Error::Camera { what, path: Some(path.to_path_buf()) },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CameraPair> {
        parse(text, Path::new("intrinsics.txt"), Some((640, 192)))
    }

    #[test]
    fn comments_are_skipped_and_a_fifth_number_is_the_baseline() {
        let pair = read("# fx fy cx cy\n371.8 369.4 313.9 88.3 # left\n").unwrap();
        assert_eq!((pair.left.intrinsics.fx, pair.left.intrinsics.cy, pair.right), (371.8, 88.3, None));
        let pair = read("371.8 369.4 313.9 88.3 0.5327").unwrap();
        assert!((pair.right.unwrap().baseline_m().unwrap() - 0.5327).abs() < 1e-12);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            ("", "found 0"),
            ("1 2 3", "found 3"),
            ("1 2 3 4 5 6", "found 6"),
            ("a 2 3 4", "found \"a\""),
            ("0 369 313 88", "got fx = 0"),
            ("371 369 31300 88", "principal point"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("intrinsics.txt"), "{error}");
        }
        let error = parse("371.8 369.4 313.9 88.3", Path::new("i.txt"), None).unwrap_err();
        assert!(error.hint().unwrap().contains("--size"));
    }
}
