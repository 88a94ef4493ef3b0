//! The orientation of a picture: how a viewer turns the stored pixels, as EXIF says.
//!
//! ```text
//! value   1    2         3        4         5          6        7           8
//! shown   as   mirrored  turned   upside    transposed turned   transposed  turned
//!         is   left to   by 180°  down,     (rows to   by 90°   over the    by 270°
//!              right              mirrored  columns)   clockw.  other axis  clockw.
//! ```
//!
//! Reference: CIPA DC-008 (Exif 2.32), tag 274 in TIFF's directory (TIFF 6.0, section 2).

use image::metadata::Orientation;

const ORIENTATION_TAG: u16 = 274;

/// The orientation in an EXIF block, with or without its name before the TIFF header; none where it does not say, or says
/// a value that the standard does not know, which viewers pass over.
pub(super) fn of_exif(block: &[u8]) -> Option<Orientation> {
    let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = [*tiff.get(at)?, *tiff.get(at + 1)?];
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let u32_at = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = u32_at(4)? as usize;
    for entry in 0..usize::from(u16_at(directory)?) {
        let at = directory + 2 + 12 * entry;
        if u16_at(at)? == ORIENTATION_TAG {
            let value = match u16_at(at + 2)? {
                1 => u32::from(*tiff.get(at + 8)?), // a byte
                3 => u32::from(u16_at(at + 8)?),    // 16 bits, as the standard wants it
                4 => u32_at(at + 8)?,
                _ => return None,
            };
            return Orientation::from_exif(u8::try_from(value).ok()?);
        }
    }
    None
}

/// Whether width and height change places.
const fn is_on_its_side(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    )
}

pub(super) const fn turned_size((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    if is_on_its_side(orientation) { (height, width) } else { (width, height) }
}

/// Its value in EXIF and what that means, for messages.
pub(crate) const fn name(orientation: Orientation) -> &'static str {
    match orientation {
        Orientation::NoTransforms => "EXIF orientation 1 (as stored)",
        Orientation::FlipHorizontal => "EXIF orientation 2 (mirrored)",
        Orientation::Rotate180 => "EXIF orientation 3 (upside down)",
        Orientation::FlipVertical => "EXIF orientation 4 (mirrored, upside down)",
        Orientation::Rotate90FlipH => "EXIF orientation 5 (mirrored, on its side)",
        Orientation::Rotate90 => "EXIF orientation 6 (on its side)",
        Orientation::Rotate270FlipH => "EXIF orientation 7 (mirrored, on its side)",
        Orientation::Rotate270 => "EXIF orientation 8 (on its side)",
    }
}

/// How EXIF turns the pictures of one camera: a camera file belongs to one turn, as its numbers belong to one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turns {
    first: Option<Orientation>,
    other: Option<Orientation>,
}

impl Turns {
    /// Takes one picture more into account.
    pub(crate) fn note(&mut self, orientation: Orientation) {
        let first = *self.first.get_or_insert(orientation);
        if first != orientation {
            self.other.get_or_insert(orientation);
        }
    }

    /// The turn of the pictures, where they are turned at all.
    pub(crate) fn turned(self) -> Option<Orientation> {
        self.first.filter(|&first| first != Orientation::NoTransforms)
    }

    /// Two different turns, where there are.
    pub(crate) fn mixed(self) -> Option<(Orientation, Orientation)> {
        self.first.zip(self.other)
    }
}

/// Turns values of pixels, `CHANNELS` a pixel, as a viewer does. Gives them with their new width and height.
pub(crate) fn turn_values<T: Copy, const CHANNELS: usize>(
    values: &[T],
    (width, height): (u32, u32),
    orientation: Orientation,
) -> (Vec<T>, (u32, u32)) {
    let size = turned_size((width, height), orientation);
    let (right, bottom) = (width as usize - 1, height as usize - 1);
    let mut turned = Vec::with_capacity(values.len());
    for y in 0..size.1 as usize {
        for x in 0..size.0 as usize {
            let (column, row) = match orientation {
                Orientation::NoTransforms => (x, y),
                Orientation::FlipHorizontal => (right - x, y),
                Orientation::Rotate180 => (right - x, bottom - y),
                Orientation::FlipVertical => (x, bottom - y),
                Orientation::Rotate90FlipH => (y, x),
                Orientation::Rotate90 => (y, bottom - x),
                Orientation::Rotate270FlipH => (right - y, bottom - x),
                Orientation::Rotate270 => (right - y, x),
            };
            let at = (row * width as usize + column) * CHANNELS;
            turned.extend_from_slice(&values[at..at + CHANNELS]);
        }
    }
    (turned, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_values_turn_as_the_standard_says() {
        // 1 2 3      The first row and column of each, by the standard's table: which edge of the stored picture is shown
        // 4 5 6      at the top, and which at the left.
        let stored = [1, 2, 3, 4, 5, 6];
        let expected: [(&[i32], (u32, u32)); 8] = [
            (&[1, 2, 3, 4, 5, 6], (3, 2)),
            (&[3, 2, 1, 6, 5, 4], (3, 2)),
            (&[6, 5, 4, 3, 2, 1], (3, 2)),
            (&[4, 5, 6, 1, 2, 3], (3, 2)),
            (&[1, 4, 2, 5, 3, 6], (2, 3)),
            (&[4, 1, 5, 2, 6, 3], (2, 3)),
            (&[6, 3, 5, 2, 4, 1], (2, 3)),
            (&[3, 6, 2, 5, 1, 4], (2, 3)),
        ];
        for (value, (shown, size)) in (1..=8).zip(expected) {
            let orientation = Orientation::from_exif(value).unwrap();
            assert_eq!(turn_values::<_, 1>(&stored, (3, 2), orientation), (shown.to_vec(), size), "{value}");
            // And as `image` turns pictures.
            let values: Vec<u8> = stored.map(|value| value as u8).to_vec();
            let mut picture = image::DynamicImage::from(image::GrayImage::from_raw(3, 2, values).unwrap());
            picture.apply_orientation(orientation);
            let picture = picture.into_luma8();
            assert_eq!(picture.dimensions(), size);
            assert!(picture.iter().zip(shown).all(|(found, expected)| i32::from(*found) == *expected), "{value}");
        }
    }

    #[test]
    fn exif_is_read_in_both_byte_orders_and_never_beyond_its_end() {
        let block = |little: bool, kind: u16, value: u32| {
            let two = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
            let four = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
            let mut block = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
            block.extend(four(8));
            block.extend(two(2));
            for (tag, kind, value) in [(271, 3, 5), (ORIENTATION_TAG, kind, value)] {
                block.extend(two(tag));
                block.extend(two(kind));
                block.extend(four(1));
                match kind {
                    1 => block.extend([value as u8, 0, 0, 0]),
                    3 => block.extend([two(value as u16), [0; 2]].concat()),
                    _ => block.extend(four(value)),
                }
            }
            block
        };
        for (little, kind) in [(true, 3), (false, 3), (true, 4), (false, 1)] {
            for value in 1..=8 {
                let block = block(little, kind, value);
                assert_eq!(of_exif(&block), Orientation::from_exif(value as u8));
                assert_eq!(of_exif(&[b"Exif\0\0", block.as_slice()].concat()), Orientation::from_exif(value as u8));
                for length in 0..block.len() - 4 {
                    assert_eq!(of_exif(&block[..length]), None);
                }
            }
            assert_eq!((of_exif(&block(little, kind, 0)), of_exif(&block(little, kind, 9))), (None, None));
        }
        assert_eq!(of_exif(b"II*\0\xff\xff\xff\xff\xff\xff"), None);
    }
}
