//! One Huffman table, and the bits of a scan.
//!
//! Reference: ITU-T T.81 (1992), annexes C (tables) and F.2.2 (decoding).

/// Codes of this length and shorter are looked up at once.
const LOOKUP_BITS: u32 = 9;

/// One Huffman table.
#[derive(Clone, Debug)]
pub(super) struct HuffmanTable {
    /// For each beginning of [`LOOKUP_BITS`] bits the code's length (high byte) and what it means; 0 for longer codes.
    lookup: Vec<u16>,
    /// For each length the first code beyond those of it, aligned to 16 bits.
    limits: [u32; 17],
    /// For each length what is added to a code to find its meaning.
    offsets: [i32; 17],
    values: Vec<u8>,
}

impl HuffmanTable {
    /// From how many codes of each length there are, and what they mean. None for counts that no code has.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut table =
            Self { lookup: vec![0; 1 << LOOKUP_BITS], limits: [0; 17], offsets: [0; 17], values: values.to_vec() };
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1..).zip(counts) {
            table.offsets[length as usize] = index as i32 - code as i32;
            for _ in 0..count {
                if length <= LOOKUP_BITS {
                    let (first, share) = (code << (LOOKUP_BITS - length), 1_usize << (LOOKUP_BITS - length));
                    let entry = (length as u16) << 8 | u16::from(*values.get(index)?);
                    table.lookup.get_mut(first as usize..first as usize + share)?.fill(entry);
                }
                (code, index) = (code + 1, index + 1);
            }
            if code > 1 << length {
                return None;
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        (index == values.len()).then_some(table)
    }
}

/// The bits between two markers, with stuffed zeros left out. Behind its end come zeros; [`Bits::is_overdrawn`] tells.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the highest one on.
    buffer: u64,
    count: u32,
    /// How many of the last bits of the buffer are not in the data.
    invented: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, buffer: 0, count: 0, invented: 0 }
    }

    /// Makes sure of 32 bits.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(&[a, b, c, d]) = self.data.get(self.at..self.at + 4)
            && a != 0xff
            && b != 0xff
            && c != 0xff
            && d != 0xff
        {
            self.buffer |= u64::from(u32::from_be_bytes([a, b, c, d])) << (32 - self.count);
            (self.count, self.at) = (self.count + 32, self.at + 4);
            return;
        }
        while self.count <= 56 {
            let byte = if let Some(&byte) = self.data.get(self.at) {
                self.at += if byte == 0xff { 2 } else { 1 };
                byte
            } else {
                self.invented += 8;
                0
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline]
    fn drop(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// The next `count` bits, 16 at most, of those that [`Bits::refill`] made sure of.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        // In two steps: a shift by 64 is none.
        let bits = (self.buffer >> 1 >> (63 - count)) as u32;
        self.drop(count);
        bits
    }

    /// The next number of so many bits; one that lacks its sign's bit is negative, its ones' complement.
    #[inline]
    pub(super) fn number(&mut self, length: u32) -> i64 {
        let bits = i64::from(self.take(length));
        if length > 0 && bits < 1 << (length - 1) { bits - (1 << length) + 1 } else { bits }
    }

    /// The next bit.
    #[inline]
    pub(super) fn bit(&mut self) -> bool {
        self.refill();
        self.take(1) != 0
    }

    /// The next code's meaning; none where there is no such code. Leaves 16 bits for [`Bits::take`].
    #[inline]
    pub(super) fn decode(&mut self, table: &HuffmanTable) -> Option<u8> {
        self.refill();
        let entry = table.lookup[(self.buffer >> (64 - LOOKUP_BITS)) as usize];
        if entry != 0 {
            self.drop(u32::from(entry >> 8));
            return Some(entry as u8);
        }
        let beginning = (self.buffer >> 48) as u32;
        let length = (LOOKUP_BITS + 1..=16).find(|&length| beginning < table.limits[length as usize])?;
        let index = (beginning >> (16 - length)) as i32 + table.offsets[length as usize];
        self.drop(length);
        table.values.get(usize::try_from(index).ok()?).copied()
    }

    /// Whether more bits were taken than there are.
    pub(super) const fn is_overdrawn(&self) -> bool {
        self.count < self.invented
    }

    /// Whole bytes that were not taken.
    pub(super) const fn bytes_left(&self) -> usize {
        self.data.len().saturating_sub(self.at) + (self.count.saturating_sub(self.invented) / 8) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_short_and_long_are_told_apart() {
        // Codes: 0; 10; then one of each length up to twelve: 110, 1110, …, 1111 1111 1110.
        let counts = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0];
        let values: Vec<u8> = (10..22).collect();
        let table = HuffmanTable::new(&counts, &values).unwrap();
        for (ones, &value) in values.iter().enumerate() {
            let code = ((1_u16 << ones) - 1) << (16 - ones) >> usize::from(ones == 0);
            let code = if ones == 0 { 0 } else { code };
            let [high, low] = code.to_be_bytes();
            // A byte of ones in a scan is followed by a stuffed zero.
            let stuffed: Vec<u8> = [high, low]
                .into_iter()
                .flat_map(|byte| if byte == 0xff { vec![byte, 0] } else { vec![byte] })
                .collect();
            let mut bits = Bits::new(&stuffed);
            assert_eq!(bits.decode(&table), Some(value), "{ones} ones");
            assert!(!bits.is_overdrawn());
        }
        assert_eq!(Bits::new(&[0xff, 0, 0xff, 0]).decode(&table), None, "sixteen ones are no code");
    }

    #[test]
    fn what_is_taken_beyond_the_end_is_told() {
        let mut bits = Bits::new(&[0b1010_0000, 0x12]);
        bits.refill();
        assert_eq!((bits.take(3), bits.bytes_left()), (0b101, 1));
        assert_eq!(bits.take(13), 0x12);
        assert!(!bits.is_overdrawn() && bits.bytes_left() == 0);
        assert!(!bits.bit() && bits.is_overdrawn());
    }

    #[test]
    fn counts_that_no_code_has_are_refused() {
        assert!(HuffmanTable::new(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 2, 3]).is_none());
        assert!(HuffmanTable::new(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]).is_none());
    }
}
