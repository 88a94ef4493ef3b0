//! What runs each operator of a model, and how long it takes: `parallax-edge inspect --kernels`.

use std::time::Instant;

use parallax_core::bundle::Bundle;
use serde::Serialize;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan;

use crate::inspection::multiply_accumulates_of;
use crate::int8::{Int8Operator, Left};
use crate::stages::ms;
use crate::{Engine, EngineConfig, Result, Worker};

/// Frames of which the fastest counts, after one that does not.
const FRAMES: usize = 9;

/// The operators of a model as they run.
#[derive(Debug, Clone, Serialize)]
pub struct Operators {
    /// In the order in which they run; constants and the input left out.
    pub operators: Vec<OperatorRow>,
    /// What the file quantises and tract computes in float all the same.
    pub left_in_float: Vec<LeftRow>,
    /// The convolutions that an int8 file keeps in float on purpose.
    pub kept_in_float: Vec<String>,
    /// Sum of the operators' times.
    pub total_ms: f64,
}

/// One operator.
#[derive(Debug, Clone, Serialize)]
pub struct OperatorRow {
    /// Its name in the file; of a fused one, that of its last operator.
    pub node: String,
    /// What it is; of a fused one, the operators that it stands for.
    pub operator: String,
    /// Type of its result.
    pub data_type: String,
    /// Shape of its result.
    pub shape: Vec<usize>,
    /// The code that runs it.
    pub kernel: String,
    /// Operations of a frame, in 10⁹; a multiply-accumulate is two.
    pub gop: f64,
    /// Shortest time on the golden frame.
    pub ms: f64,
    /// Share of the sum of all operators' times.
    pub share: f64,
}

/// An operator that the file quantises and tract computes in float.
#[derive(Debug, Clone, Serialize)]
pub struct LeftRow {
    /// Its name in the file.
    pub node: String,
    /// What it is.
    pub operator: String,
    /// Why our kernels do not compute it.
    pub reason: String,
}

/// Runs the golden frame through a bundle's model and says what ran.
///
/// # Errors
/// A model that cannot be loaded or run, or a golden frame that cannot be decoded.
pub fn operators(bundle: &Bundle, role: Option<&str>, config: EngineConfig) -> Result<Operators> {
    let engine = Engine::load_with(bundle, role, config)?;
    engine.place_caller();
    let run_error = |error: TractError| engine.run_error(&error);
    let frame = bundle.golden_frame()?;
    let mut worker = Worker::new(&engine)?;
    // What gives no numbers is not worth a list of times.
    worker.segment(&frame)?;
    let input = worker.prepared(&frame)?;
    let model = engine.plan().model();
    let mut times_ms = vec![f64::INFINITY; model.nodes().len()];
    let mut state = engine.plan().spawn().map_err(run_error)?;
    for frame in 0..=FRAMES {
        let timed = state.run_plan_with_eval(tvec!(input.clone()), |context, state, node, inputs| {
            let start = Instant::now();
            let result = plan::eval(context, state, node, inputs);
            if frame > 0 {
                let fastest_ms = &mut times_ms[node.id];
                *fastest_ms = fastest_ms.min(ms(start.elapsed()));
            }
            result
        });
        timed.map_err(run_error)?;
    }
    let mut rows = Vec::new();
    for node in engine.plan().order_without_consts() {
        let node = model.node(*node);
        if model.input_outlets().map_err(run_error)?.iter().any(|input| input.node == node.id) {
            continue;
        }
        let macs = multiply_accumulates_of(model, node).map_err(run_error)?;
        rows.push(OperatorRow::new(node, 2.0 * macs / 1e9, times_ms[node.id]));
    }
    let total_ms: f64 = rows.iter().map(|row| row.ms).sum();
    for row in &mut rows {
        row.share = row.ms / total_ms.max(1e-9);
    }
    let left = |left: &Left| {
        let Left { node, operator, reason } = left.clone();
        LeftRow { node, operator, reason }
    };
    let left_in_float = engine.left().iter().map(left).collect();
    Ok(Operators { operators: rows, left_in_float, kept_in_float: engine.kept().to_vec(), total_ms })
}

/// What a fused operator gave: the integers of a tensor behind a QuantizeLinear.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The tensor's name in the file.
    pub tensor: String,
    /// `[1, height, width, channels]`.
    pub shape: Vec<usize>,
    /// Row-major; signed integers with 128 added.
    pub numbers: Vec<u8>,
}

