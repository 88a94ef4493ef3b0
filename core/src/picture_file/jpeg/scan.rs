//! Going through one scan code by code, without computing a pixel: a scan that lost bytes, or got wrong ones, ends too
//! early or too late, has codes that no table has, or brightness that no picture has.
//!
//! Reference: ITU-T T.81 (1992), annexes F.2 (sequential) and G.2 (progressive).

use super::super::PictureFault;
use super::frame::{Component, Frame};
use super::huffman::{Bits, HuffmanTable};
use super::markers::is_restart;

/// Bytes that may stand unused before a marker: some cameras pad there. More are the rest of something that was lost.
const PADDING_BYTES: usize = 16;
/// A coefficient of samples between −128 and 127 lies between −1024 and 1024 (the mean, times 8) or nearer to 0. Encoders
/// that sharpen go a little beyond, and rounding goes by half a step; what is half as far again comes from wrong bytes.
const COEFFICIENT_LIMIT: i64 = 1536;

const BROKEN_OFF: &str = "it breaks off: its scan holds less than the whole picture";
const NO_TABLE: &str = "a scan uses a Huffman table that there is not";
const NO_CODE: &str = "its scan is damaged: a code that there is not";

/// The tables that hold at a point of the file.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) dc: [Option<HuffmanTable>; 4],
    pub(super) ac: [Option<HuffmanTable>; 4],
    /// The quantization steps of each table, in the order in which coefficients come.
    pub(super) steps: [Steps; 4],
    /// Units between two restart markers; 0 for none.
    pub(super) restart_interval: usize,
}

impl Default for Tables {
    fn default() -> Self {
        Self { dc: Default::default(), ac: Default::default(), steps: [[0; 64]; 4], restart_interval: 0 }
    }
}

/// One quantization table.
pub(super) type Steps = [u16; 64];

/// What has come of one component so far.
#[derive(Clone, Debug)]
pub(super) struct Coefficients {
    /// The lowest bit that has come of each coefficient; none where nothing has.
    pub(super) lowest_bit: [Option<u8>; 64],
    /// For each block of a progressive picture a bit for each coefficient that is not zero.
    nonzero: Vec<u64>,
}

impl Coefficients {
    pub(super) fn new(frame: &Frame, component: &Component) -> Self {
        let blocks = if frame.is_progressive { component.padded.0 * component.padded.1 } else { 0 };
        Self { lowest_bit: [None; 64], nonzero: vec![0; blocks] }
    }
}

/// A component in a scan and the tables that it uses.
#[derive(Clone, Copy, Debug)]
struct Member {
    component: usize,
    dc: usize,
    ac: usize,
}

/// The header of a scan.
#[derive(Debug)]
pub(super) struct ScanHeader {
    members: Vec<Member>,
    /// First and last coefficient.
    band: (usize, usize),
    /// The lowest bit that was known before (0: nothing was), and the one known afterwards.
    bits: (u8, u8),
}

impl ScanHeader {
    pub(super) fn read(frame: &Frame, content: &[u8]) -> Result<Self, PictureFault> {
        let (&count, rest) = content.split_first().ok_or("a scan's header is too short")?;
        let count = usize::from(count);
        let (entries, last) = rest.split_at_checked(2 * count).ok_or("a scan's header is too short")?;
        let &[from, to, bits] = last else { return Err("a scan's header has the wrong length".into()) };
        let members = entries.chunks_exact(2).map(|entry| -> Result<Member, PictureFault> {
            let component = frame.components.iter().position(|component| component.id == entry[0]);
            let component = component.ok_or("a scan names a component that the frame has not")?;
            let (dc, ac) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if dc > 3 || ac > 3 {
                return Err("a scan names a table that there is not".into());
            }
            Ok(Member { component, dc, ac })
        });
        let members: Vec<Member> = members.collect::<Result<_, _>>()?;
        let band = if frame.is_progressive { (usize::from(from), usize::from(to)) } else { (0, 63) };
        let bits = if frame.is_progressive { (bits >> 4, bits & 15) } else { (0, 0) };
        let is_mixed = frame.is_progressive && band.0 == 0 && band.1 != 0;
        let blocks = |member: &Member| {
            let (h, v) = frame.components[member.component].sampling;
            h * v
        };
        let is_crowded = count > 1 && (band.0 != 0 || members.iter().map(blocks).sum::<usize>() > 10);
        if !(1..=4).contains(&count) || band.1 > 63 || band.0 > band.1 || is_mixed || is_crowded || bits.1 > 13 {
            return Err("a scan's header contradicts itself".into());
        }
        Ok(Self { members, band, bits })
    }

