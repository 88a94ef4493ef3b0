//! A model in tract, with any of its tensors as outputs.

use std::collections::HashMap;
use std::sync::Arc;

use parallax_onnx::{ModelProto, ValueInfoProto, model_file};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid as _;
use tract_onnx::tract_hir::internal::DimLike as _;

use super::plain::with_plain_dequantization;
use super::{QuantizeError, Result};

/// A model ready to run: one picture in, the chosen tensors out.
#[derive(Debug)]
pub struct Runner {
    plan: Arc<TypedRunnableModel>,
    input_shape: Vec<usize>,
}

impl Runner {
    /// A runner that gives the model's own outputs.
    ///
    /// # Errors
    /// An operator or a shape that tract does not know.
    pub fn new(model: &ModelProto) -> Result<Self> {
        Self::load(model.clone())
    }

    /// A runner that gives the tensors `names`, in that order. The input itself cannot be among them: tract forgets its
    /// shape then.
    ///
    /// # Errors
    /// As [`Runner::new`].
    pub fn with_outputs(model: &ModelProto, names: &[String]) -> Result<Self> {
        let mut model = model.clone();
        if let Some(graph) = model.graph.as_mut() {
            graph.output =
                names.iter().map(|name| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() }).collect();
        }
        Self::load(model)
    }

    fn load(mut model: ModelProto) -> Result<Self> {
        // tract checks shapes of inner tensors against these; exporters get them wrong after graph passes.
        if let Some(graph) = model.graph.as_mut() {
            graph.value_info.clear();
        }
        model_file::check_model(&model).map_err(QuantizeError::Unsupported)?;
        with_plain_dequantization(&mut model)?;
        let (plan, fact) = tract("load", || {
            let mut read = in_tract(&model)?;
            read.analyse(false)?;
            check_shapes(&read)?;
            let shapes = fixed_shapes(&read)?;
            model_file::check_work(&model, |name| shapes.get(name).cloned()).map_err(TractError::msg)?;
            let read = read.into_optimized()?;
            let fact = read.input_fact(0)?.clone();
            Ok((read.into_runnable()?, fact))
        })?;
        let shape = fact.shape.as_concrete().map(<[usize]>::to_vec);
        let input_shape = shape.ok_or_else(|| {
            QuantizeError::Unsupported(format!("expected a static input shape, got {:?}", fact.shape))
        })?;
        Ok(Self { plan, input_shape })
    }

    /// The input's shape, `[1, 3, height, width]` for our networks.
    pub fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    /// Runs the model on one prepared picture.
    ///
    /// # Shapes
    /// - `input`: as [`Runner::input_shape`], row-major
    /// - result: one tensor per output
    ///
    /// # Errors
    /// A wrong number of values, or an operator that fails.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Output>> {
        let expected = self.input_shape.iter().product();
        if input.len() != expected {
            return Err(QuantizeError::WrongInput { expected, found: input.len() });
        }
        self.run_on(&[(&self.input_shape, input)])
    }

    /// Runs a model with several inputs, each a shape and its values in row-major order.
    ///
    /// # Errors
    /// A wrong number of inputs or values, or an operator that fails.
    pub fn run_on(&self, inputs: &[(&[usize], &[f32])]) -> Result<Vec<Output>> {
        let tensor = |(shape, values): &(&[usize], &[f32])| Tensor::from_shape(shape, values).map(Tensor::into_tvalue);
        let outputs = tract("run", || {
            let inputs = inputs.iter().map(tensor).collect::<TractResult<TVec<TValue>>>()?;
            self.plan.run(inputs)
        })?;
        Ok(outputs.into_iter().map(Output).collect())
    }
}

/// What tract finds out about a model's tensors.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The shapes that are fixed, by name.
    pub(crate) shapes: HashMap<String, Vec<usize>>,
    /// The type of the first output.
    pub(crate) output_type: Option<DatumType>,
}

