//! V4L2 devices: USB cameras, capture cards, test drivers.
//!
//! | module | what it holds |
//! |---|---|
//! | `request`, `uapi` | the request numbers and structures of the kernel's interface |
//! | `node` | an open device node: what it is and what it offers |
//! | `formats` | agreeing on a format, a size and a rate |
//! | `controls` | exposure, focus, white balance and all the others |
//! | `queue` | buffers shared with the driver, drained to the newest picture |
//! | `listing` | the devices of this machine |
//!
//! CSI cameras of boards (Raspberry Pi 5 and others) give raw sensor data through V4L2, behind a pipeline that
//! `libcamera` has to set up: take them through `cmd:rpicam-vid …`.

mod controls;
mod formats;
mod listing;
mod node;
mod queue;
pub(crate) mod request;
pub(crate) mod uapi;

pub use controls::Control;
pub use listing::{DeviceInfo, FormatInfo, SizeInfo, devices};

use crate::live::{Opened, Opener};
use crate::uri::Options;
use crate::{Description, Result};
use node::Node;
use queue::Queue;

/// Opens a device by its path or name.
#[derive(Debug)]
pub(crate) struct DeviceOpener {
    pub(crate) uri: String,
    pub(crate) device: String,
    pub(crate) options: Options,
}

impl Opener for DeviceOpener {
    fn open(&mut self, _goes_on: &dyn Fn() -> bool) -> Result<Opened> {
        let node = Node::open(&listing::path_of(&self.device))?;
        let agreed = formats::agree(&node, &self.options)?;
        let controls = controls::apply(&node, &self.options)?;
        let (name, driver) = (node.card(), Some(node.driver()));
        let queue = Queue::start(node, agreed)?;
        let description = Description {
            uri: self.uri.clone(),
            name,
            driver,
            layout: Some(agreed.layout),
            fps: agreed.fps,
            stamps: queue.stamps(),
            controls,
        };
        Ok(Opened { device: Box::new(queue), description })
    }
}
