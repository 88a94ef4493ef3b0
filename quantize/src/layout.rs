//! Which tensors become u8, which of them share one scale, and what stays in float.
//!
//! | operator | treatment |
//! |---|---|
//! | Conv with constant weights | u8 in, u8 out, s8 weights, int32 bias |
//! | Add, Elu, Sigmoid, Mul, … | u8 in, u8 out, a scale of its own |
//! | Relu after Conv or Add | gone: the u8 range starts at zero, so clamping is the ReLU |
//! | Clip after Conv or Add | stays, and what lies between is not rounded: engines clamp where they round anyway |
//! | MaxPool, Resize, Pad, Reshape, … | moves or averages values: its output keeps its input's scale, no requantisation |
//! | Concat | one scale with every input for which that is free ([`super::sharing`]); any other input is requantised |
//! | anything else | left in float and listed |
//!
//! A *layer* is an operator with an int8 form, together with the Relu or Clip behind it. [`Layout::with_float`] is the
//! layout in which some layers stay in float: what lies between two of them is a float tensor, what lies between one of
//! them and an int8 layer is a u8 tensor still.

use std::collections::{HashMap, HashSet};

use parallax_onnx::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::ranges::Reader;
use super::{Result, graph};

/// What an operator does to the scale of its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// A convolution with constant weights.
    Convolution,
    /// Computes new values: the output gets a scale of its own.
    Computes,
    /// Moves, repeats, picks or averages values: the output keeps the input's scale.
    Moves,
    /// Joins tensors along an axis.
    Joins,
    /// Stays in float.
    Float,
}

/// An operator that stays in float.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeftInFloat {
    /// The node.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// A tensor that becomes u8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizedTensor {
    /// Its name in the float model.
    pub name: String,
    /// The operator that computes it (`Conv` for a Conv followed by a fused Relu), or `input`.
    pub operator: String,
    /// The node that computes it.
    pub node: String,
    /// The tensor whose scale it keeps, for [`Treatment::Moves`].
    pub keeps_scale_of: Option<String>,
    /// The tensors it joins, for [`Treatment::Joins`].
    pub joins: Vec<Joined>,
    /// Whether a Relu was fused into it.
    pub relu: FusedRelu,
    /// What alone reads it, when that is an activation.
    pub reader: Reader,
}

/// An input of a Concat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The tensor.
    pub tensor: String,
    /// Whether something other than this Concat reads it, or the tensor whose scale it keeps.
    pub read_elsewhere: bool,
}

/// An operator that can be computed in int8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its place in the graph.
    pub place: usize,
    /// Its name.
    pub node: String,
    /// What it is; with the Relu or Clip behind it.
    pub operator: String,
}

/// Whether a Relu was fused into a tensor's u8 range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FusedRelu {
    /// No Relu, or one that is still there.
    #[default]
    No,
    /// The clamp at the lower end of the range is the Relu.
    Yes,
}

/// What becomes of every operator and tensor of a model.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// The model's input.
    pub input: String,
    /// The model's outputs.
    pub outputs: Vec<String>,
    /// Treatment of each node, in graph order.
    pub treatments: Vec<Treatment>,
    /// Relu nodes that disappear, and Clip nodes that belong to what they clamp: the tensor before each, by node index.
    pub fused_relus: HashMap<usize, String>,
    /// Those of them that are still there: Clips.
    pub kept_clips: HashSet<usize>,
    /// The tensor that takes the place of the one before a fused Relu: the Relu's output.
    pub renamed: HashMap<String, String>,
    /// u8 tensors in the order in which they are computed.
    pub tensors: Vec<QuantizedTensor>,
    /// What stays in float.
    pub left_in_float: Vec<LeftInFloat>,
}

impl Layout {
    /// Decides for a float model whose constants are initializers and whose nodes are in topological order.
    ///
    /// # Errors
    /// A model without a graph or with several inputs.
    pub fn of(model: &ModelProto) -> Result<Self> {
        let graph = graph::graph(model)?;
        let mut layout = Self {
            input: graph::inputs(graph)?.to_owned(),
            outputs: graph.output.iter().map(|output| output.name.clone()).collect(),
            ..Self::default()
        };
        layout.find_fused_relus(graph);
        layout.find_treatments(graph);
        layout.find_tensors(graph);
        Ok(layout)
    }

