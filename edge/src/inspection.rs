//! What a bundle holds and what runs it.
//!
//! The count of multiply-accumulates comes from the engine's own view of the model, so it is what is computed, not what a
//! paper says; 1 GOP = 10⁹ operations, a multiply-accumulate being two.

use std::collections::BTreeMap;

use parallax_core::bundle::{Arithmetic, Bundle, BundledModel};
use parallax_core::camera::CameraIdentity;
use parallax_onnx::{DataType, ModelProto};
use serde::Serialize;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::Cost;
use tract_onnx::tract_core::ops::cnn::Conv;

use crate::engine::{TypedFile, read_proto, typed_model};
use crate::golden::{GoldenCheck, check_golden};
use crate::int8::{self, Int8Operator};
use crate::{EdgeError, Engine, EngineConfig, Result};

/// Everything `parallax-edge inspect` says.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The bundle's name.
    pub name: String,
    /// Program and version that packed it.
    pub packed_by: String,
    /// Network, how it was transferred, seed, and how many labelled pictures it saw.
    pub training: TrainingSummary,
    /// The input contract.
    pub input: parallax_core::model_input::ModelInput,
    /// The classes' names.
    pub classes: Vec<String>,
    /// Cameras that the training pictures came from; empty where unknown.
    pub cameras: Vec<CameraIdentity>,
    /// Files whose hashes were verified.
    pub verified_files: usize,
    /// The models.
    pub models: Vec<ModelInspection>,
    /// The first model on the golden frame.
    pub golden: GoldenCheck,
}

/// Where a bundle's models come from.
#[derive(Debug, Clone, Serialize)]
pub struct TrainingSummary {
    /// Network.
    pub network: String,
    /// Transfer.
    pub transfer: String,
    /// Seed.
    pub seed: u64,
    /// Labelled pictures it was trained on.
    pub labelled: usize,
}

/// One model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInspection {
    /// Its role.
    pub role: String,
    /// Its file.
    pub file: String,
    /// Size of the file.
    pub bytes: usize,
    /// What the manifest says of its arithmetic.
    pub arithmetic: Arithmetic,
    /// Operators in the file, by name.
    pub operators: BTreeMap<String, usize>,
    /// Constants in the file by data type: how many numbers.
    pub constants: BTreeMap<String, u64>,
    /// Convolutions in the file, and how many of them are written for int8.
    pub convolutions: Convolutions,
    /// Multiply-accumulates per frame, in 10⁹.
    pub gmacs: f64,
    /// Operations per frame, in 10⁹.
    pub gops: f64,
    /// Operators that the file quantises and that run in float here; `inspect --kernels` lists them with the reasons.
    pub quantized_in_float: usize,
    /// What runs it, in one sentence.
    pub runs_on: String,
}

/// How convolutions are written and how they are run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Convolutions {
    /// In the file.
    pub in_file: usize,
    /// In the file, with weights that are integers.
    pub int8_in_file: usize,
    /// Run in integer arithmetic by this program.
    pub run_in_int8: usize,
    /// Run in float by this program.
    pub run_in_float: usize,
    /// Of these, written for int8 in the file.
    pub int8_run_in_float: usize,
}

/// Inspects an opened bundle (opening it has verified the hashes) and runs its golden frame, as `config` says.
///
/// # Errors
/// A model that cannot be loaded or run, or a golden picture that cannot be decoded.
pub fn inspect(bundle: &Bundle, config: EngineConfig) -> Result<Inspection> {
    let manifest = bundle.manifest();
    let training = &manifest.training;
    let models =
        manifest.models.iter().map(|model| inspect_model(bundle, model, config)).collect::<Result<Vec<_>>>()?;
    Ok(Inspection {
        name: manifest.name.clone(),
        packed_by: manifest.packed_by.clone(),
        training: TrainingSummary {
            network: training.network.clone(),
            transfer: training.transfer.clone(),
            seed: training.seed,
            labelled: training.labelled.len(),
        },
        input: manifest.input,
        classes: manifest.classes.names().map(str::to_owned).collect(),
        cameras: manifest.cameras.clone(),
        verified_files: models.len() + 2,
        golden: check_golden(bundle, &Engine::load_with(bundle, None, config)?)?,
        models,
    })
}

pub(crate) fn inspect_model(bundle: &Bundle, model: &BundledModel, config: EngineConfig) -> Result<ModelInspection> {
    let proto = read_proto(bundle, model)?;
    let failed = |error: TractError| EdgeError::Engine {
        doing: "load",
        reason: format!("{error:#}"),
        file: model.file.clone(),
        bundle: bundle.path().to_path_buf(),
    };
    let TypedFile { model: typed, left, .. } = typed_model(bundle, model, config)?;
    let typed = typed.into_decluttered().map_err(failed)?;
    let macs = multiply_accumulates(&typed).map_err(failed)?;
    let mut convolutions = convolutions_in_file(&proto);
    (convolutions.run_in_int8, convolutions.run_in_float) = convolutions_run(&typed);
    convolutions.int8_run_in_float = left.iter().filter(|left| left.is_convolution()).count();
    Ok(ModelInspection {
        role: model.role.clone(),
        file: model.file.clone(),
        bytes: bundle.model_bytes(model).len(),
        arithmetic: model.arithmetic,
        operators: operators(&proto),
        constants: constants(&proto),
        convolutions,
        gmacs: macs / 1e9,
        gops: 2.0 * macs / 1e9,
        quantized_in_float: left.len(),
        runs_on: runs_on(convolutions, left.len(), config),
    })
}

