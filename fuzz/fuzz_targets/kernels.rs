//! Operators of random shapes on random numbers: refused, or every variant gives the bits of the plain one.

#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use parallax_fuzz::wild;
use parallax_kernels::Isa;
use parallax_kernels::addition::{Addition, Grid, Term};
use parallax_kernels::border::{Border, BorderConfig, Fill};
use parallax_kernels::boundary::Boundary;
use parallax_kernels::convolution::{Convolution, ConvolutionConfig};
use parallax_kernels::depthwise::{Depthwise, DepthwiseConfig};
use parallax_kernels::interpolation::{Coordinates, Interpolation};
use parallax_kernels::multiplication::Multiplication;
use parallax_kernels::pooling::{AveragePool, AveragePoolConfig, Counted, MaxPool};
use parallax_kernels::requantization::Requantization;
use parallax_kernels::shape::{Padding, PictureShape, Window};
use parallax_kernels::team::Team;

/// Pictures beyond this are made and not computed.
const MOST: usize = 1 << 16;

/// Multiplications beyond this take too long for a fuzzer.
const MOST_WORK: usize = 1 << 22;

struct Case<'a, 'b> {
    bytes: &'b mut Unstructured<'a>,
    wild: bool,
}

impl Case<'_, '_> {
    fn size(&mut self, most: usize) -> Result<usize> {
        if self.wild && self.bytes.ratio(1, 4)? {
            Ok(wild(self.bytes)? as usize)
        } else {
            self.bytes.int_in_range(0..=most)
        }
    }

    fn shape(&mut self) -> Result<PictureShape> {
        Ok(PictureShape { height: self.size(12)?, width: self.size(20)?, channels: self.size(70)? })
    }

    fn pair(&mut self, most: usize) -> Result<[usize; 2]> {
        Ok([self.size(most)?, self.size(most)?])
    }

    fn window(&mut self) -> Result<Window> {
        Ok(Window {
            kernel: self.pair(7)?,
            stride: self.pair(3)?,
            dilation: self.pair(3)?,
            before: self.pair(4)?,
            after: self.pair(4)?,
        })
    }

    fn grid(&mut self) -> Result<Grid> {
        let scale = if self.wild {
            f32::from_bits(self.bytes.arbitrary()?)
        } else {
            self.bytes.int_in_range(1..=999)? as f32 / 500.0
        };
        Ok(Grid { scale, zero_point: self.bytes.arbitrary()? })
    }

    fn numbers(&mut self, count: usize) -> Result<Vec<u8>> {
        let seed = self.bytes.arbitrary::<[u8; 5]>()?;
        Ok((0..count)
            .map(|at| seed[at % 5].wrapping_mul((at / 5) as u8 | 1).wrapping_add(seed[(at / 7) % 5]))
            .collect())
    }

    fn requantization(&mut self, channels: usize) -> Result<Requantization> {
        let multiplier = self.grid()?.scale / 1000.0;
        let (low, high) = self.bytes.arbitrary()?;
        Ok(Requantization { multipliers: vec![multiplier; channels], zero_point: self.bytes.arbitrary()?, low, high })
    }

    fn padding(&mut self) -> Result<Padding> {
        Ok(*self.bytes.choose(&[Padding::ZeroPoint, Padding::Reflect, Padding::Edge])?)
    }
}

/// What every variant gives for `run` is what the plain one gives.
fn compare(mut run: impl FnMut(Isa) -> Option<Vec<u8>>) {
    let expected = run(Isa::PORTABLE);
    for isa in Isa::available() {
        assert!(run(isa) == expected, "{}", isa.name());
    }
}

fn small(shape: PictureShape) -> bool {
    shape.check("a picture").is_ok() && shape.len() <= MOST
}

