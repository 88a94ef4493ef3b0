//! A camera's controls: listed, set, read back.
//!
//! Exposure, focus and white balance each have a control that says whether the camera finds the value by itself, and
//! one for the value: fixing a value first takes the choice away from the camera.
//!
//! Reference: Video for Linux API, section 1.8 (user controls) and 4.3 (camera controls).

use super::node::Node;
use super::uapi::{self, QueryControl, QueryMenu, text};
use crate::uri::{Options, Setting};
use crate::{ControlValue, Error, Result};
use serde::Serialize;
use std::ops::RangeInclusive;

/// Controls at most.
const CONTROLS: usize = 500;

/// Kinds of control whose value is one number: integer, switch, menu, bits, menu of integers.
const NUMBERS: [u32; 5] = [1, 2, 3, 8, 9];
const MENUS: [u32; 2] = [3, 9];

/// Something that can be fixed: who decides, what to put there to fix it or leave it, and the values' controls.
struct Fixable {
    name: &'static str,
    /// The control that says who decides, what it says to fix the value, and what it may say to leave it.
    choice: (u32, i64, &'static [i64]),
    /// The controls of the value, the preferred one first.
    values: &'static [u32],
}

const EXPOSURE: Fixable = Fixable {
    name: "exposure",
    // Manual; aperture priority is what USB cameras call automatic, else fully automatic.
    choice: (0x009a_0901, 1, &[3, 0]),
    values: &[0x009a_0902, 0x0098_0911],
};
const FOCUS: Fixable = Fixable { name: "focus", choice: (0x009a_090c, 0, &[1]), values: &[0x009a_090a] };
const WHITE_BALANCE: Fixable =
    Fixable { name: "white balance", choice: (0x0098_090c, 0, &[1]), values: &[0x0098_091a] };

/// A control of a camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Its name as the URI takes it: lower case, with `_` for all else.
    pub name: String,
    /// Its value now, where it has one that is a number.
    pub value: Option<i64>,
    /// The smallest value.
    pub minimum: i64,
    /// The largest value.
    pub maximum: i64,
    /// From value to value.
    pub step: u64,
    /// The value at the beginning.
    pub default: i64,
    /// Whether it can be set now; some can only be set when an automatic choice is off.
    pub settable: bool,
    /// What the values of a menu mean.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub menu: Vec<(i64, String)>,
    #[serde(skip)]
    id: u32,
}

/// The controls of a device in its own order. Those that are no numbers (buttons, texts, arrays) are left out.
pub(super) fn list(node: &Node) -> Vec<Control> {
    let mut all = Vec::new();
    let mut id = 0;
    for _ in 0..CONTROLS {
        let mut control = QueryControl { id: id | uapi::CONTROL_NEXT, ..QueryControl::default() };
        if node.ask(&uapi::QUERY_CONTROL, &mut control).is_err() || control.id <= id {
            break;
        }
        id = control.id;
        if NUMBERS.contains(&control.kind) && control.flags & uapi::CONTROL_DISABLED == 0 && control.dimensions == 0 {
            all.push(described(node, &control));
        }
    }
    all
}

fn described(node: &Node, control: &QueryControl) -> Control {
    let QueryControl { id, kind, minimum, maximum, step, default, flags, .. } = *control;
    let menu = if MENUS.contains(&kind) { menu(node, id, kind, minimum..=maximum) } else { Vec::new() };
    Control {
        name: plain_name(&text(&control.name)),
        value: (flags & uapi::CONTROL_WRITE_ONLY == 0).then(|| get(node, id)).flatten(),
        minimum,
        maximum,
        step,
        default,
        settable: flags & (uapi::CONTROL_READ_ONLY | uapi::CONTROL_INACTIVE) == 0,
        menu,
        id,
    }
}

fn menu(node: &Node, id: u32, kind: u32, range: RangeInclusive<i64>) -> Vec<(i64, String)> {
    let items = range.take(CONTROLS).filter_map(|index| {
        let mut item = QueryMenu { id, index: u32::try_from(index).ok()?, ..QueryMenu::default() };
        node.ask(&uapi::QUERY_MENU, &mut item).ok()?;
        let [a, b, c, d, e, f, g, h, ..] = item.name;
        let of_integers = kind == MENUS[1];
        let name =
            if of_integers { i64::from_ne_bytes([a, b, c, d, e, f, g, h]).to_string() } else { text(&item.name) };
        Some((index, name))
    });
    items.collect()
}

