//! Whether a JPEG is whole: its scans hold every coefficient of every block, and an end marker follows.

use super::super::PictureFault;
use super::frame::Frame;
use super::huffman::HuffmanTable;
use super::markers::{
    END_OF_IMAGE, HUFFMAN_TABLES, QUANTIZATION_TABLES, RESTART_INTERVAL, START_OF_SCAN, is_frame, is_restart, segment,
};
use super::scan::{Coefficients, ScanHeader, Tables, go_through};

/// Where the picture ends: behind its end marker.
///
/// # Errors
/// It is cut off or damaged.
pub(super) fn end_of(data: &[u8]) -> Result<usize, PictureFault> {
    let (mut tables, mut found, mut at) = (Tables::default(), None, 2);
    loop {
        // Some encoders write a restart marker behind the last part of a scan.
        while data.get(at) == Some(&0xff) && data.get(at + 1).is_some_and(|&marker| is_restart(marker)) {
            at += 2;
        }
        let segment = segment(data, at)?;
        at = segment.next;
        match segment.marker {
            HUFFMAN_TABLES => read_huffman_tables(segment.content, &mut tables)?,
            QUANTIZATION_TABLES => read_quantization_tables(segment.content, &mut tables)?,
            RESTART_INTERVAL => {
                let &[high, low] = segment.content else { return Err("a header has the wrong length".into()) };
                tables.restart_interval = usize::from(u16::from_be_bytes([high, low]));
            }
            marker if is_frame(marker) => {
                if found.is_some() {
                    return Err("it has two frame headers".into());
                }
                let frame = Frame::read(marker, segment.content)?;
                let coefficients: Vec<_> =
                    frame.components.iter().map(|component| Coefficients::new(&frame, component)).collect();
                found = Some((frame, coefficients));
            }
            START_OF_SCAN => {
                let (frame, coefficients) = found.as_mut().ok_or("it does not say its size")?;
                let header = ScanHeader::read(frame, segment.content)?;
                at = go_through(frame, &tables, coefficients, &header, (data, at))?;
            }
            END_OF_IMAGE => {
                let (_, coefficients) = found.as_ref().ok_or("it holds no picture")?;
                let mut all = coefficients.iter().flat_map(|component| component.lowest_bit);
                if all.any(|bit| bit != Some(0)) {
                    return Err("it breaks off: scans that would complete the picture are missing".into());
                }
                return Ok(at);
            }
            _ => {}
        }
    }
}

fn read_huffman_tables(mut content: &[u8], tables: &mut Tables) -> Result<(), PictureFault> {
    const FAULT: &str = "its Huffman tables are damaged";
    while let Some((&id, rest)) = content.split_first() {
        let (counts, rest) = rest.split_first_chunk::<16>().ok_or(FAULT)?;
        let codes = counts.iter().map(|&count| usize::from(count)).sum();
        let (values, rest) = rest.split_at_checked(codes).ok_or(FAULT)?;
        let kind = match id >> 4 {
            0 => &mut tables.dc,
            1 => &mut tables.ac,
            _ => return Err(FAULT.into()),
        };
        *kind.get_mut(usize::from(id & 15)).ok_or(FAULT)? = Some(HuffmanTable::new(counts, values).ok_or(FAULT)?);
        content = rest;
    }
    Ok(())
}

fn read_quantization_tables(mut content: &[u8], tables: &mut Tables) -> Result<(), PictureFault> {
    const FAULT: &str = "its quantization tables are damaged";
    while let Some((&id, rest)) = content.split_first() {
        let bytes = if id >> 4 == 0 { 1 } else { 2 };
        let (steps, rest) = rest.split_at_checked(64 * bytes).ok_or(FAULT)?;
        let table = tables.steps.get_mut(usize::from(id & 15)).ok_or(FAULT)?;
        for (to, step) in table.iter_mut().zip(steps.chunks_exact(bytes)) {
            *to = step.iter().fold(0, |step, &byte| step << 8 | u16::from(byte));
        }
        content = rest;
    }
    Ok(())
}