/// The shapes of all tensors, and the type of what the model gives. The file is read through first.
///
/// # Errors
/// A model that asks for nonsense, or that tract cannot load.
pub(crate) fn facts(model: &ModelProto) -> Result<Facts> {
    model_file::check_model(model).map_err(QuantizeError::Unsupported)?;
    let mut model = model.clone();
    if let Some(graph) = model.graph.as_mut() {
        graph.value_info.clear();
    }
    tract("load", || {
        let mut model = in_tract(&model)?;
        model.analyse(false)?;
        check_shapes(&model)?;
        // Results carry the names of their tensors, inputs are operators of that name.
        let inputs = model.input_outlets()?.iter().map(|outlet| (outlet, &model.node(outlet.node).name));
        let mut shapes = HashMap::new();
        for (outlet, name) in model.outlet_labels.iter().chain(inputs) {
            let sizes = model.outlet_fact(*outlet)?.shape.concretize();
            let sizes = sizes.and_then(|sizes| sizes.iter().map(|size| size.to_usize().ok()).collect());
            shapes.extend(sizes.map(|sizes: Vec<usize>| (name.clone(), sizes)));
        }
        let output = model.output_outlets()?.first().copied();
        let output_type =
            output.map(|outlet| model.outlet_fact(outlet)).transpose()?.and_then(tract_onnx::prelude::Fact::datum_type);
        Ok(Facts { shapes, output_type })
    })
}

/// Lets tract do something; a panic is an error of the model.
fn tract<T>(doing: &'static str, what: impl FnOnce() -> TractResult<T>) -> Result<T> {
    let result = model_file::caught(what);
    let result = result.unwrap_or_else(|panic| Err(TractError::msg(format!("tract panicked: {panic}"))));
    result.map_err(|error| QuantizeError::tract(doing, &error))
}

/// # Errors
/// A tensor that the model will compute and that does not fit into memory.
fn check_shapes(model: &InferenceModel) -> TractResult<()> {
    for node in model.nodes() {
        for output in &node.outputs {
            let Some(shape) = output.fact.shape.concretize() else { continue };
            let sizes: Vec<i64> = shape.iter().map(|size| size.to_i64().unwrap_or(1)).collect();
            let fault = |fault| TractError::msg(format!("{} gives a tensor that {fault}", node.name));
            model_file::count(&sizes).map_err(fault)?;
        }
    }
    Ok(())
}

/// A model as tract reads it.
fn in_tract(model: &ModelProto) -> TractResult<InferenceModel> {
    let onnx = tract_onnx::onnx();
    onnx.model_for_proto_model(&onnx.proto_model_for_read(&mut model.to_bytes().as_slice())?)
}

/// The shapes of tensors by name, where they are fixed.
fn fixed_shapes(model: &InferenceModel) -> TractResult<HashMap<String, Vec<usize>>> {
    let mut shapes = HashMap::new();
    // Results carry the names of their tensors, inputs are operators of that name.
    let inputs = model.input_outlets()?.iter().map(|outlet| (outlet, &model.node(outlet.node).name));
    for (outlet, label) in model.outlet_labels.iter().chain(inputs) {
        let shape = model.outlet_fact(*outlet)?.shape.concretize();
        let sizes = shape.and_then(|sizes| sizes.iter().map(|size| size.to_usize().ok()).collect());
        if let Some(sizes) = sizes {
            shapes.insert(label.clone(), sizes);
        }
    }
    Ok(shapes)
}

/// One tensor that a model computed.
#[derive(Debug)]
pub struct Output(TValue);

impl Output {
    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    /// Its shape and a copy of its values.
    pub(super) fn to_owned_values(&self) -> Result<(Vec<usize>, Vec<f32>)> {
        Ok((self.shape().to_vec(), self.values()?.to_vec()))
    }

    /// Its values in row-major order.
    ///
    /// # Errors
    /// A tensor that is not f32.
    pub fn values(&self) -> Result<&[f32]> {
        let wrong = |error: TractError| QuantizeError::tract("run", &error);
        self.0.try_as_plain_ram().map_err(wrong)?.as_slice::<f32>().map_err(wrong)
    }
}
