//! The cameras of this machine.

use super::controls::{self, Control};
use super::node::{Node, Sizes};
use crate::Error;
use crate::fourcc::{format_of, letters};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where the system keeps names that do not change from plug to plug.
const NAMES: [&str; 2] = ["/dev/v4l/by-id", "/dev/v4l/by-path"];

/// A capture device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceInfo {
    /// Its node, such as `/dev/video0`.
    pub path: PathBuf,
    /// Names that stay the same when it is plugged in again, for `v4l2:NAME`.
    pub names: Vec<String>,
    /// What it calls itself.
    pub card: String,
    /// Its driver.
    pub driver: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Its formats.
    pub formats: Vec<FormatInfo>,
    /// Its controls.
    pub controls: Vec<Control>,
    /// Why nothing more is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A format of a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FormatInfo {
    /// The driver's code, such as `YUYV`.
    pub code: String,
    /// What the driver says about it.
    pub description: String,
    /// Its name here, as `format=` takes it; none when it is not understood.
    pub name: Option<&'static str>,
    /// The sizes that it comes in.
    pub sizes: Vec<SizeInfo>,
}

/// A size of a format, or a range of sizes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizeInfo {
    /// Width in pixels; the largest of a range.
    pub width: u32,
    /// Height in pixels; the largest of a range.
    pub height: u32,
    /// The smallest width and height of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<(u32, u32)>,
    /// Frames per second at this size, the largest first; of a range of rates its ends.
    pub fps: Vec<f64>,
}

/// The capture devices of this machine, by number. Nodes that capture nothing (metadata, outputs) are left out; one
/// that cannot be opened is there with its problem.
pub fn devices() -> Vec<DeviceInfo> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("video")?.parse::<u32>().ok();
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut nodes: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    nodes.sort_unstable();
    nodes.into_iter().filter_map(|(_, path)| info(path)).collect()
}

fn info(path: PathBuf) -> Option<DeviceInfo> {
    let names = names_of(&path);
    let node = match Node::open(&path) {
        Ok(node) => node,
        Err(Error::Unfit { .. }) => return None,
        Err(error) => {
            let (card, driver, bus) = (String::new(), String::new(), String::new());
            let problem = Some(error.to_string());
            return Some(DeviceInfo { path, names, card, driver, bus, formats: vec![], controls: vec![], problem });
        }
    };
    let formats = node.formats().into_iter().map(|(code, description)| FormatInfo {
        code: letters(code),
        description,
        name: format_of(code).map(|(format, _)| format.name()),
        sizes: node.sizes(code).into_iter().map(|sizes| size_info(&node, code, sizes)).collect(),
    });
    Some(DeviceInfo {
        formats: formats.collect(),
        controls: controls::list(&node),
        card: node.card(),
        driver: node.driver(),
        bus: node.bus(),
        problem: None,
        path,
        names,
    })
}

fn size_info(node: &Node, code: u32, sizes: Sizes) -> SizeInfo {
    let ((width, height), from) = match sizes {
        Sizes::One(width, height) => ((width, height), None),
        Sizes::Range { min, max, .. } => (max, Some(min)),
    };
    SizeInfo { width, height, from, fps: node.rates(code, (width, height)) }
}

/// The lasting names of a node.
fn names_of(path: &Path) -> Vec<String> {
    let links = NAMES.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let same = links.filter(|link| link.path().canonicalize().is_ok_and(|target| target == path));
    let mut names: Vec<String> = same.map(|link| link.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// The node of a device that was given by path, by a lasting name, or as in `video0`.
pub(super) fn path_of(device: &str) -> PathBuf {
    if device.contains('/') {
        return PathBuf::from(device);
    }
    let lasting = NAMES.iter().map(|folder| Path::new(folder).join(device)).find(|path| path.exists());
    lasting.unwrap_or_else(|| Path::new("/dev").join(device))
}
