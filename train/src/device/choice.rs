//! `--device auto|cpu|gpu|ndarray`: which device to train on, and why.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::adapter::AdapterKind;
use super::inspection::{Inspection, Inspector, Verdict};
use crate::Error;

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A real GPU that passes the self-check, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU; an error when there is none or it fails the self-check.
    Gpu,
    /// The CPU through burn's older ndarray backend: right and slow (needs the cargo feature `ndarray`).
    Ndarray,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Ndarray => "ndarray",
        })
    }
}

/// What kind of machine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// Tensors lie in the program's own memory.
    Cpu,
    /// Tensors lie in a graphics processor's memory.
    Gpu,
}

/// Why a program without the feature `gpu` uses none.
pub const NOT_BUILT_IN: &str = "this program was built without the GPU backend";

/// How to get a program that has it.
pub const GET_GPU: &str = "build it with the default features (`cargo install --path train`), or use --device cpu";

/// The device that training runs on.
#[derive(Debug, Clone)]
pub struct ChosenDevice {
    /// The device, without autodiff.
    pub device: Device,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// Which it is, for `run.toml`: `cpu (flex)`, `gpu (NVIDIA …)`.
    pub name: String,
    /// Why it was taken, for people.
    pub reason: String,
}

/// Chooses a device and says on the log which and why.
///
/// # Errors
/// When the device asked for does not exist, is not built in, or fails the self-check.
pub fn choose(choice: DeviceChoice, inspector: &Inspector) -> Result<ChosenDevice, Error> {
    let chosen = match choice {
        DeviceChoice::Cpu => cpu("asked for".to_owned()),
        DeviceChoice::Ndarray => ndarray()?,
        DeviceChoice::Auto if !cfg!(feature = "gpu") => cpu(NOT_BUILT_IN.to_owned()),
        DeviceChoice::Gpu if !cfg!(feature = "gpu") => {
            return Err(Error::Device { what: NOT_BUILT_IN.to_owned(), hint: GET_GPU });
        }
        DeviceChoice::Auto => best_of(inspector.clone().hardware_only().inspect()?),
        DeviceChoice::Gpu => proven_gpu(inspector.inspect()?)?,
    };
    tracing::info!("device: {} ({})", chosen.name, chosen.reason);
    Ok(chosen)
}

fn cpu(reason: String) -> ChosenDevice {
    ChosenDevice { device: Device::flex(), kind: DeviceKind::Cpu, name: "cpu (flex)".to_owned(), reason }
}

/// The adapter that an inspection has opened as a device.
#[cfg(feature = "gpu")]
fn opened(inspection: &Inspection) -> Device {
    inspection.adapter.kind.device()
}

/// Nothing can be inspected by a program that opens no GPU: only tests come here.
#[cfg(not(feature = "gpu"))]
fn opened(_: &Inspection) -> Device {
    Device::flex()
}

fn gpu(inspection: &Inspection) -> ChosenDevice {
    let reason = format!("it agrees with the CPU in all {} checks", inspection.findings.len());
    ChosenDevice {
        device: opened(inspection),
        kind: DeviceKind::Gpu,
        name: format!("gpu ({})", inspection.adapter.name),
        reason,
    }
}

/// What `auto` makes of a verdict.
fn best_of(verdict: Verdict) -> ChosenDevice {
    match verdict {
        Verdict::NoGpu(reason) => cpu(format!("no GPU: {reason}")),
        Verdict::Inspected(inspection) if inspection.adapter.kind == AdapterKind::Software => {
            cpu(format!("the only GPU is a software one, {}", inspection.adapter.name))
        }
        Verdict::Inspected(inspection) if inspection.wrong().is_empty() => gpu(&inspection),
        Verdict::Inspected(inspection) => {
            cpu(format!("the GPU {} fails the self-check: {}", inspection.adapter.name, wrong_operators(&inspection)))
        }
    }
}

