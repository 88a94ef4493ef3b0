//! The machine that something is measured on, so that numbers of different machines can be laid side by side.
//!
//! Everything is what Linux tells in `/proc` and `/sys`; what it does not tell is left out.

use std::path::Path;

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::cores::cores;

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// The board's name, as its maker wrote it.
    pub name: Option<String>,
    /// The processor's name; on ARM, which has none, who made it and the number of the part.
    pub processor: Option<String>,
    /// Cores that this program may use.
    pub cores: usize,
    /// Kind of processor: `x86_64`, `aarch64`.
    pub architecture: &'static str,
    /// The kernel's release.
    pub kernel: Option<String>,
}

/// How hot and how fast a machine is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Condition {
    /// The hottest of its sensors, in degrees Celsius.
    pub temperature_c: Option<f64>,
    /// The fastest of its cores' clocks, in 10⁶ a second.
    pub clock_mhz: Option<f64>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        Self::under(Path::new("/"))
    }

    fn under(root: &Path) -> Self {
        let names = ["proc/device-tree/model", "sys/class/dmi/id/product_name"];
        Self {
            name: names.iter().find_map(|file| read(&root.join(file))),
            processor: read(&root.join("proc/cpuinfo")).and_then(|text| processor(&text)),
            cores: cores().len(),
            architecture: std::env::consts::ARCH,
            kernel: read(&root.join("proc/sys/kernel/osrelease")),
        }
    }
}

impl Condition {
    /// Of this machine, now.
    pub fn now() -> Self {
        Self::under(Path::new("/"))
    }

    fn under(root: &Path) -> Self {
        let thousandths = |folder: &str, file: &str| {
            let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
            let numbers = entries.filter_map(|entry| read(&entry.path().join(file))?.parse::<f64>().ok());
            numbers.map(|number| number / 1e3).reduce(f64::max)
        };
        Self {
            temperature_c: thousandths("sys/class/thermal", "temp"),
            clock_mhz: thousandths("sys/devices/system/cpu", "cpufreq/scaling_cur_freq"),
        }
    }
}

/// Seconds that the threads of this program have computed so far, all together; none where the system does not say.
pub(crate) fn computed_secs() -> Option<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).ok()?;
    Some(std::time::Duration::from(time).as_secs_f64())
}

/// What a file says; device trees end their texts with a zero.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn processor(cpuinfo: &str) -> Option<String> {
    let of = |key: &str| {
        let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned()).next_back()
    };
    // The last core's: on boards with fast and slow cores the fast ones come last.
    of("model name").or_else(|| Some(format!("implementer {} part {}", of("CPU implementer")?, of("CPU part")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_board_is_named_by_its_device_tree_and_its_fast_cores() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0");
        let core = |part: &str| format!("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n");
        write(root.path(), "proc/cpuinfo", &(core("0xd05") + &core("0xd0b")));
        write(root.path(), "proc/sys/kernel/osrelease", "6.6.31+rpt-rpi-2712\n");
        let machine = Machine::under(root.path());
        assert_eq!(machine.name.as_deref(), Some("Raspberry Pi 5 Model B Rev 1.0"));
        assert_eq!(machine.processor.as_deref(), Some("implementer 0x41 part 0xd0b"));
        assert_eq!(machine.kernel.as_deref(), Some("6.6.31+rpt-rpi-2712"));
        assert!(machine.cores >= 1);
    }

    #[test]
    fn the_hottest_sensor_and_the_fastest_clock_count() {
        let root = tempfile::tempdir().unwrap();
        for (zone, temperature) in [("thermal_zone0", "48312\n"), ("thermal_zone1", "51250\n"), ("cooling_device0", "")]
        {
            write(root.path(), &format!("sys/class/thermal/{zone}/temp"), temperature);
        }
        for (core, clock) in [("cpu0", "1500000\n"), ("cpu1", "2400000\n")] {
            write(root.path(), &format!("sys/devices/system/cpu/{core}/cpufreq/scaling_cur_freq"), clock);
        }
        let expected = Condition { temperature_c: Some(51.25), clock_mhz: Some(2400.0) };
        assert_eq!(Condition::under(root.path()), expected);
    }

    #[test]
    fn a_machine_that_tells_nothing_has_no_numbers() {
        let root = tempfile::tempdir().unwrap();
        let nothing = Condition { temperature_c: None, clock_mhz: None };
        assert_eq!(Condition::under(root.path()), nothing);
        let Machine { name, processor, kernel, .. } = Machine::under(root.path());
        assert_eq!((name, processor, kernel), (None, None, None));
    }
}