/// Runs the golden frame and keeps what every fused operator gives, for a comparison with other engines. Tensors inside of
/// a fused operator are not among them.
///
/// # Errors
/// As [`operators`].
pub fn layers(bundle: &Bundle, role: Option<&str>, config: EngineConfig) -> Result<Vec<Layer>> {
    let engine = Engine::load_with(bundle, role, config)?;
    let run_error = |error: TractError| engine.run_error(&error);
    let input = Worker::new(&engine)?.prepared(&bundle.golden_frame()?)?;
    let mut layers = Vec::new();
    let mut state = engine.plan().spawn().map_err(run_error)?;
    let kept = state.run_plan_with_eval(tvec!(input), |context, state, node, inputs| {
        let results = plan::eval(context, state, node, inputs)?;
        if let (Some(ours), Some(result)) = (node.op_as::<Int8Operator>(), results.first())
            && result.datum_type() == u8::datum_type()
        {
            let numbers = result.try_as_plain_ram()?.as_slice::<u8>()?.to_vec();
            layers.push(Layer { tensor: ours.tensor().to_owned(), shape: result.shape().to_vec(), numbers });
        }
        TractResult::Ok(results)
    });
    kept.map_err(run_error)?;
    Ok(layers)
}

impl OperatorRow {
    fn new(node: &TypedNode, gop: f64, ms: f64) -> Self {
        let ours = node.op_as::<Int8Operator>();
        let fact = node.outputs.first().map(|output| &output.fact);
        let sizes = fact.map(|fact| fact.shape.iter().map(|size| size.to_i64().unwrap_or(0) as usize).collect());
        Self {
            node: ours.map_or(&*node.name, Int8Operator::node).to_owned(),
            operator: ours.map_or_else(|| node.op.name().into_owned(), |operator| operator.label().to_owned()),
            data_type: fact.map(|fact| format!("{:?}", fact.datum_type).to_lowercase()).unwrap_or_default(),
            shape: sizes.unwrap_or_default(),
            kernel: ours.map_or_else(|| "tract".to_owned(), Int8Operator::kernel_name),
            gop,
            ms,
            share: 0.0,
        }
    }
}

impl Operators {
    /// Whether a convolution that the file quantises runs in float.
    pub fn has_float_convolution(&self) -> bool {
        self.left_in_float.iter().any(|left| left.operator.contains("Conv"))
    }
}

impl std::fmt::Display for Operators {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wide = |text: fn(&OperatorRow) -> &str| self.operators.iter().map(|row| text(row).chars().count()).max();
        let node = wide(|row| &row.node).unwrap_or(0).max(4);
        let operator = wide(|row| &row.operator).unwrap_or(0).max(8);
        let kernel = wide(|row| &row.kernel).unwrap_or(0).max(6);
        let (titles, shape) = (("node", "operator", "type", "shape", "kernel"), 20);
        writeln!(
            formatter,
            "{:node$}  {:operator$}  {:4}  {:shape$}  {:kernel$} {:>8} {:>8} {:>7} {:>6}",
            titles.0, titles.1, titles.2, titles.3, titles.4, "GOP", "ms", "GOP/s", "share"
        )?;
        for row in &self.operators {
            let sizes = row.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
            let rate = if row.gop > 0.0 { format!("{:7.1}", row.gop / row.ms.max(1e-6) * 1e3) } else { " ".repeat(7) };
            writeln!(
                formatter,
                "{:node$}  {:operator$}  {:4}  {sizes:shape$}  {:kernel$} {:8.4} {:8.3} {rate} {:5.1}%",
                row.node,
                row.operator,
                row.data_type,
                row.kernel,
                row.gop,
                row.ms,
                100.0 * row.share
            )?;
        }
        let gop: f64 = self.operators.iter().map(|row| row.gop).sum();
        write!(formatter, "{} operators, {gop:.3} GOP in {:.2} ms", self.operators.len(), self.total_ms)?;
        for LeftRow { node, operator, reason } in &self.left_in_float {
            write!(formatter, "\nquantized in the file, in float here: {operator} {node}: {reason}")?;
        }
        for node in &self.kept_in_float {
            write!(formatter, "\nin float in the file, on purpose: Conv {node}")?;
        }
        Ok(())
    }
}