/// What `gpu` makes of a verdict. A software GPU is taken here, if it is right: it was asked for by name.
///
/// # Errors
/// When there is no GPU or it fails the self-check; the error names the operators.
pub fn proven_gpu(verdict: Verdict) -> Result<ChosenDevice, Error> {
    match verdict {
        Verdict::NoGpu(reason) => Err(Error::Device {
            what: format!("no GPU can be used: {reason}"),
            hint: "install the GPU's Vulkan driver and the Vulkan loader (Debian: libvulkan1), or use --device cpu",
        }),
        Verdict::Inspected(inspection) if inspection.wrong().is_empty() => Ok(gpu(&inspection)),
        Verdict::Inspected(inspection) => Err(Error::Device {
            what: format!(
                "the GPU {} gives wrong results and is not trained on: {}",
                inspection.adapter.name,
                wrong_operators(&inspection)
            ),
            hint: "update the GPU's Vulkan driver, or use --device cpu; `parallax-train check-device` shows every check",
        }),
    }
}

fn wrong_operators(inspection: &Inspection) -> String {
    inspection.wrong().iter().map(|finding| finding.describe()).collect::<Vec<_>>().join("; ")
}

#[cfg(feature = "ndarray")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn ndarray() -> Result<ChosenDevice, Error> {
    #[expect(deprecated, reason = "deprecated upstream, kept here as an independent second CPU backend")]
    let device = Device::ndarray();
    Ok(ChosenDevice { device, kind: DeviceKind::Cpu, name: "cpu (ndarray)".to_owned(), reason: "asked for".to_owned() })
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<ChosenDevice, Error> {
    Err(Error::Device {
        what: "this program was built without the ndarray backend".to_owned(),
        hint: "build it with `cargo install --path train --features ndarray`, or use --device cpu",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Adapter, Finding};

    fn inspected(kind: AdapterKind, matmul_error: f64) -> Verdict {
        let finding = Finding {
            operator: "matmul".to_owned(),
            forward_error: Some(matmul_error),
            gradient_error: Some(0.0),
            tolerance: 1e-3,
            broken: None,
        };
        Verdict::Inspected(Inspection { adapter: Adapter { kind, name: "Toy".to_owned() }, findings: vec![finding] })
    }

    #[test]
    fn auto_takes_a_gpu_only_if_it_is_real_and_right() {
        assert_eq!(best_of(inspected(AdapterKind::Discrete, 0.0)).name, "gpu (Toy)");
        assert_eq!(best_of(inspected(AdapterKind::Software, 0.0)).name, "cpu (flex)");
        assert_eq!(best_of(Verdict::NoGpu("none".to_owned())).name, "cpu (flex)");
        let wrong = best_of(inspected(AdapterKind::Discrete, 1.0));
        assert_eq!(wrong.name, "cpu (flex)");
        assert!(wrong.reason.contains("matmul: forward off by 1.0e0"), "{}", wrong.reason);
    }

    #[test]
    fn a_wrong_gpu_that_was_asked_for_is_an_error_that_names_the_operator() {
        let error = proven_gpu(inspected(AdapterKind::Integrated, 0.5)).unwrap_err();
        assert!(error.to_string().contains("matmul: forward off by 5.0e-1"), "{error}");
        assert!(error.hint().is_some());
        assert!(proven_gpu(inspected(AdapterKind::Integrated, 0.0)).is_ok());
    }

    #[cfg(not(feature = "gpu"))]
    #[test]
    fn a_program_without_the_gpu_backend_says_so_and_how_to_get_it() {
        let unused = Inspector::of_program("unused");
        let error = choose(DeviceChoice::Gpu, &unused).unwrap_err();
        assert!(error.to_string().contains("without the GPU backend"), "{error}");
        assert!(error.hint().unwrap().contains("cargo install --path train"));
        let auto = choose(DeviceChoice::Auto, &unused).unwrap();
        assert_eq!((auto.kind, auto.reason.as_str()), (DeviceKind::Cpu, NOT_BUILT_IN));
    }

    #[cfg(not(feature = "ndarray"))]
    #[test]
    fn a_backend_that_is_not_built_in_is_an_error_that_says_how_to_build_it() {
        let error = choose(DeviceChoice::Ndarray, &Inspector::of_program("unused")).unwrap_err();
        assert!(error.hint().unwrap().contains("--features ndarray"));
    }
}
