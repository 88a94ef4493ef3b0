//! int8 arithmetic for the board: slices of numbers in, slices of numbers out.
//!
//! ```text
//! f32 NCHW ─ quantize ─▶ u8 NHWC ─ convolution, addition, table, … ─▶ u8 NHWC ─ dequantize ─▶ f32 NCHW
//!                                                                        └───── argmax ─▶ classes
//! ```
//!
//! In reading order:
//!
//! | module | what it computes |
//! |---|---|
//! | [`isa`] | which instructions this processor has, and so which variant runs |
//! | [`shape`] | pictures `[height, width, channels]`, and windows that slide over them |
//! | [`requantization`] | 32-bit sums back to u8: the one place where rounding is decided |
//! | [`convolution`] | u8 × s8 → i32 → u8 with packed weights |
//! | [`depthwise`] | the same with one filter per channel |
//! | [`addition`] | of two tensors with scales of their own |
//! | [`multiplication`] | of two tensors with scales of their own |
//! | [`assembly`] | concatenation and nearest upsampling: pictures put into parts of another |
//! | [`interpolation`] | the picture at another size, bilinear |
//! | [`border`] | a picture with a border around it |
//! | [`pooling`] | the maximum or the mean of a window |
//! | [`table`] | any function of one u8: activations, change of scale |
//! | [`boundary`] | from and to float |
//! | [`argmax`] | logits to classes |
//! | [`team`] | a fixed set of threads that shares one operator's rows |
//! | [`peak`] | how fast the processor could be |
//!
//! Everything is a function of its operands alone: every variant, and every number of threads, gives the same bits.
//! The semantics are in `docs/int8.md`. Weights are packed once, at load; a call allocates nothing, its caller gives
//! the scratch memory.
//!
//! *Invariant:* this crate knows no tract, no files and no network, and depends on `std` alone. Shapes are checked when
//! an operator is made; a slice of the wrong length in a call is a bug of the caller and panics.

pub mod addition;
pub mod argmax;
pub mod assembly;
pub mod border;
pub mod boundary;
pub mod convolution;
pub mod depthwise;
mod error;
pub mod interpolation;
pub mod isa;
pub mod multiplication;
pub mod peak;
pub mod pooling;
pub mod requantization;
pub mod shape;
pub mod table;
pub mod team;

pub use error::{KernelError, Result};
pub use isa::Isa;
