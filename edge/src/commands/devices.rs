//! `parallax-edge devices`: the cameras of this machine.

use std::fmt;

use parallax_camera::{Control, DeviceInfo, FormatInfo, SizeInfo, devices};
use serde::Serialize;

use super::{Outcome, print};
use crate::cli::DevicesArgs;

/// Runs the command.
pub(crate) fn run(args: &DevicesArgs) -> anyhow::Result<Outcome> {
    let list = List { devices: devices() };
    print(&list, args.json)?;
    if list.devices.is_empty() {
        tracing::warn!(
            "no V4L2 camera here; a board's CSI camera comes through `cmd:rpicam-vid -n -t 0 --codec mjpeg -o -`"
        );
    }
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct List {
    devices: Vec<DeviceInfo>,
}

impl fmt::Display for List {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.devices.len();
        write!(out, "{count} camera{}", if count == 1 { "" } else { "s" })?;
        self.devices.iter().try_for_each(|device| show(device, out))
    }
}

fn show(device: &DeviceInfo, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(out, "\n\nv4l2:{}  {} ({}, {})", device.path.display(), device.card, device.driver, device.bus)?;
    device.names.iter().try_for_each(|name| write!(out, "\n  v4l2:{name}"))?;
    if let Some(problem) = &device.problem {
        return write!(out, "\n  {problem}");
    }
    device.formats.iter().try_for_each(|format| show_format(format, out))?;
    device.controls.iter().try_for_each(|control| show_control(control, out))
}

fn show_format(
    FormatInfo { code, description, name, sizes }: &FormatInfo,
    out: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    match name {
        Some(name) => write!(out, "\n  format={name}  {description} ({code})")?,
        None => write!(out, "\n  {description} ({code}): not understood here")?,
    }
    for SizeInfo { width, height, from, fps } in sizes {
        let from = from.map_or_else(String::new, |(width, height)| format!("{width}x{height} to "));
        let fps: Vec<String> = fps.iter().map(|fps| format!("{}", (fps * 100.0).round() / 100.0)).collect();
        let rates = if fps.is_empty() { String::new() } else { format!("  fps={}", fps.join(", ")) };
        write!(out, "\n    size={from}{width}x{height}{rates}")?;
    }
    Ok(())
}

fn show_control(control: &Control, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Control { name, value, minimum, maximum, step, default, settable, menu, .. } = control;
    let value = value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    let locked = if *settable { "" } else { ", not now" };
    write!(out, "\n  control.{name}={value}  {minimum} to {maximum} by {step}, at first {default}{locked}")?;
    menu.iter().try_for_each(|(value, meaning)| write!(out, "\n    {value}: {meaning}"))
}
