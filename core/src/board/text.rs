//! Boards as people write them: `chessboard:9x6:25mm`, `charuco:8x11:20mm:15mm:4x4_50`, `aprilgrid:6x6:88mm:0.3`.

use super::{Board, Dictionary};
use std::fmt;
use std::str::FromStr;

const FORMS: &str = "the forms are chessboard:COLUMNSxROWS:SQUARE (inner corners), \
                     charuco:COLUMNSxROWS:SQUARE:MARKER[:DICTIONARY] (squares) and \
                     aprilgrid:COLUMNSxROWS:TAG[:SPACING] (tags), such as chessboard:9x6:25mm";
/// More corners than this along a side are a slip of the pen.
const MAX_ALONG_A_SIDE: u32 = 60;

impl FromStr for Board {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split(':').collect();
        let board = match words[..] {
            ["chessboard", size, square] => {
                let (columns, rows) = counts(size, 3)?;
                Self::Chessboard { columns, rows, square_m: length_m(square)? }
            }
            ["charuco", size, square, marker] => charuco(size, square, marker, None)?,
            ["charuco", size, square, marker, dictionary] => charuco(size, square, marker, Some(dictionary))?,
            ["aprilgrid", size, tag] => april_grid(size, tag, "0.3")?,
            ["aprilgrid", size, tag, spacing] => april_grid(size, tag, spacing)?,
            _ => return Err(format!("{text:?} is no board: {FORMS}")),
        };
        Ok(board)
    }
}

fn charuco(size: &str, square: &str, marker: &str, name: Option<&str>) -> Result<Board, String> {
    let (columns, rows) = counts(size, 3)?;
    let (square_m, marker_m) = (length_m(square)?, length_m(marker)?);
    if marker_m >= square_m {
        return Err(format!("a marker must be smaller than its square, got {marker} in {square}"));
    }
    let needed = (columns * rows / 2) as usize;
    let smallest = ["4x4_50", "4x4_100", "4x4_250", "4x4_1000"]
        .into_iter()
        .find(|name| Dictionary::by_name(name).is_some_and(|dictionary| dictionary.len() >= needed));
    let name = name.or(smallest).unwrap_or("4x4_1000");
    let dictionary = Dictionary::by_name(name).ok_or_else(|| {
        format!(
            "no dictionary is called {name:?}: 4x4_50, 4x4_100, 4x4_250, 4x4_1000, the same for 5x5, 6x6 and 7x7, \
             original, mip_36h12, tag16h5, tag25h9, tag36h11"
        )
    })?;
    if dictionary.len() < needed {
        return Err(format!("a board of {columns}x{rows} squares needs {needed} markers, {name} has fewer"));
    }
    Ok(Board::Charuco { columns, rows, square_m, marker_m, dictionary })
}

fn april_grid(size: &str, tag: &str, spacing: &str) -> Result<Board, String> {
    let (columns, rows) = counts(size, 1)?;
    let complaint = || format!("the gap between tags must be 0.1 to 1 of a tag's side, got {spacing:?}");
    let spacing = spacing.parse().ok().filter(|value| (0.1..=1.0).contains(value)).ok_or_else(complaint)?;
    let dictionary = Dictionary::by_name("tag36h11").ok_or("tag36h11 is missing")?;
    if dictionary.len() < (columns * rows) as usize {
        return Err(format!("a grid of {columns}x{rows} tags needs more than the {} of tag36h11", dictionary.len()));
    }
    Ok(Board::AprilGrid { columns, rows, tag_m: length_m(tag)?, spacing, dictionary })
}

fn counts(text: &str, least: u32) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    match parts {
        Some((columns, rows)) if [columns, rows].iter().all(|count| (least..=MAX_ALONG_A_SIDE).contains(count)) => {
            Ok((columns, rows))
        }
        Some(_) => Err(format!("a board has {least} to {MAX_ALONG_A_SIDE} columns and rows, got {text}")),
        None => Err(format!("expected COLUMNSxROWS such as 9x6, got {text:?}")),
    }
}

/// A length with its unit, in metres.
fn length_m(text: &str) -> Result<f64, String> {
    let with_unit = [("mm", 1e-3), ("cm", 1e-2), ("in", 0.0254), ("m", 1.0)]
        .iter()
        .find_map(|(unit, metres)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * metres));
    match with_unit {
        Some(length) if length.is_finite() && (1e-4..=10.0).contains(&length) => Ok(length),
        Some(_) => Err(format!("a length must be between 0.1mm and 10m, got {text:?}")),
        None => Err(format!("expected a length with its unit such as 25mm, got {text:?}")),
    }
}

/// Millimetres as few digits as they need.
struct Millimetres(f64);

impl fmt::Display for Millimetres {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}mm", (self.0 * 1e9).round() / 1e6)
    }
}

impl fmt::Display for Board {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chessboard { columns, rows, square_m } => {
                write!(formatter, "chessboard:{columns}x{rows}:{}", Millimetres(*square_m))
            }
            Self::Charuco { columns, rows, square_m, marker_m, dictionary } => {
                let (square, marker) = (Millimetres(*square_m), Millimetres(*marker_m));
                write!(formatter, "charuco:{columns}x{rows}:{square}:{marker}:{}", dictionary.name())
            }
            Self::AprilGrid { columns, rows, tag_m, spacing, .. } => {
                write!(formatter, "aprilgrid:{columns}x{rows}:{}:{spacing}", Millimetres(*tag_m))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["chessboard:9x6:25mm", "charuco:8x11:20.5mm:15mm:5x5_100", "aprilgrid:6x6:88mm:0.3"] {
            assert_eq!(text.parse::<Board>().unwrap().to_string(), text);
        }
        assert_eq!("chessboard:9x6:2.5cm".parse::<Board>().unwrap().to_string(), "chessboard:9x6:25mm");
        assert_eq!("chessboard:7x5:1in".parse::<Board>().unwrap().to_string(), "chessboard:7x5:25.4mm");
        assert_eq!("charuco:8x11:20mm:15mm".parse::<Board>().unwrap().dictionary().unwrap().name(), "4x4_50");
        assert_eq!("charuco:12x11:20mm:15mm".parse::<Board>().unwrap().dictionary().unwrap().name(), "4x4_100");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            ("checkers:9x6:25mm", "the forms are"),
            ("chessboard:9x6", "the forms are"),
            ("chessboard:9:25mm", "COLUMNSxROWS"),
            ("chessboard:2x6:25mm", "3 to 60"),
            ("chessboard:9x6:25", "with its unit"),
            ("chessboard:9x6:0mm", "0.1mm and 10m"),
            ("chessboard:9x6:-1mm", "0.1mm and 10m"),
            ("charuco:8x11:20mm:20mm", "smaller than its square"),
            ("charuco:20x20:20mm:15mm:4x4_50", "needs 200 markers"),
            ("charuco:8x11:20mm:15mm:4x4_51", "no dictionary is called"),
            ("aprilgrid:6x6:88mm:3", "0.1 to 1"),
            ("aprilgrid:60x60:88mm", "more than the 587"),
        ] {
            let error = text.parse::<Board>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
