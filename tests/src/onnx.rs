//! A float ONNX model run by tract, for checks and pictures.

use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;
use tract_onnx::prelude::*;

/// A model with one input and one output of static shape.
#[derive(Debug)]
pub struct OnnxModel {
    plan: Arc<TypedRunnableModel>,
    input_shape: Vec<usize>,
    output_shape: Vec<usize>,
}

impl OnnxModel {
    /// Loads and optimises a model.
    ///
    /// # Errors
    /// The file is no ONNX model that tract can run.
    pub fn load(path: &Path) -> Result<Self> {
        let model = tract_onnx::onnx().model_for_path(path)?.into_typed()?;
        let shape = |fact: &TypedFact| -> Result<Vec<usize>> {
            Ok(fact.shape.as_concrete().context("the model's shapes are static")?.to_vec())
        };
        let (input_shape, output_shape) = (shape(model.input_fact(0)?)?, shape(model.output_fact(0)?)?);
        Ok(Self { plan: model.into_optimized()?.into_runnable()?, input_shape, output_shape })
    }

    /// The shape of the input.
    pub fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    /// The shape of the output that [`OnnxModel::run`] returns the values of.
    pub fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }

    /// Runs the model on one input and returns its output's values.
    ///
    /// # Errors
    /// The input has another length, or tract fails.
    pub fn run(&self, input: &[f32]) -> Result<Vec<f32>> {
        let tensor = Tensor::from_shape(&self.input_shape, input)?;
        let outputs = self.plan.run(tvec!(tensor.into()))?;
        Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }
}
