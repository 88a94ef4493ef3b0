//! What a network ends in: logits `[1, classes, height, width]` of the picture's size.
//!
//! | the model ends in | becomes |
//! |---|---|
//! | Softmax, LogSoftmax or Sigmoid of the logits | the logits: the largest stays the largest |
//! | ArgMax of the logits, also cast, squeezed or reshaped | the logits; the program takes the largest itself, the first of equals as ArgMax does |
//! | logits or a mask, channels last by a Transpose | channels first |
//! | logits of a smaller size | enlarged by linear interpolation between the pixels' centres, as training does |
//! | an ArgMax of a smaller size | enlarged by repetition: a mask has no values in between |

use parallax_onnx::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};
use tract_onnx::prelude::DatumType;

use super::edit;
use super::error::{ForeignError, Result};

/// How an answer of another size is brought to the picture's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enlarge {
    /// Logits: linear interpolation.
    Linear,
    /// A mask: each pixel repeated.
    Repeat,
}

/// What a network is known to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Logits of classes, or what orders them.
    Classes,
    /// Perhaps a depth map: a Sigmoid at its end means something.
    Unknown,
}

/// Operators that change a mask's type or axes and none of its values.
const AFTER_A_MASK: &[&str] = &["Cast", "Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten"];

/// Refuses an operator that takes the last of equals: the program takes the first.
///
/// # Errors
/// [`ForeignError::LastOfEquals`]
pub(super) fn check_equals(graph: &GraphProto) -> Result<()> {
    let takes_last = |node: &&NodeProto| {
        matches!(node.op_type.as_str(), "ArgMax" | "ArgMin") && node.integer("select_last_index", 0) != 0
    };
    let found = graph.node.iter().find(takes_last);
    found.map_or(Ok(()), |node| Err(ForeignError::LastOfEquals { operator: node.label().to_owned() }))
}

/// Takes everything behind the logits off, and says what was taken.
pub(super) fn strip(graph: &mut GraphProto, opset: i64, answer: Answer, notes: &mut Vec<String>) -> Enlarge {
    let mut enlarge = Enlarge::Linear;
    while let Some((place, before)) = last_step(graph, opset, answer) {
        let node = &graph.node[place];
        if node.op_type == "ArgMax" {
            enlarge = Enlarge::Repeat;
        }
        notes.push(format!("its last {} ({}) is left to the program", node.op_type, node.label()));
        graph.output = vec![ValueInfoProto { name: before, ..ValueInfoProto::default() }];
        edit::drop_unneeded(graph);
    }
    enlarge
}

/// The operator that makes an answer of logits, and the tensor of these.
fn last_step(graph: &GraphProto, opset: i64, answer: Answer) -> Option<(usize, String)> {
    let of_classes = answer == Answer::Classes;
    let mut tensor = graph.output.first()?.name.as_str();
    let mut seen = Vec::new();
    loop {
        let place = graph.writer(tensor)?;
        let node = &graph.node[place];
        let before = node.input_at(0)?;
        if before == graph.input.first()?.name {
            return None;
        }
        match node.op_type.as_str() {
            "ArgMax" => return channels_of(graph, node, opset).map(|logits| (place, logits)),
            "Softmax" | "LogSoftmax" if seen.is_empty() => {
                return channels_of(graph, node, opset).map(|logits| (place, logits));
            }
            "Sigmoid" | "Identity" if seen.is_empty() && of_classes => return Some((place, before.to_owned())),
            "Transpose"
                if seen.is_empty() && of_classes && node.integers("perm").unwrap_or_default() == [0, 2, 3, 1] =>
            {
                return Some((place, before.to_owned()));
            }
            // Softmax over the last axis between a Transpose there and one back.
            "Transpose" if seen.is_empty() => return between_transposes(graph, node),
            operator if AFTER_A_MASK.contains(&operator) => seen.push(place),
            _ => return None,
        }
        tensor = before;
    }
}

/// The logits, channels first, over whose channels an operator works; none where it works over another axis.
fn channels_of(graph: &GraphProto, node: &NodeProto, opset: i64) -> Option<String> {
    let before = node.input_at(0)?;
    let default = match node.op_type.as_str() {
        "ArgMax" => 0,
        _ if opset < 13 => 1,
        _ => -1,
    };
    match node.integer("axis", default) {
        1 | -3 => Some(before.to_owned()),
        3 | -1 => {
            let writer = &graph.node[graph.writer(before)?];
            let last = writer.op_type == "Transpose" && writer.integers("perm").unwrap_or_default() == [0, 2, 3, 1];
            writer.input_at(0).filter(|_| last).map(str::to_owned)
        }
        _ => None,
    }
}