    /// Notes what will be known after this scan.
    fn note(&self, coefficients: &mut [Coefficients]) -> Result<(), PictureFault> {
        let (before, after) = self.bits;
        for member in &self.members {
            for bit in &mut coefficients[member.component].lowest_bit[self.band.0..=self.band.1] {
                let fits = if before == 0 { bit.is_none() } else { *bit == Some(before) && after + 1 == before };
                if !fits {
                    return Err("its scans do not follow each other".into());
                }
                *bit = Some(after);
            }
        }
        Ok(())
    }
}

/// Goes through the scan whose data begin at `at`; says where the marker behind it stands.
///
/// # Errors
/// The scan is not whole.
pub(super) fn go_through(
    frame: &Frame,
    tables: &Tables,
    coefficients: &mut [Coefficients],
    header: &ScanHeader,
    (data, mut at): (&[u8], usize),
) -> Result<usize, PictureFault> {
    header.note(coefficients)?;
    let (across, down) = match header.members.as_slice() {
        [alone] => frame.components[alone.component].blocks,
        _ => frame.units,
    };
    let all = across * down;
    let interval = if tables.restart_interval == 0 { all } else { tables.restart_interval };
    let (mut done, mut restarts) = (0, 0_u8);
    loop {
        let end = at + end_of_data(&data[at..])?;
        let mut part = Part { frame, tables, header, bits: Bits::new(&data[at..end]), means: [0; 4], run: 0 };
        let until = all.min(done + interval);
        while done < until {
            part.unit(coefficients, (done % across, done / across))?;
            done += 1;
        }
        if part.bits.bytes_left() > PADDING_BYTES {
            return Err("its scan is damaged: it holds more than the picture".into());
        }
        if done == all {
            return Ok(end);
        }
        let marker = end + data[end..].iter().take_while(|&&byte| byte == 0xff).count();
        match data.get(marker) {
            Some(&found) if found == 0xd0 + restarts % 8 => (at, restarts) = (marker + 1, restarts.wrapping_add(1)),
            Some(&found) if is_restart(found) => return Err("a part of its scan is missing".into()),
            _ => return Err(BROKEN_OFF.into()),
        }
    }
}

/// Where the next marker stands.
fn end_of_data(data: &[u8]) -> Result<usize, PictureFault> {
    let mut at = 0;
    while let Some(step) = data[at..].iter().position(|&byte| byte == 0xff) {
        match data.get(at + step + 1) {
            Some(0) => at += step + 2,
            Some(_) => return Ok(at + step),
            None => break,
        }
    }
    Err("it ends before its end marker".into())
}

/// A part of a scan between two markers.
struct Part<'a> {
    frame: &'a Frame,
    tables: &'a Tables,
    header: &'a ScanHeader,
    bits: Bits<'a>,
    /// The last mean of each component.
    means: [i64; 4],
    /// How many blocks to come have no more coefficients in this scan.
    run: u32,
}

