//! The GPUs that Vulkan offers on this machine.
//!
//! Invariant: only the self-check's child process and a process whose child has proven the device call into Vulkan; a
//! loader or driver that crashes on being listed then ends the child alone.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// What sort of GPU an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// A card of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// A GPU lent to a virtual machine.
    Virtual,
    /// A program that acts as a GPU on the CPU (SwiftShader, lavapipe): for tests, always slower than the CPU itself.
    Software,
}

impl AdapterKind {
    /// All kinds, the most wanted first.
    pub const BY_PREFERENCE: [Self; 4] = [Self::Discrete, Self::Integrated, Self::Virtual, Self::Software];

    /// The first adapter of this kind as a device.
    #[cfg(feature = "gpu")]
    pub fn device(self) -> Device {
        use burn::tensor::DeviceKind;
        Device::vulkan(match self {
            Self::Discrete => DeviceKind::DiscreteGpu(0),
            Self::Integrated => DeviceKind::IntegratedGpu(0),
            Self::Virtual => DeviceKind::VirtualGpu(0),
            Self::Software => DeviceKind::Cpu,
        })
    }
}

/// A GPU of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    /// Its sort.
    pub kind: AdapterKind,
    /// The name that its driver gives it.
    pub name: String,
}

impl Adapter {
    /// Opens the best adapter of this machine; `None` when Vulkan offers none (or there is no Vulkan), and in a program
    /// without the feature `gpu`.
    ///
    /// # Panics
    /// When the driver cannot be opened: burn offers no other way to say so.
    #[cfg(feature = "gpu")]
    pub fn best() -> Option<(Self, Device)> {
        use burn::tensor::DeviceType;
        let offered: Vec<Device> = Device::enumerate(DeviceType::Vulkan).into_vec();
        let kind = AdapterKind::BY_PREFERENCE.into_iter().find(|kind| offered.contains(&kind.device()))?;
        let device = kind.device();
        let name = device.identity().map_or_else(|| "a GPU without a name".to_owned(), |identity| identity.name);
        Some((Self { kind, name }, device))
    }

    #[cfg(not(feature = "gpu"))]
    #[expect(missing_docs, reason = "the other one of this name has them")]
    pub const fn best() -> Option<(Self, Device)> {
        None
    }
}