fn get(node: &Node, id: u32) -> Option<i64> {
    let mut control = uapi::Control { id, value: 0 };
    node.ask(&uapi::GET_CONTROL, &mut control).ok().map(|()| i64::from(control.value))
}

/// As in `Exposure Time, Absolute` → `exposure_time_absolute`.
fn plain_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

/// Sets what was asked for and reads all controls back.
///
/// # Errors
/// The camera has no such control, or does not take the value.
pub(super) fn apply(node: &Node, options: &Options) -> Result<Vec<ControlValue>> {
    let known = list(node);
    let mut asked: Vec<(u32, i64)> = Vec::new();
    let settings = [(EXPOSURE, options.exposure), (FOCUS, options.focus), (WHITE_BALANCE, options.white_balance)];
    for (fixable, setting) in settings {
        if let Some(setting) = setting {
            asked.extend(steps(node, &known, &fixable, setting)?);
        }
    }
    for (name, value) in &options.controls {
        let control = known.iter().find(|control| control.name == *name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|control| control.name.as_str()).collect();
            refuse(node, format!("the camera has the controls {}, not {name:?}", names.join(", ")))
        })?;
        asked.push((control.id, *value));
    }
    for &(id, value) in &asked {
        set(node, &known, id, value)?;
    }
    let values = known.iter().filter_map(|control| {
        // Read again: what was set may have moved others.
        let value = control.value.and(get(node, control.id))?;
        let asked = asked.iter().rev().find(|(id, _)| *id == control.id).map(|&(_, value)| value);
        Some(ControlValue { name: control.name.clone(), value, asked })
    });
    Ok(values.collect())
}

/// What to set, in this order.
fn steps(node: &Node, known: &[Control], fixable: &Fixable, setting: Setting) -> Result<Vec<(u32, i64)>> {
    let (choice, manual, automatic) = fixable.choice;
    let choice = known.iter().find(|control| control.id == choice);
    let missing = |what: &str| refuse(node, format!("the camera has no control for {what} {}", fixable.name));
    let Setting::Fixed(value) = setting else {
        let choice = choice.ok_or_else(|| missing("automatic"))?;
        let takes = |value: i64| choice.menu.is_empty() || choice.menu.iter().any(|&(item, _)| item == value);
        let value = automatic.iter().copied().find(|&value| takes(value)).ok_or_else(|| missing("automatic"))?;
        return Ok(vec![(choice.id, value)]);
    };
    let is_value = |id: &&u32| known.iter().any(|control| control.id == **id);
    let id = *fixable.values.iter().find(is_value).ok_or_else(|| missing("a fixed"))?;
    let mut steps = vec![(id, value)];
    if let Some(choice) = choice {
        steps.insert(0, (choice.id, manual));
    }
    Ok(steps)
}

fn set(node: &Node, known: &[Control], id: u32, value: i64) -> Result<()> {
    let Some(control) = known.iter().find(|control| control.id == id) else { return Ok(()) };
    let Control { name, minimum, maximum, .. } = control;
    let narrow = i32::try_from(value).ok().filter(|_| (*minimum..=*maximum).contains(&value));
    let value =
        narrow.ok_or_else(|| refuse(node, format!("{name} must be within {minimum} and {maximum}, got {value}")))?;
    let set = node.ask(&uapi::SET_CONTROL, &mut uapi::Control { id, value });
    set.map_err(|error| refuse(node, format!("{name} does not take {value}: {error}")))
}

fn refuse(node: &Node, what: String) -> Error {
    Error::Unfit { what, name: node.name(), hint: "`parallax-edge devices` lists the controls and what they take" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert_eq!(plain_name("White Balance, Auto & Preset"), "white_balance_auto_preset");
        assert_eq!(plain_name("Gain"), "gain");
    }
}