/// The tensor before `Transpose → Softmax(last axis) → Transpose back`, as old PyTorch wrote a Softmax over channels.
fn between_transposes(graph: &GraphProto, back: &NodeProto) -> Option<(usize, String)> {
    let at = graph.writer(back.input_at(0)?)?;
    let softmax = &graph.node[at];
    let there = &graph.node[graph.writer(softmax.input_at(0)?)?];
    let (there_perm, back_perm) =
        (there.integers("perm").unwrap_or_default(), back.integers("perm").unwrap_or_default());
    let round_trip = back_perm
        .iter()
        .enumerate()
        .all(|(axis, from)| usize::try_from(*from).ok().and_then(|from| there_perm.get(from)) == Some(&(axis as i64)));
    let fits = matches!(softmax.op_type.as_str(), "Softmax" | "LogSoftmax")
        && there.op_type == "Transpose"
        && matches!(softmax.integer("axis", -1), 3 | -1)
        && there_perm.len() == 4
        && there_perm.last() == Some(&1)
        && round_trip;
    fits.then(|| there.input_at(0).map(|logits| (at, logits.to_owned())))?
}

/// `int64 [1, 96, 128]`, in ONNX's words.
pub(super) fn type_and_shape(found: DatumType, shape: Option<&[usize]>) -> String {
    let found = match found {
        DatumType::U8 => "uint8".to_owned(),
        DatumType::I8 => "int8".to_owned(),
        DatumType::I32 => "int32".to_owned(),
        DatumType::I64 | DatumType::TDim => "int64".to_owned(),
        DatumType::F16 => "float16".to_owned(),
        DatumType::F64 => "double".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    shape.map_or(found.clone(), |shape| format!("{found} {shape:?}"))
}

/// Brings logits of another size than the picture's to it.
///
/// # Errors
/// Something else than logits, where `classes` are known and it must be logits.
pub(super) fn bring_to_size(
    graph: &mut GraphProto,
    shape: Option<&[usize]>,
    size: (u32, u32),
    enlarge: Enlarge,
    must_be_logits: bool,
) -> Result<Option<String>> {
    let Some(output) = graph.output.first().map(|output| output.name.clone()) else { return Ok(None) };
    let (width, height) = (size.0 as usize, size.1 as usize);
    let refused = |hint| {
        let found = shape.map_or_else(|| "a shape that is not fixed".to_owned(), |shape| format!("{shape:?}"));
        Err(ForeignError::Answer { output: output.clone(), found, hint })
    };
    match shape {
        Some(&[1, 2..=255, h, w]) if (h, w) == (height, width) => Ok(None),
        // Of the picture's form: sides as long in proportion, as far as whole pixels allow.
        Some(&[1, classes @ 2..=255, h, w])
            if h > 1 && w > 1 && (h * width).abs_diff(w * height) <= width.max(height) =>
        {
            let note = format!("its {w}x{h} answer is brought to {width}x{height}");
            add_resize(graph, &output, [classes, h, w], [height, width], enlarge);
            Ok(Some(note))
        }
        _ if !must_be_logits => Ok(None),
        Some([1, _, _, classes]) if *classes <= 255 && shape.is_some_and(|shape| shape[1..3] == [height, width]) => {
            refused("its classes are on the last axis: export it channels first")
        }
        Some([1, 1, _, _]) => refused(
            "one channel is no choice between classes: export two (background and thing), or a network of more classes",
        ),
        Some([1, _]) => refused("this network names a whole picture; masks need one answer for each pixel"),
        _ => refused("choose the output with the logits by --output NAME, or export the model up to its logits"),
    }
}

fn add_resize(graph: &mut GraphProto, logits: &str, from: [usize; 3], to: [usize; 2], enlarge: Enlarge) {
    let [classes, height, width] = from;
    let (enlarged, wanted) = (edit::fresh(graph, &format!("{logits}_enlarged")), edit::fresh(graph, "enlarged_size"));
    let sizes = [1, classes as i64, to[0] as i64, to[1] as i64];
    let whole = to[0].is_multiple_of(height) && to[1].is_multiple_of(width) && to[0] / height == to[1] / width;
    let mut node = NodeProto::new("Resize", &enlarged, &[logits, ""], &enlarged);
    if whole {
        let factor = (to[0] / height) as f32;
        graph.initializer.push(TensorProto::of_floats(&wanted, &[4], &[1.0, 1.0, factor, factor]));
        node.input.push(wanted);
    } else {
        graph.initializer.push(TensorProto::of_longs(&wanted, &[4], &sizes));
        node.input.extend([String::new(), wanted]);
    }
    let (mode, places, rounding) = match enlarge {
        Enlarge::Linear => ("linear", "half_pixel", None),
        Enlarge::Repeat => ("nearest", "asymmetric", Some("floor")),
    };
    node.attribute.push(AttributeProto::text("mode", mode));
    node.attribute.push(AttributeProto::text("coordinate_transformation_mode", places));
    node.attribute.extend(rounding.map(|rounding| AttributeProto::text("nearest_mode", rounding)));
    graph.node.push(node);
    graph.output = vec![ValueInfoProto { name: enlarged, ..ValueInfoProto::default() }];
}