    /// The operators that are computed in int8, in graph order.
    ///
    /// # Errors
    /// A model without a graph.
    pub fn layers(&self, model: &ModelProto) -> Result<Vec<Layer>> {
        let graph = graph::graph(model)?;
        let followed: HashMap<&str, usize> =
            self.fused_relus.iter().map(|(place, before)| (before.as_str(), *place)).collect();
        let in_int8 =
            graph.node.iter().enumerate().filter(|(place, _)| {
                self.treatments[*place] != Treatment::Float && !self.fused_relus.contains_key(place)
            });
        let layers = in_int8.map(|(place, node)| {
            let behind = followed.get(node.output[0].as_str()).map(|place| &graph.node[*place].op_type);
            let operator = behind.map_or(node.op_type.clone(), |behind| format!("{}+{behind}", node.op_type));
            Layer { place, node: node.label().to_owned(), operator }
        });
        Ok(layers.collect())
    }

    /// The same layout with the layers at these places in float.
    ///
    /// # Errors
    /// A model without a graph.
    pub fn with_float(&self, model: &ModelProto, places: &HashSet<usize>) -> Result<Self> {
        let graph = graph::graph(model)?;
        let mut layout = self.clone();
        let written: HashSet<&str> = places.iter().map(|place| graph.node[*place].output[0].as_str()).collect();
        layout.fused_relus.retain(|_, before| !written.contains(before.as_str()));
        layout.renamed.retain(|before, _| !written.contains(before.as_str()));
        for (place, treatment) in layout.treatments.iter_mut().enumerate() {
            let its_relu_is_back = self.fused_relus.contains_key(&place) && !layout.fused_relus.contains_key(&place);
            if places.contains(&place) || its_relu_is_back {
                *treatment = Treatment::Float;
            }
        }
        layout.find_tensors(graph);
        Ok(layout)
    }

    /// The tensor whose values decide a tensor's scale: itself, or the one whose scale it keeps.
    pub fn scale_source<'a>(&'a self, name: &'a str) -> &'a str {
        let keeps = |name: &str| {
            let tensor = self.tensors.iter().find(|tensor| tensor.name == name)?;
            tensor.keeps_scale_of.as_deref()
        };
        std::iter::successors(Some(name), |name| keeps(name)).last().unwrap_or(name)
    }

    /// A Relu disappears into the Conv or Add before it when nothing else reads what is between them; a Clip belongs to it.
    fn find_fused_relus(&mut self, graph: &GraphProto) {
        let (producers, consumers, constants) = (graph.producers(), graph.consumers(), graph.constants());
        let clamps = |node: &NodeProto| node.op_type == "Relu" || clips_by_constants(node, &constants);
        for (index, relu) in graph.node.iter().enumerate().filter(|(_, node)| clamps(node)) {
            let Some(before) = relu.input.first() else { continue };
            let Some(producer) = producers.get(before.as_str()).map(|index| &graph.node[*index]) else { continue };
            let only_reader = consumers.get(before.as_str()).is_some_and(|readers| readers.len() == 1);
            if matches!(producer.op_type.as_str(), "Conv" | "Add") && only_reader && !self.outputs.contains(before) {
                self.fused_relus.insert(index, before.clone());
                if relu.op_type == "Clip" {
                    self.kept_clips.insert(index);
                } else {
                    self.renamed.insert(before.clone(), relu.output[0].clone());
                }
            }
        }
    }

    fn find_treatments(&mut self, graph: &GraphProto) {
        let constants = graph.constants();
        let mut quantized: HashSet<&str> = HashSet::from([self.input.as_str()]);
        let mut treatments = Vec::with_capacity(graph.node.len());
        let mut left = Vec::new();
        for (index, node) in graph.node.iter().enumerate() {
            let treatment = match treatment(node, &constants, &quantized) {
                _ if self.fused_relus.contains_key(&index) => Treatment::Computes,
                Ok(treatment) => treatment,
                Err(reason) => {
                    let (name, operator) = (node.label().to_owned(), node.op_type.clone());
                    left.push(LeftInFloat { node: name, operator, reason: reason.to_owned() });
                    Treatment::Float
                }
            };
            if treatment != Treatment::Float {
                quantized.extend(node.output.iter().map(String::as_str));
            }
            treatments.push(treatment);
        }
        self.treatments = treatments;
        self.left_in_float = left;
    }