impl Part<'_> {
    /// All blocks of one unit.
    fn unit(&mut self, coefficients: &mut [Coefficients], (x, y): (usize, usize)) -> Result<(), PictureFault> {
        let header = self.header;
        for &member in &header.members {
            let component = &self.frame.components[member.component];
            if !self.frame.is_progressive {
                let blocks = if header.members.len() == 1 { 1 } else { component.sampling.0 * component.sampling.1 };
                for _ in 0..blocks {
                    self.mean(member, 0)?;
                    self.rest_of_block(member)?;
                }
                continue;
            }
            let (h, v) = if header.members.len() == 1 { (1, 1) } else { component.sampling };
            for (row, column) in (0..v).flat_map(|row| (0..h).map(move |column| (row, column))) {
                let block = (y * v + row) * component.padded.0 + x * h + column;
                let nonzero = &mut coefficients[member.component].nonzero[block];
                match (header.band.0, header.bits) {
                    (0, (0, low)) => self.mean(member, low)?,
                    (0, _) => _ = self.bits.bit(),
                    (_, (0, _)) => self.first_band(member, nonzero)?,
                    _ => self.refined_band(member, nonzero)?,
                }
            }
        }
        if self.bits.is_overdrawn() { Err(BROKEN_OFF.into()) } else { Ok(()) }
    }

    /// The mean of a block, as the difference to the last one.
    fn mean(&mut self, member: Member, low: u8) -> Result<(), PictureFault> {
        let table = self.tables.dc[member.dc].as_ref().ok_or(NO_TABLE)?;
        let length = u32::from(self.bits.decode(table).ok_or(NO_CODE)?);
        if length > 16 {
            return Err(NO_CODE.into());
        }
        let difference = self.bits.number(length);
        let mean = &mut self.means[member.component];
        *mean += difference;
        let value = *mean << low;
        self.check_size(member, 0, value)
    }

    /// Whether a coefficient is one of a picture.
    fn check_size(&self, member: Member, at: usize, value: i64) -> Result<(), PictureFault> {
        let table = self.frame.components[member.component].quantization & 3;
        let step = i64::from(self.tables.steps[table][at]);
        if value.abs() * step > COEFFICIENT_LIMIT + step {
            return Err("its scan is damaged: it is brighter or darker than a picture can be".into());
        }
        Ok(())
    }

    /// The other coefficients of a block of a sequential picture.
    fn rest_of_block(&mut self, member: Member) -> Result<(), PictureFault> {
        let table = self.tables.ac[member.ac].as_ref().ok_or(NO_TABLE)?;
        let mut at = 1;
        while at < 64 {
            let code = self.bits.decode(table).ok_or(NO_CODE)?;
            let (zeros, length) = (usize::from(code >> 4), u32::from(code & 15));
            if length == 0 {
                if zeros != 15 {
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros + 1;
            if at > 64 {
                return Err("its scan is damaged: a block of more than 64 coefficients".into());
            }
            let value = self.bits.number(length);
            self.check_size(member, at - 1, value)?;
        }
        Ok(())
    }

    /// The first bits of a band of coefficients.
    fn first_band(&mut self, member: Member, nonzero: &mut u64) -> Result<(), PictureFault> {
        if self.run > 0 {
            self.run -= 1;
            return Ok(());
        }
        let table = self.tables.ac[member.ac].as_ref().ok_or(NO_TABLE)?;
        let (mut at, last) = self.header.band;
        while at <= last {
            let code = self.bits.decode(table).ok_or(NO_CODE)?;
            let (zeros, length) = (usize::from(code >> 4), u32::from(code & 15));
            if length == 0 {
                if zeros != 15 {
                    self.run = (1 << zeros) - 1 + self.bits.take(zeros as u32);
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros;
            if at > last {
                return Err("its scan is damaged: a coefficient beyond its band".into());
            }
            let value = self.bits.number(length);
            self.check_size(member, at, value << self.header.bits.1)?;
            *nonzero |= 1 << at;
            at += 1;
        }
        Ok(())
    }

    /// One bit more of a band of coefficients.
    fn refined_band(&mut self, member: Member, nonzero: &mut u64) -> Result<(), PictureFault> {
        let table = self.tables.ac[member.ac].as_ref().ok_or(NO_TABLE)?;
        let (mut at, last) = self.header.band;
        if self.run == 0 {
            while at <= last {
                let code = self.bits.decode(table).ok_or(NO_CODE)?;
                let (mut zeros, length) = (code >> 4, code & 15);
                match length {
                    0 if zeros != 15 => {
                        self.run = (1 << zeros) + self.bits.take(u32::from(zeros));
                        break;
                    }
                    0 => {}
                    1 => _ = self.bits.take(1), // the sign
                    _ => return Err(NO_CODE.into()),
                }
                // Known coefficients have a bit each; the zeros between them are counted down.
                while at <= last {
                    if *nonzero >> at & 1 != 0 {
                        self.bits.bit();
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    at += 1;
                }
                if length == 1 {
                    if at > last {
                        return Err("its scan is damaged: a coefficient beyond its band".into());
                    }
                    *nonzero |= 1 << at;
                }
                at += 1;
            }
        }
        if self.run > 0 {
            for at in at..=last {
                if *nonzero >> at & 1 != 0 {
                    self.bits.bit();
                }
            }
            self.run -= 1;
        }
        Ok(())
    }
}