fn runs_on(convolutions: Convolutions, left: usize, config: EngineConfig) -> String {
    let isa = config.isa.name();
    let how = match convolutions {
        Convolutions { int8_in_file: 0, .. } if left == 0 => return "float file, run by tract in float".to_owned(),
        Convolutions { run_in_int8: 0, .. } => "int8 file, run by tract in float: int8 answers, float speed".to_owned(),
        Convolutions { run_in_int8, run_in_float: 0, .. } => {
            format!("int8 file, all {run_in_int8} convolutions in int8 ({isa})")
        }
        Convolutions { run_in_int8, run_in_float, .. } => {
            format!("int8 file, {run_in_int8} convolutions in int8 ({isa}), {run_in_float} in float")
        }
    };
    match left {
        0 => how,
        left => format!("{how}; {left} operator(s) that it quantises run in float: see `inspect --kernels`"),
    }
}

fn operators(proto: &ModelProto) -> BTreeMap<String, usize> {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    nodes.fold(BTreeMap::new(), |mut counts, node| {
        *counts.entry(node.op_type.clone()).or_default() += 1;
        counts
    })
}

fn constants(proto: &ModelProto) -> BTreeMap<String, u64> {
    let tensors = proto.graph.iter().flat_map(|graph| &graph.initializer);
    tensors.fold(BTreeMap::new(), |mut counts, tensor| {
        let data_type = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
        let numbers: i64 = tensor.dims.iter().product();
        *counts.entry(format!("{data_type:?}").to_lowercase()).or_default() += numbers.unsigned_abs();
        counts
    })
}

fn convolutions_in_file(proto: &ModelProto) -> Convolutions {
    let Some(graph) = &proto.graph else { return Convolutions::default() };
    let dequantized: std::collections::HashSet<&str> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "DequantizeLinear")
        .flat_map(|node| node.output.iter().map(String::as_str))
        .collect();
    let convolutions: Vec<_> = graph.node.iter().filter(|node| node.op_type.contains("Conv")).collect();
    // Its weights tell: what a convolution reads may be quantised in ways that are not read here.
    let has_integers = |weights: &String| dequantized.contains(weights.as_str());
    let int8 = convolutions
        .iter()
        .filter(|node| int8::takes_integers(&node.op_type) || node.input.get(1).is_some_and(has_integers));
    Convolutions { in_file: convolutions.len(), int8_in_file: int8.count(), ..Convolutions::default() }
}

/// Convolutions that the engine runs in integers and in float. A convolution may have become a matrix product; only
/// those that are still convolutions are counted.
fn convolutions_run(model: &TypedModel) -> (usize, usize) {
    let ours = model.nodes().iter().filter_map(|node| node.op_as::<Int8Operator>());
    let float = model.nodes().iter().filter_map(|node| node.op_as::<Conv>());
    (ours.filter(|operator| operator.is_convolution()).count(), float.count())
}

fn multiply_accumulates(model: &TypedModel) -> TractResult<f64> {
    let mut total = 0.0;
    for node in model.nodes() {
        total += multiply_accumulates_of(model, node)?;
    }
    Ok(total)
}

/// Multiply-accumulates of one operator, if it is a convolution or a matrix product in one of tract's forms or ours.
pub(crate) fn multiply_accumulates_of(model: &TypedModel, node: &TypedNode) -> TractResult<f64> {
    // Not the additions and scalings that tract counts as well: the same network has the same count in every form.
    if !["Conv", "EinSum", "MatMul", "DepthWise"].iter().any(|name| node.op.name().contains(name)) {
        return Ok(0.0);
    }
    let facts = model.node_input_facts(node.id)?;
    let fma = node.op.cost(&facts)?.into_iter().filter(|(cost, _)| matches!(cost, Cost::FMA(_)));
    Ok(fma.map(|(_, count)| count.to_i64().unwrap_or(0) as f64).sum())
}

impl std::fmt::Display for Inspection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (input, training) = (&self.input, &self.training);
        writeln!(formatter, "bundle    {} (packed by {})", self.name, self.packed_by)?;
        writeln!(
            formatter,
            "network   {}, transfer {}, seed {}, {} labelled pictures",
            training.network, training.transfer, training.seed, training.labelled
        )?;
        writeln!(
            formatter,
            "input     {}x{} {}, mean {:?}, std {:?}",
            input.width,
            input.height,
            input.channels.name().to_uppercase(),
            input.mean,
            input.std
        )?;
        writeln!(formatter, "classes   {}: {}", self.classes.len(), self.classes.join(", "))?;
        let cameras: Vec<_> = self.cameras.iter().map(CameraIdentity::short).collect();
        let cameras = if cameras.is_empty() { "unknown".to_owned() } else { cameras.join(", ") };
        writeln!(formatter, "camera    {cameras}")?;
        for model in &self.models {
            writeln!(formatter, "model     {} ({}, {:.2} MB)", model.file, model.role, model.bytes as f64 / 1e6)?;
            let operators = model.operators.iter().map(|(name, count)| format!("{count} {name}"));
            writeln!(formatter, "          {}", operators.collect::<Vec<_>>().join(", "))?;
            let constants = model.constants.iter().map(|(name, count)| format!("{count} {name}"));
            writeln!(formatter, "          constants: {}", constants.collect::<Vec<_>>().join(", "))?;
            writeln!(formatter, "          {:.3} GMAC = {:.3} GOP per frame", model.gmacs, model.gops)?;
            writeln!(formatter, "          {}", model.runs_on)?;
        }
        writeln!(formatter, "hashes    {} files verified", self.verified_files)?;
        write!(formatter, "golden    {}", self.golden)
    }
}
