//! Normalisation and channel order that a network does itself, taken out of the graph and into the input contract.
//!
//! ```text
//! contract:  x = (value / 255 − mean) / std
//! graph:     y = factor · x + offset       →      std' = std / factor,  mean' = mean − offset · std'
//! ```
//!
//! Then the quantizer sees a network whose input begins at the first convolution, and nothing is rounded twice. Only what
//! alone reads the picture is taken out, and only where factors are positive: the contract knows no mirrored brightness.

use parallax_core::model_input::{Channels, ModelInput};
use parallax_onnx::{GraphProto, NodeProto};

use super::edit;
use super::scaling::Scaling;

/// Takes out what can be taken out, and says so.
pub(super) fn take_out(graph: &mut GraphProto, contract: &mut ModelInput, notes: &mut Vec<String>) {
    let before = *contract;
    while let Some(picture) = graph.input.first().map(|picture| picture.name.clone()) {
        if !(take_scaling(graph, &picture, contract) || take_swap(graph, &picture, contract)) {
            break;
        }
    }
    if *contract != before {
        edit::drop_unneeded(graph);
        let ModelInput { mean, std, channels, .. } = contract;
        notes.push(format!(
            "its own normalisation is taken into the input contract: {} mean {mean:?} std {std:?}",
            channels.name()
        ));
    }
}

fn take_scaling(graph: &mut GraphProto, picture: &str, contract: &mut ModelInput) -> bool {
    let Some(place) = only_reader(graph, picture) else { return false };
    let node = &graph.node[place];
    let scaling = Scaling::of(graph, node).filter(|(_, read)| *read == picture);
    let Some(scaling) = scaling.and_then(|(scaling, _)| scaling.spread(3)) else { return false };
    let mut taken = *contract;
    for channel in 0..3 {
        let std = f64::from(contract.std[channel]) / scaling.factors[channel];
        taken.std[channel] = std as f32;
        taken.mean[channel] = (f64::from(contract.mean[channel]) - scaling.offsets[channel] * std) as f32;
    }
    if taken.validate().is_err() || !edit::bypass(graph, place) {
        return false;
    }
    *contract = taken;
    true
}

fn take_swap(graph: &mut GraphProto, picture: &str, contract: &mut ModelInput) -> bool {
    let Some(swapped) = swapped_picture(graph, picture) else { return false };
    if graph.is_output(&swapped) {
        return false;
    }
    edit::read_instead(graph, &swapped, picture);
    // What swapped the channels reads the picture still, and nobody reads it.
    edit::drop_unneeded(graph);
    contract.channels = match contract.channels {
        Channels::Rgb => Channels::Bgr,
        Channels::Bgr => Channels::Rgb,
    };
    contract.mean.reverse();
    contract.std.reverse();
    true
}

/// The place of the operator that alone reads a tensor, once.
fn only_reader(graph: &GraphProto, tensor: &str) -> Option<usize> {
    let reads = |node: &NodeProto| node.input.iter().any(|name| name == tensor);
    (graph.readers(tensor) == 1).then(|| graph.node.iter().position(reads))?
}

/// The tensor with the picture's channels in reverse, if that is all that becomes of the picture.
fn swapped_picture(graph: &GraphProto, picture: &str) -> Option<String> {
    let readers: Vec<&NodeProto> =
        graph.node.iter().filter(|node| node.input.iter().any(|name| name == picture)).collect();
    if let [node] = readers[..]
        && reverses(graph, node)
    {
        return edit::only_output(node).map(str::to_owned);
    }
    // One channel after the other, joined again.
    let mut channels: Vec<(&str, i64)> = Vec::new();
    for node in readers {
        match node.op_type.as_str() {
            "Split" if node.integer("axis", 0) == 1 && node.output.len() == 3 => {
                channels.extend(node.output.iter().map(String::as_str).zip(0..));
            }
            _ => channels.push((edit::only_output(node)?, only_channel(graph, node)?)),
        }
    }
    let concat = &graph.node[only_reader(graph, channels.first()?.0)?];
    let order = concat.input.iter().map(|name| channels.iter().find(|(output, _)| output == name).map(|found| found.1));
    let order: Vec<i64> = order.collect::<Option<_>>()?;
    let alone = channels.len() == 3 && channels.iter().all(|(output, _)| graph.readers(output) == 1);
    let joined = concat.op_type == "Concat" && concat.integer("axis", 0) == 1 && alone && order == [2, 1, 0];
    joined.then(|| edit::only_output(concat).map(str::to_owned))?
}

/// Gather of the channels 2, 1, 0, or a Slice backwards.
fn reverses(graph: &GraphProto, node: &NodeProto) -> bool {
    let longs = |index: usize| node.input_at(index).and_then(|name| edit::longs(graph, name)).unwrap_or_default();
    match node.op_type.as_str() {
        "Gather" => node.integer("axis", 0) == 1 && matches!(longs(1)[..], [2 | -1, 1 | -2, 0 | -3]),
        "Slice" => {
            let (starts, ends, axes, steps) = (longs(1), longs(2), longs(3), longs(4));
            let whole =
                matches!(starts[..], [start] if start == -1 || start >= 2) && matches!(ends[..], [end] if end < -3);
            whole && matches!(axes[..], [1 | -3]) && steps == [-1]
        }
        _ => false,
    }
}

/// Which channel alone an operator keeps.
fn only_channel(graph: &GraphProto, node: &NodeProto) -> Option<i64> {
    let longs = |index: usize| edit::longs(graph, node.input_at(index)?);
    let channel = match node.op_type.as_str() {
        "Gather" if node.integer("axis", 0) == 1 => match (longs(1)?.as_slice(), graph.constant(node.input_at(1)?)) {
            ([channel], Some(tensor)) if tensor.dims.len() == 1 => *channel,
            _ => return None,
        },
        "Slice" => match (&longs(1)?[..], &longs(2)?[..], &longs(3)?[..]) {
            ([start], [end], [1 | -3]) if *end == start + 1 || (*start == 2 || *start == -1) && *end > 2 => *start,
            _ => return None,
        },
        _ => return None,
    };
    Some(if channel < 0 { channel + 3 } else { channel })
}
