//! From a label picture to classes: by ids, or by the colours of `classes.toml`.
//!
//! | form of the PNG | what a pixel's value is |
//! |---|---|
//! | palette, 1 to 8 bits | the number in the palette is the id; where no number is, the class's colour. Refused where the colours are those of other classes than the numbers |
//! | gray, 8 or 16 bits | the id |
//! | gray, 1, 2 or 4 bits | the id as it is stored, or, where that is no id, as a viewer shows it (0 to 255) |
//! | RGB, RGBA, gray with alpha | the class's colour; or, where all channels are alike, the id in each of them |
//!
//! Opacity is not read. A value or colour that no class has is an error that names it and its place, or ignored where
//! `unlisted` says so.

use super::{Classes, IGNORE, Unlisted};
use crate::picture_file::{PngLayout, RawPng};

/// Why a label picture is none, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LabelFault {
    pub(super) what: String,
    pub(super) hint: &'static str,
}

const LIST_IT: &str =
    "add the value to classes.toml as a [[class]] or to its `ignore` list, or set `unlisted = \"ignore\"`";
const LIST_COLOR: &str = "give a class of classes.toml this colour, or set `unlisted = \"ignore\"`";
const NO_SMOOTHING: &str = "export masks without smoothed edges (no antialiasing, no scaling but by nearest neighbour, \
                            PNG instead of JPEG), or set `unlisted = \"ignore\"`";
const NO_PALETTE: &str =
    "export labels as RGB, or as a gray picture of ids: palettes are numbered in an order of their own";
const ONE_COLOR_EACH: &str = "give every class a colour of its own, or label with ids (8-bit index PNG)";

/// The dense class of every pixel, not turned.
pub(super) fn classes_of(picture: &RawPng, classes: &Classes) -> Result<Vec<u8>, LabelFault> {
    let width = picture.header.stored.0 as usize;
    match picture.layout {
        PngLayout::Gray => by_id(picture, classes, width),
        PngLayout::Palette => by_palette(picture, classes, width),
        PngLayout::GrayAlpha | PngLayout::Rgb | PngLayout::Rgba => by_color(picture, classes, width),
    }
}

fn place(at: usize, width: usize) -> String {
    format!("at column {}, row {}", at % width, at / width)
}

fn by_id(picture: &RawPng, classes: &Classes, width: usize) -> Result<Vec<u8>, LabelFault> {
    let table = classes.index_of_value();
    let of = |value: u16| u8::try_from(value).ok().and_then(|value| table[usize::from(value)]);
    let stored = picture.values.iter().map(|&value| of(value)).collect::<Option<Vec<u8>>>();
    if let Some(indices) = stored {
        return Ok(indices);
    }
    if picture.layout == PngLayout::Gray && picture.bits < 8 {
        // Programs that make files small store 0 and 255 in one bit.
        let scale = 255 / ((1 << picture.bits) - 1);
        if let Some(indices) = picture.values.iter().map(|&value| of(value * scale)).collect() {
            return Ok(indices);
        }
    }
    let first = picture.values.iter().position(|&value| of(value).is_none()).unwrap_or_default();
    let what = format!("label value {} {} is no class", picture.values[first], place(first, width));
    Err(LabelFault { what, hint: LIST_IT })
}

type Rgb = [u8; 3];

/// Programs that turn colours into palettes number them in an order of their own: the number is the id unless the colours say
/// otherwise.
fn by_palette(picture: &RawPng, classes: &Classes, width: usize) -> Result<Vec<u8>, LabelFault> {
    let ids = by_id(picture, classes, width);
    let table = classes.index_of_value();
    let is_ignored = |value: usize| table.get(value).copied().flatten() == Some(IGNORE);
    let of_color = |value: u16| {
        let color = picture.palette.get(usize::from(value))?;
        let class = classes.entries.iter().position(|class| class.color == *color)?;
        u8::try_from(class).ok()
    };
    let colors: Option<Vec<u8>> = picture
        .values
        .iter()
        .map(|&value| of_color(value).or_else(|| is_ignored(usize::from(value)).then_some(IGNORE)))
        .collect();
    let (Some(colors), None) = (colors, classes.twins()) else { return ids };
    let Ok(ids) = ids else { return Ok(colors) };
    let Some(at) = colors.iter().zip(&ids).position(|(color, id)| color != id && *color != IGNORE) else {
        return Ok(ids);
    };
    let name = |index: u8| classes.entries.get(usize::from(index)).map_or("ignored", |class| class.name.as_str());
    let what = format!(
        "palette index {} {} has the colour of {:?} and is the id of {:?}",
        picture.values[at],
        place(at, width),
        name(colors[at]),
        name(ids[at])
    );
    Err(LabelFault { what, hint: NO_PALETTE })
}

fn by_color(picture: &RawPng, classes: &Classes, width: usize) -> Result<Vec<u8>, LabelFault> {
    let colors = colors_of(picture, width)?;
    let by_color = read_colors(&colors, classes, width);
    let by_id = read_ids(&colors, classes);
    match (by_color, by_id) {
        (Ok(by_color), Some(by_id)) if by_color != by_id => choose(&colors, by_color, by_id, classes, width),
        (Ok(indices), _) => Ok(indices),
        // Values that are ids, written into three channels.
        (Err(fault), ids) => ids.ok_or(fault),
    }
}

