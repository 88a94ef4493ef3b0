//! Models from elsewhere, made into what the quantizer and the board know: one picture `[1, 3, height, width]` of float32 in, logits
//! `[1, classes, height, width]` out, operator set 13 or newer, every size a constant.
//!
//! In reading order:
//!
//! | module | what it does |
//! |---|---|
//! | [`contract`] | what a picture must become before the network sees it: from the model's metadata, or as the user says |
//! | `external` | constants in files beside the model |
//! | `doors` | the one input and its size, the one output |
//! | `inference` | dropout and what only training does |
//! | `answer` | from Softmax, ArgMax or logits of another size to logits of the picture's |
//! | `opset` | old operator sets |
//! | `sizes`, `numbers` | sizes that the model computes from its own shapes |
//! | `normalisation` | mean, std and channel order inside the network, into the contract |
//! | `scaling` | batch norms and constant factors, into convolutions |
//! | `edit` | small edits of a graph |
//!
//! A model that is so already, as `parallax-train export` writes them, stays as it is, byte for byte. Every other change is told.
//!
//! *Invariant:* what is not understood is an error that names it; no pass guesses.

mod answer;
pub mod contract;
mod doors;
mod edit;
mod error;
mod external;
mod inference;
mod normalisation;
mod numbers;
mod opset;
mod scaling;
mod sizes;
#[cfg(test)]
mod tests;

use std::path::Path;

use parallax_core::model_input::ModelInput;
use parallax_onnx::{ModelProto, is_quantization};
use tract_onnx::prelude::DatumType;

pub use contract::{Asked, Normalisation};
pub use error::ForeignError;

use crate::graph;
use crate::runner::{self, Facts};
use error::Result;

/// What a model is adopted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be run as it is: with so many classes.
    Masks(usize),
    /// To be quantized: batch norms and factors go into convolutions; with so many classes where they are known.
    Quantization(Option<usize>),
}

impl Purpose {
    /// The number of classes, where it is known.
    fn classes(self) -> Option<usize> {
        match self {
            Self::Masks(classes) => Some(classes),
            Self::Quantization(classes) => classes,
        }
    }
}

/// A model with the form that the quantizer and the board know.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The model.
    pub model: ModelProto,
    /// What a picture must become before the network sees it.
    pub input: ModelInput,
    /// What was changed, a line for each.
    pub notes: Vec<String>,
    /// Whether the model is another one than before.
    pub changed: bool,
}

/// Reads a model file, with what it keeps in files beside it.
///
/// # Errors
/// An unreadable file, no ONNX model, or constants that cannot be found.
pub fn read_model(path: &Path) -> std::result::Result<ModelProto, ForeignError> {
    let mut model = graph::read_model(path)?;
    external::read(&mut model, path)?;
    Ok(model)
}

/// Brings a model into the form that the quantizer and the board know.
///
/// # Errors
/// Whatever of [`ForeignError`] is in the way.
pub fn adopt(
    before: &ModelProto,
    normalisation: &Normalisation,
    size: Option<(u32, u32)>,
    output: Option<&str>,
    purpose: Purpose,
) -> std::result::Result<Adopted, ForeignError> {
    let mut model = before.clone();
    let mut notes = Vec::new();
    doors::drop_constant_inputs(&mut model);
    graph::lift_constants(&mut model)?;
    graph::check_order(graph::graph(&model)?)?;
    doors::choose_output(graph::graph_mut(&mut model)?, output)?;
    doors::check_types(graph::graph(&model)?)?;
    graph::check_finite(&model)?;
    let size = doors::fix_input(graph::graph_mut(&mut model)?, size)?;
    inference::settle(graph::graph_mut(&mut model)?)?;
    let found = opset::of(&model);
    let answer = if purpose.classes().is_some() { answer::Answer::Classes } else { answer::Answer::Unknown };
    answer::check_equals(graph::graph(&model)?)?;
    let enlarge = answer::strip(graph::graph_mut(&mut model)?, found, answer, &mut notes);
    if opset::raise(&mut model)? {
        notes.push(format!("its operator set {found} is raised to {}", opset::WANTED));
    }
    sizes::fold(&mut model, size)?;
    let mut input = normalisation.for_size(size);
    let quantized = graph::graph(&model)?.node.iter().any(|node| is_quantization(&node.op_type));
    if !quantized {
        normalisation::take_out(graph::graph_mut(&mut model)?, &mut input, &mut notes);
    }
    finish(&mut model, size, enlarge, purpose, &mut notes)?;
    let changed = graph::without_descriptions(&model) != graph::without_descriptions(before);
    Ok(Adopted { model: if changed { model } else { before.clone() }, input, notes, changed })
}

/// What needs the shapes of all tensors: the answer's size, and factors into convolutions.
fn finish(
    model: &mut ModelProto,
    size: (u32, u32),
    enlarge: answer::Enlarge,
    purpose: Purpose,
    notes: &mut Vec<String>,
) -> Result<()> {
    let Facts { shapes, output_type } = runner::facts(model)?;
    let classes = purpose.classes();
    let graph = graph::graph_mut(model)?;
    let shape = graph.output.first().and_then(|output| shapes.get(&output.name)).cloned();
    if let Some(found) = output_type.filter(|found| *found != DatumType::F32) {
        let (output, found) = (graph.output[0].name.clone(), answer::type_and_shape(found, shape.as_deref()));
        let hint = "only an ArgMax of the logits is understood as a mask: export the model up to its logits";
        return Err(ForeignError::Answer { output, found, hint });
    }
    notes.extend(answer::bring_to_size(graph, shape.as_deref(), size, enlarge, classes.is_some())?);
    if let (Some(named), Some(&[_, found, ..])) = (classes, shape.as_deref())
        && named != found
    {
        return Err(ForeignError::ClassCount { named, found });
    }
    let quantized = graph.node.iter().any(|node| is_quantization(&node.op_type));
    if matches!(purpose, Purpose::Quantization(_)) && !quantized {
        let (folded, made) = scaling::fold(graph, &shapes);
        if folded + made > 0 {
            notes.push(format!(
                "{} batch norms and constant factors: {folded} in convolutions, {made} convolutions of their own",
                folded + made
            ));
        }
    }
    edit::drop_unneeded(graph);
    Ok(())
}
