//! What a frame header says: the size, and how each component is cut into blocks of 8 × 8 samples.
//!
//! Reference: ITU-T T.81 (1992), B.2.2 and A.1.1, A.2.

use super::super::PictureFault;
use super::markers::PROGRESSIVE_FRAME;

/// One channel of the picture.
#[derive(Clone, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks in one unit of an interleaved scan, across and down.
    pub(super) sampling: (usize, usize),
    pub(super) quantization: usize,
    /// Blocks that hold pixels, across and down: those of a scan of this component alone.
    pub(super) blocks: (usize, usize),
    /// Blocks of whole units: the width of the grid in which blocks are counted.
    pub(super) padded: (usize, usize),
}

/// The frame of a JPEG.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) is_progressive: bool,
    pub(super) components: Vec<Component>,
    /// Units of an interleaved scan, across and down.
    pub(super) units: (usize, usize),
}

impl Frame {
    pub(super) fn read(marker: u8, content: &[u8]) -> Result<Self, PictureFault> {
        match marker {
            0xc0..=PROGRESSIVE_FRAME => {}
            0xc3 | 0xc7 | 0xcb | 0xcf => return Err(PictureFault::unsupported("it is a lossless JPEG")),
            0xc5 | 0xc6 | 0xcd | 0xce => return Err(PictureFault::unsupported("it is a hierarchical JPEG")),
            _ => return Err(PictureFault::unsupported("it is a JPEG with arithmetic codes")),
        }
        let &[precision, y1, y0, x1, x0, count, ref rest @ ..] = content else {
            return Err("its frame header is too short".into());
        };
        if precision != 8 {
            return Err(PictureFault::unsupported(format!("it is a JPEG of {precision} bits, expected 8")));
        }
        let (width, height) = (usize::from(u16::from_be_bytes([x1, x0])), usize::from(u16::from_be_bytes([y1, y0])));
        let (entries, remainder) = rest.as_chunks::<3>();
        if !(1..=4).contains(&count) || entries.len() != usize::from(count) || !remainder.is_empty() {
            return Err(PictureFault::damaged(format!("its frame header names {count} components")));
        }
        let samplings: Vec<_> =
            entries.iter().map(|entry| (usize::from(entry[1] >> 4), usize::from(entry[1] & 15))).collect();
        if samplings.iter().any(|&(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
            return Err("its frame header has a sampling factor that there is not".into());
        }
        let most = |of: fn(&(usize, usize)) -> usize| samplings.iter().map(of).max().unwrap_or(1);
        let (across, down) = (most(|sampling| sampling.0), most(|sampling| sampling.1));
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        let component = |(entry, (h, v)): (&[u8; 3], (usize, usize))| Component {
            id: entry[0],
            sampling: (h, v),
            quantization: usize::from(entry[2]),
            blocks: ((width * h).div_ceil(across).div_ceil(8), (height * v).div_ceil(down).div_ceil(8)),
            padded: (units.0 * h, units.1 * v),
        };
        let components = entries.iter().zip(samplings).map(component).collect();
        Ok(Self { is_progressive: marker == PROGRESSIVE_FRAME, components, units })
    }
}