/// The colour of every pixel in 8 bits.
fn colors_of(picture: &RawPng, width: usize) -> Result<Vec<Rgb>, LabelFault> {
    let in_8_bits = |value: u16| {
        let byte = (value >> 8) as u8;
        if picture.bits == 16 { (value == u16::from(byte) * 257).then_some(byte) } else { Some(value as u8) }
    };
    let pixels = picture.values.chunks_exact(picture.layout.channels()).enumerate();
    let color = |(at, values): (usize, &[u16])| {
        let rgb =
            if picture.layout == PngLayout::GrayAlpha { [values[0]; 3] } else { [values[0], values[1], values[2]] };
        let [Some(red), Some(green), Some(blue)] = rgb.map(in_8_bits) else {
            let what = format!("colour {rgb:?} {} has more than 8 bits, so it is no class's", place(at, width));
            return Err(LabelFault { what, hint: "export labels with 8 bits a channel" });
        };
        Ok([red, green, blue])
    };
    pixels.map(color).collect()
}

fn read_colors(colors: &[Rgb], classes: &Classes, width: usize) -> Result<Vec<u8>, LabelFault> {
    if let Some((first, second)) = classes.twins() {
        let what = format!(
            "labels are colours, and {:?} and {:?} of classes.toml both have {:?}",
            classes.entries[first].name, classes.entries[second].name, classes.entries[first].color
        );
        return Err(LabelFault { what, hint: ONE_COLOR_EACH });
    }
    let mut last = None;
    let of = |color: Rgb| classes.entries.iter().position(|class| class.color == color).map(|index| index as u8);
    let mut indices = Vec::with_capacity(colors.len());
    for (at, &color) in colors.iter().enumerate() {
        // Neighbours mostly have one colour.
        let index = match last {
            Some((before, index)) if before == color => index,
            _ => of(color),
        };
        last = Some((color, index));
        match (index, classes.unlisted) {
            (Some(index), _) => indices.push(index),
            (None, Unlisted::Ignore) => indices.push(IGNORE),
            (None, Unlisted::Error) => return Err(unknown_color(colors, at, classes, width)),
        }
    }
    Ok(indices)
}

fn unknown_color(colors: &[Rgb], at: usize, classes: &Classes, width: usize) -> LabelFault {
    let is_listed = |color: &Rgb| classes.entries.iter().any(|class| class.color == *color);
    let count = colors.iter().filter(|color| !is_listed(color)).count();
    let [red, green, blue] = colors[at];
    let others = if count > 1 { format!(" ({count} pixels have such colours)") } else { String::new() };
    let what = format!("colour [{red}, {green}, {blue}] {} is no class's{others}", place(at, width));
    match mixed_of(colors[at], classes) {
        Some([one, other]) => {
            let what = format!("{what}; it lies between those of {one:?} and {other:?}, as on a smoothed edge");
            LabelFault { what, hint: NO_SMOOTHING }
        }
        None => LabelFault { what, hint: LIST_COLOR },
    }
}

/// Two classes between whose colours this one lies.
fn mixed_of(color: Rgb, classes: &Classes) -> Option<[&str; 2]> {
    let between = |one: &Rgb, other: &Rgb| {
        let line: [f32; 3] = std::array::from_fn(|channel| f32::from(other[channel]) - f32::from(one[channel]));
        let from: [f32; 3] = std::array::from_fn(|channel| f32::from(color[channel]) - f32::from(one[channel]));
        let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let share = dot(from, line) / dot(line, line);
        let off = |channel: usize| (from[channel] - share * line[channel]).abs();
        // Rounding moves a mixed colour by a step.
        share > 0.0 && share < 1.0 && (0..3).all(|channel| off(channel) <= 1.5)
    };
    let entries = &classes.entries;
    let pairs = (0..entries.len()).flat_map(|one| (one + 1..entries.len()).map(move |other| [one, other]));
    let found = pairs.into_iter().find(|&[one, other]| between(&entries[one].color, &entries[other].color))?;
    Some(found.map(|index| entries[index].name.as_str()))
}

/// The pixels as ids that stand in all three channels; none where they cannot be.
fn read_ids(colors: &[Rgb], classes: &Classes) -> Option<Vec<u8>> {
    let table = classes.index_of_value();
    colors.iter().map(|&[r, g, b]| if r == g && g == b { table[usize::from(r)] } else { None }).collect()
}

/// A gray picture whose values are colours and ids alike, with other classes as the one than as the other.
fn choose(
    colors: &[Rgb],
    by_color: Vec<u8>,
    by_id: Vec<u8>,
    classes: &Classes,
    width: usize,
) -> Result<Vec<u8>, LabelFault> {
    let differ = |(color, id): (&u8, &u8)| color != id && *color != IGNORE && *id != IGNORE;
    let Some(at) = by_color.iter().zip(&by_id).position(differ) else {
        // What only counts because it is ignored is no sign: white is a colour rather than the id 255.
        let known = |indices: &[u8]| indices.iter().filter(|&&index| index < IGNORE).count();
        return Ok(if known(&by_color) >= known(&by_id) { by_color } else { by_id });
    };
    let name = |index: u8| classes.entries.get(usize::from(index)).map_or("ignored", |class| class.name.as_str());
    let what = format!(
        "value {} in all three channels {} may be the colour of {:?} or the id of {:?}",
        colors[at][0],
        place(at, width),
        name(by_color[at]),
        name(by_id[at])
    );
    Err(LabelFault { what, hint: "export labels as 8-bit index PNG, or give the classes colours that are no gray" })
}
