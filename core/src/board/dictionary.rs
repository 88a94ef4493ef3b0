//! Families of square markers: OpenCV's ArUco dictionaries and AprilTag's families.
//!
//! A marker is a square of black and white bits inside a black border. `dictionaries.txt` holds the bits;
//! `dictionaries.py` beside it made it. The smaller dictionaries of OpenCV are the first markers of its larger ones, so
//! `4x4_50` and `4x4_1000` share a line.
//!
//! References: Garrido-Jurado et al., *Automatic generation and detection of highly reliable fiducial markers under
//! occlusion*, Pattern Recognition 2014; Olson, *AprilTag: A robust and flexible visual fiducial system*, ICRA 2011.

use std::fmt;

const FAMILIES: &str = include_str!("dictionaries.txt");

/// A family of markers, of which the first `len` are used.
#[derive(Clone, PartialEq, Eq)]
pub struct Dictionary {
    name: String,
    bits: u32,
    codes: Vec<u64>,
}

impl Dictionary {
    /// The dictionary of this name: `4x4_50`, `5x5_100`, `6x6_250`, `7x7_1000`, `original`, `mip_36h12`, `tag16h5`,
    /// `tag25h9`, `tag36h11`; OpenCV's spelling (`DICT_4X4_50`, `DICT_APRILTAG_36h11`) is understood as well.
    pub fn by_name(name: &str) -> Option<Self> {
        let plain = name.to_ascii_lowercase();
        let plain = plain.strip_prefix("dict_").unwrap_or(&plain);
        let plain = plain.strip_prefix("aruco_").unwrap_or(plain).replace("apriltag_", "tag");
        let (family, wanted) = match plain.split_once('_') {
            Some((family, count)) if family.contains('x') => (family, Some(count.parse::<usize>().ok()?)),
            _ => (plain.as_str(), None),
        };
        let mut words = FAMILIES.lines().find(|line| line.split(' ').next() == Some(family))?.split(' ').skip(1);
        let bits = words.next()?.parse().ok()?;
        let mut codes: Vec<u64> = words.map_while(|word| u64::from_str_radix(word, 16).ok()).collect();
        match wanted {
            Some(count @ (50 | 100 | 250 | 1000)) => codes.truncate(count),
            Some(_) => return None,
            None if family.contains('x') => return None,
            None => {}
        }
        Some(Self { name: plain.clone(), bits, codes })
    }

    /// Its name, in the short spelling.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of markers.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Always false.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Bits along a side, without the border.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// The bits of marker `id` in reading order, the most significant of [`Self::bits`]² first, 1 = white.
    ///
    /// # Panics
    /// `id` is not below [`Self::len`].
    pub fn code(&self, id: usize) -> u64 {
        self.codes[id]
    }

    /// Whether the bit of marker `id` in this row and column is white.
    ///
    /// # Panics
    /// `id` is not below [`Self::len`], or row or column not below [`Self::bits`].
    pub fn is_white(&self, id: usize, row: u32, column: u32) -> bool {
        assert!(row < self.bits && column < self.bits, "bit ({row}, {column}) of a marker of {} bits", self.bits);
        self.codes[id] >> (self.bits * self.bits - 1 - row * self.bits - column) & 1 == 1
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Dictionary({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_published_number_of_markers() {
        let sizes = [
            ("4x4_50", 4, 50),
            ("5x5_100", 5, 100),
            ("6x6_250", 6, 250),
            ("7x7_1000", 7, 1000),
            ("original", 5, 1024),
            ("mip_36h12", 6, 250),
            ("tag16h5", 4, 30),
            ("tag25h9", 5, 35),
            ("tag36h11", 6, 587),
        ];
        for (name, bits, count) in sizes {
            let dictionary = Dictionary::by_name(name).unwrap();
            assert_eq!((dictionary.bits(), dictionary.len(), dictionary.name()), (bits, count, name));
        }
    }

    #[test]
    fn the_spelling_of_opencv_is_understood_and_nonsense_is_not() {
        assert_eq!(Dictionary::by_name("DICT_4X4_50").unwrap().name(), "4x4_50");
        assert_eq!(Dictionary::by_name("DICT_APRILTAG_36h11").unwrap().name(), "tag36h11");
        assert_eq!(Dictionary::by_name("DICT_ARUCO_MIP_36h12").unwrap().name(), "mip_36h12");
        for wrong in ["", "4x4", "4x4_51", "tag36h99", "9x9_50"] {
            assert_eq!(Dictionary::by_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_first_marker_of_4x4_is_the_published_one() {
        let dictionary = Dictionary::by_name("4x4_50").unwrap();
        let row = |row| (0..4).map(|column| if dictionary.is_white(0, row, column) { '#' } else { '.' }).collect();
        let rows: Vec<String> = (0..4).map(row).collect();
        assert_eq!(rows, ["#.##", ".#.#", "..##", "..#."]);
    }
}