    fn find_tensors(&mut self, graph: &GraphProto) {
        let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let consumers = graph.consumers();
        let before_relu: HashSet<&str> = self.fused_relus.values().map(String::as_str).collect();
        let mut known: HashSet<String> = HashSet::new();
        let mut tensors = Vec::new();
        for (index, node) in graph.node.iter().enumerate() {
            let treatment = self.treatments[index];
            if treatment == Treatment::Float {
                continue;
            }
            let data_inputs = data_inputs(node, treatment).filter(|name| !constants.contains(name));
            for name in data_inputs.filter(|name| !before_relu.contains(name)) {
                // An input that a float operator (or nobody) computes is quantized just before it is read.
                if known.insert(name.to_owned()) {
                    tensors.push(QuantizedTensor::plain(name, "input", name));
                }
            }
            let output = &node.output[0];
            if before_relu.contains(output.as_str()) || !known.insert(output.clone()) {
                continue;
            }
            let mut tensor = QuantizedTensor::plain(output, &node.op_type, node.label());
            if !self.outputs.contains(output)
                && let Some([only]) = consumers.get(output.as_str()).map(Vec::as_slice)
            {
                tensor.reader = reader(&graph.node[*only]);
            }
            match treatment {
                Treatment::Moves => tensor.keeps_scale_of = node.input.first().cloned(),
                Treatment::Joins => {
                    let joined = |name: &String| Joined {
                        tensor: name.clone(),
                        read_elsewhere: self.is_read_elsewhere(graph, &consumers, name, index),
                    };
                    tensor.joins = node.input.iter().map(joined).collect();
                }
                _ => {}
            }
            if let Some(producer) = self.fused_relus.get(&index).and_then(|before| producer_of(graph, before)) {
                tensor.operator = format!("{}+{}", producer.op_type, node.op_type);
                producer.label().clone_into(&mut tensor.node);
                if !self.kept_clips.contains(&index) {
                    tensor.relu = FusedRelu::Yes;
                }
            }
            tensors.push(tensor);
        }
        self.tensors = tensors;
    }

    /// Whether anything but the node at `reader` reads a tensor, or the tensor whose scale it keeps.
    fn is_read_elsewhere(
        &self,
        graph: &GraphProto,
        consumers: &HashMap<&str, Vec<usize>>,
        tensor: &str,
        reader: usize,
    ) -> bool {
        let readers = consumers.get(tensor).map_or(&[][..], Vec::as_slice);
        if readers.iter().any(|place| *place != reader) || self.outputs.iter().any(|output| output == tensor) {
            return true;
        }
        let writer = graph.node[..reader].iter().position(|node| node.output.iter().any(|name| name == tensor));
        writer.is_some_and(|writer| {
            self.treatments[writer] == Treatment::Moves
                && self.is_read_elsewhere(graph, consumers, &graph.node[writer].input[0], writer)
        })
    }
}

impl QuantizedTensor {
    fn plain(name: &str, operator: &str, node: &str) -> Self {
        let (name, operator, node) = (name.to_owned(), operator.to_owned(), node.to_owned());
        Self { name, operator, node, keeps_scale_of: None, joins: Vec::new(), relu: FusedRelu::No, reader: Reader::Any }
    }

    /// Whether its u8 range must start at zero.
    pub fn is_rectified(&self) -> bool {
        self.relu == FusedRelu::Yes
    }
}

fn reader(node: &NodeProto) -> Reader {
    let alpha = node.attribute.iter().find(|attribute| attribute.name == "alpha").map_or(1.0, |alpha| alpha.f);
    match node.op_type.as_str() {
        "Elu" if alpha == 1.0 => Reader::Elu,
        "Sigmoid" => Reader::Sigmoid,
        _ => Reader::Any,
    }
}

fn producer_of<'a>(graph: &'a GraphProto, tensor: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.output.iter().any(|name| name == tensor))
}

/// The inputs that carry pictures, not weights, sizes or axes.
fn data_inputs(node: &NodeProto, treatment: Treatment) -> impl Iterator<Item = &str> {
    let count = match treatment {
        Treatment::Convolution | Treatment::Moves => 1,
        Treatment::Computes | Treatment::Joins => node.input.len(),
        Treatment::Float => 0,
    };
    node.input.iter().take(count).map(String::as_str).filter(|name| !name.is_empty())
}