fn operate(case: &mut Case<'_, '_>) -> Result<()> {
    let shape = case.shape()?;
    let threads = case.bytes.int_in_range(1..=2)?;
    let team = Team::new(threads).expect("a thread");
    let picture = if small(shape) { case.numbers(shape.len())? } else { Vec::new() };
    match case.bytes.int_in_range(0..=8)? {
        0 => {
            let (window, outputs) = (case.window()?, case.size(70)?);
            let length = [outputs, shape.channels, window.kernel[0], window.kernel[1]];
            let length = length.into_iter().try_fold(1, usize::checked_mul).filter(|length| *length <= MOST_WORK);
            let weights: Vec<i8> = case.numbers(length.unwrap_or(9))?.into_iter().map(|number| number as i8).collect();
            let bias = vec![case.bytes.arbitrary::<i32>()? >> case.bytes.int_in_range(0..=31)?; outputs.min(MOST)];
            let (padding, input_zero_point) = (case.padding()?, case.bytes.arbitrary()?);
            let requantization = case.requantization(outputs.min(MOST))?;
            let config = ConvolutionConfig { input: shape, outputs, window, padding, input_zero_point, requantization };
            compare(|isa| {
                let made = Convolution::new(config.clone(), &weights, &bias, isa, threads).ok()?;
                if !small(made.output()) || picture.is_empty() || made.multiplications() > MOST_WORK {
                    return Some(Vec::new());
                }
                let mut scratch = vec![0xA5; made.scratch_len(threads)];
                let mut output = vec![0x5A; made.output().len()];
                made.run(&picture, &mut output, &mut scratch, &team, &|_, _| ());
                Some(output)
            });
        }
        1 => {
            let window = case.window()?;
            let length = [shape.channels, window.kernel[0], window.kernel[1]];
            let length = length.into_iter().try_fold(1, usize::checked_mul).filter(|length| *length <= MOST_WORK);
            let weights: Vec<i8> = case.numbers(length.unwrap_or(9))?.into_iter().map(|number| number as i8).collect();
            let channels = shape.channels.min(MOST);
            let bias = vec![case.bytes.arbitrary::<i32>()? >> case.bytes.int_in_range(0..=31)?; channels];
            let (padding, input_zero_point) = (case.padding()?, case.bytes.arbitrary()?);
            let requantization = case.requantization(channels)?;
            let config = DepthwiseConfig { input: shape, window, padding, input_zero_point, requantization };
            compare(|isa| {
                let made = Depthwise::new(config.clone(), &weights, &bias, isa, threads).ok()?;
                if !small(made.output()) || picture.is_empty() || made.multiplications() > MOST_WORK {
                    return Some(Vec::new());
                }
                let mut scratch = vec![0xA5; made.scratch_len(threads)];
                let mut output = vec![0x5A; made.output().len()];
                made.run(&picture, &mut output, &mut scratch, &team, &|_, _| ());
                Some(output)
            });
        }
        2 => {
            let grids = [case.grid()?, case.grid()?];
            let (sum, range) = (case.grid()?, case.bytes.arbitrary()?);
            let other = case.numbers(picture.len())?;
            let term = if case.bytes.arbitrary()? { Term::First } else { Term::Second };
            compare(|isa| {
                let made = Addition::new(grids, sum, range, term, isa).ok()?;
                let mut numbers = picture.clone();
                made.run(&mut numbers, &other);
                Some(numbers)
            });
        }
        3 => {
            let (grids, product) = ([case.grid()?, case.grid()?], case.grid()?);
            let other = case.numbers(picture.len())?;
            compare(|isa| {
                let made = Multiplication::new(grids, product, isa).ok()?;
                let mut numbers = picture.clone();
                made.run(&mut numbers, &other);
                Some(numbers)
            });
        }
        4 => {
            let size = case.pair(40)?;
            use Coordinates::{AlignCorners, Asymmetric, HalfPixel, PytorchHalfPixel};
            let coordinates = *case.bytes.choose(&[HalfPixel, PytorchHalfPixel, AlignCorners, Asymmetric])?;
            let grids = [case.grid()?, case.grid()?];
            compare(|isa| {
                let made = Interpolation::new(shape, size, coordinates, grids, isa).ok()?;
                if !small(made.output()) || picture.is_empty() {
                    return Some(Vec::new());
                }
                let mut output = vec![0x5A; made.output().len()];
                made.run(&picture, &mut output, &team);
                Some(output)
            });
        }
        5 => {
            let window = case.window()?;
            compare(|isa| {
                let made = MaxPool::new(shape, window, isa).ok()?;
                let taps = window.kernel[0].saturating_mul(window.kernel[1]);
                if !small(made.output()) || picture.is_empty() || taps.saturating_mul(made.output().len()) > MOST_WORK {
                    return Some(Vec::new());
                }
                let mut output = vec![0x5A; made.output().len()];
                made.run(&picture, &mut output, &team);
                Some(output)
            });
        }
        6 => {
            let (window, grids) = (case.window()?, [case.grid()?, case.grid()?]);
            let counted = if case.bytes.arbitrary()? { Counted::All } else { Counted::Inside };
            compare(|isa| {
                let made = AveragePool::new(AveragePoolConfig { input: shape, window, counted, grids }, isa).ok()?;
                let taps = window.kernel[0].saturating_mul(window.kernel[1]);
                if !small(made.output()) || picture.is_empty() || taps.saturating_mul(made.output().len()) > MOST_WORK {
                    return Some(Vec::new());
                }
                let mut output = vec![0x5A; made.output().len()];
                made.run(&picture, &mut output, &team);
                Some(output)
            });
        }
        7 => {
            let (before, after) = (case.pair(5)?, case.pair(5)?);
            let number = case.bytes.arbitrary()?;
            let fill = *case.bytes.choose(&[Fill::Number(number), Fill::Reflect, Fill::Edge])?;
            if let Ok(made) = Border::new(BorderConfig { input: shape, before, after, fill, table: None })
                && small(made.output())
                && !picture.is_empty()
            {
                let mut output = vec![0x5A; made.output().len()];
                made.run(&picture, &mut output, &team);
            }
        }
        _ => {
            let grid = case.grid()?;
            let floats: Vec<f32> =
                case.numbers(4 * picture.len())?.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            compare(|isa| {
                let made = Boundary::new(shape, grid, isa).ok()?;
                if picture.is_empty() {
                    return Some(Vec::new());
                }
                let (mut integers, mut back) = (vec![0; picture.len()], vec![0.0; picture.len()]);
                made.quantize(&floats, &mut integers, &team);
                made.dequantize(&integers, &mut back, &team);
                Some(integers)
            });
        }
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Unstructured::new(data);
    let wild = bytes.ratio(1, 4).unwrap_or_default();
    // A case that ends before its data begins is no case.
    let _ended = operate(&mut Case { bytes: &mut bytes, wild });
});
