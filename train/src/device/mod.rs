//! Where training runs: the choice of a device, and the proof that its answers are right.
//!
//! ```text
//! --device ─► choose ─► a child process runs the self-check on the GPU ─► verdict ─► the GPU, or the CPU and why
//!             (choice)  (inspection ─► check_device ─► comparison, per operator)
//! ```
//!
//! A GPU backend can be silently wrong: a driver is known whose matrix product gives zeros while training runs on
//! (docs/decisions). So every operator used by training, and a tiny training run, are compared with the CPU first,
//! and nothing is trained on a device that fails. The check runs in a child process because a driver may also crash
//! or hang, which must not take training with it.
//!
//! | file | what |
//! |---|---|
//! | [`operators`] | the operators, each with an example |
//! | [`comparison`] | one operator on two devices: forward and gradient |
//! | `tiny_training` | a network of three convolutions, trained for three steps |
//! | [`adapter`] | the GPUs of this machine |
//! | [`inspection`] | the self-check: its child's side and its parent's side |
//! | [`choice`] | `--device auto|cpu|gpu|ndarray` |

pub mod adapter;
pub mod choice;
pub mod comparison;
pub mod inspection;
pub mod operators;
mod tiny_training;

pub use adapter::{Adapter, AdapterKind};
pub use choice::{ChosenDevice, DeviceChoice, DeviceKind, choose};
pub use comparison::{Finding, Half};
pub use inspection::{Inspection, Inspector, Verdict};