/// How an operator is treated, or why it stays in float.
fn treatment(
    node: &NodeProto,
    constants: &HashMap<&str, &TensorProto>,
    quantized: &HashSet<&str>,
) -> std::result::Result<Treatment, &'static str> {
    let constant = |index: usize| node.input.get(index).is_some_and(|name| constants.contains_key(name.as_str()));
    let from_quantized = node.input.first().is_some_and(|name| quantized.contains(name.as_str()));
    if node.output.len() != 1 || !node.domain.is_empty() {
        return Err("several outputs, or an operator outside the default domain");
    }
    match node.op_type.as_str() {
        "Conv" if !constant(1) => Err("its weights are not constant"),
        "Conv" if node.input.len() > 2 && !node.input[2].is_empty() && !constant(2) => Err("its bias is not constant"),
        "Conv" => Ok(Treatment::Convolution),
        "Add" | "Mul" | "Sub" if constant(0) || constant(1) => Err("one operand is constant"),
        "Add" | "Mul" | "Sub" | "Relu" | "Elu" | "Sigmoid" | "Tanh" | "LeakyRelu" | "HardSwish" | "HardSigmoid"
        | "AveragePool" | "GlobalAveragePool" => Ok(Treatment::Computes),
        "Clip" if clips_by_constants(node, constants) => Ok(Treatment::Computes),
        "Clip" => Err("its limits are not constant"),
        "ReduceMean" if is_mean_of_picture(node, constants) => Ok(Treatment::Computes),
        "ReduceMean" => Err("it is not the mean of a picture's rows and columns"),
        "Concat" if (0..node.input.len()).any(constant) => Err("one operand is constant"),
        "Concat" => Ok(Treatment::Joins),
        "Resize" if node.text("mode") == Some("cubic") => Err("cubic interpolation leaves its input's range"),
        "Pad" if !matches!(node.text("mode"), None | Some("constant" | "reflect" | "edge")) => {
            Err("this padding mode is not handled")
        }
        "Pad" if !pads_with_zero(node, constants) => Err("it pads with something other than zero"),
        "MaxPool" | "Resize" | "Pad" | "Reshape" | "Flatten" | "Transpose" | "Slice" | "Squeeze" | "Unsqueeze"
        | "Expand" | "Tile" | "DepthToSpace" | "SpaceToDepth" | "Identity"
            if from_quantized =>
        {
            Ok(Treatment::Moves)
        }
        "MaxPool" | "Resize" | "Pad" | "Reshape" | "Flatten" | "Transpose" | "Slice" | "Squeeze" | "Unsqueeze"
        | "Expand" | "Tile" | "DepthToSpace" | "SpaceToDepth" | "Identity" => Err("its input is in float"),
        _ => Err("no int8 form is known for this operator"),
    }
}

/// Whether an operator is a Clip whose limits are constants, where it has any.
fn clips_by_constants(node: &NodeProto, constants: &HashMap<&str, &TensorProto>) -> bool {
    let limits = node.input.iter().skip(1).filter(|name| !name.is_empty());
    node.op_type == "Clip"
        && !node.input.is_empty()
        && limits.into_iter().all(|name| constants.contains_key(name.as_str()))
}

/// Whether a ReduceMean takes the mean of height and width and keeps both axes; axes are an attribute until operator set 17.
fn is_mean_of_picture(node: &NodeProto, constants: &HashMap<&str, &TensorProto>) -> bool {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let keeps = attribute("keepdims").is_none_or(|keepdims| keepdims.i == 1);
    let given = node.input.get(1).and_then(|name| constants.get(name.as_str())).and_then(|axes| axes.longs());
    let mut axes = given.or_else(|| attribute("axes").map(|axes| axes.ints.clone())).unwrap_or_default();
    axes.iter_mut().filter(|axis| **axis < 0).for_each(|axis| *axis += 4);
    axes.sort_unstable();
    keeps && axes == [2, 3]
}

/// Whether a Pad repeats the picture, or surrounds it with zeros, which every u8 grid holds exactly.
fn pads_with_zero(node: &NodeProto, constants: &HashMap<&str, &TensorProto>) -> bool {
    let repeats = matches!(node.text("mode"), Some("reflect" | "edge"));
    match node.input.get(2).map(String::as_str) {
        None | Some("") => true,
        Some(_) if repeats => true,
        Some(name) => constants
            .get(name)
            .and_then(|tensor| graph::floats(tensor).ok())
            .is_some_and(|values| values.iter().all(|value| *value == 0.0)),
    }
}
