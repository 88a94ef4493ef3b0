//! The kernel's test driver `vivid` in a virtual machine: loaded, unplugged, and told to make errors.
//!
//! Reference: The kernel's documentation, "The Virtual Video Test Driver (vivid)".

#![expect(unsafe_code, reason = "the driver's error buttons are pressed by one system call")]

use std::fs::OpenOptions;
use std::os::fd::AsRawFd as _;
use std::process::Command;

/// Parameters of the driver for one camera.
pub(crate) const WEBCAM: &str = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0x00";

/// The driver's own controls (class `0x00f0f000`, without names in the kernel's headers).
pub(crate) const WRAP_SEQUENCE: u32 = 0x00f0_f026;
pub(crate) const WRAP_TIME: u32 = 0x00f0_f027;
pub(crate) const PERCENT_DROPPED: u32 = 0x00f0_f040;
pub(crate) const DISCONNECT: u32 = 0x00f0_f041;
pub(crate) const BUFFER_ERROR: u32 = 0x00f0_f042;
pub(crate) const REQBUFS_ERROR: u32 = 0x00f0_f043;
pub(crate) const QBUF_ERROR: u32 = 0x00f0_f044;
pub(crate) const STREAMON_ERROR: u32 = 0x00f0_f045;
pub(crate) const FATAL_ERROR: u32 = 0x00f0_f046;

/// The bars of `75% Colorbar` from left to right.
pub(crate) const BARS: [[u8; 3]; 8] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [0, 0, 0]];

/// Whether this runs where there is a driver to load and break; says loudly when not.
pub(crate) fn in_the_machine(script: &str) -> bool {
    let inside = std::env::var_os("PARALLAX_VIRTUAL_CAMERA").is_some();
    if !inside {
        println!("SKIPPED: no virtual camera here: {script} runs this test in a virtual machine");
    }
    inside
}

/// Loads the driver anew with these parameters.
pub(crate) fn load(parameters: &str) {
    let loaded = Command::new("/bin/load_vivid").args(parameters.split(' ')).status().unwrap();
    assert!(loaded.success(), "cannot load vivid {parameters}");
}

/// Sets a control of the driver from outside, as another program would.
pub(crate) fn set(id: u32, value: i32) {
    let device = OpenOptions::new().read(true).write(true).open("/dev/video0").unwrap();
    let mut control = [id, value as u32];
    // VIDIOC_S_CTRL: read and write, 8 bytes, type V, number 28.
    let number = (3 << 30) | (8 << 16) | (u64::from(b'V') << 8) | 0x1c;
    // SAFETY: the request reads and writes the 8 bytes of `control`.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), number as _, control.as_mut_ptr()) };
    assert_eq!(result, 0, "control {id:#x}: {}", std::io::Error::last_os_error());
}

/// Unplugs and plugs in.
pub(crate) fn plug(action: &str) {
    std::fs::write(format!("/sys/bus/platform/drivers/vivid/{action}"), "vivid.0").unwrap();
}
