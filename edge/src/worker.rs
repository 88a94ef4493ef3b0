//! One frame through the model: prepare, infer, postprocess.
//!
//! A worker makes its buffers once: input tensor, mask, the results of all int8 operators, and with the first picture of a
//! size what resizes it. The plan behind it is built once per program and shared. Operators that tract computes allocate
//! for every frame.

use std::sync::Arc;
use std::time::Instant;

use image::RgbImage;
use parallax_core::labels::{Classes, LabelMap};
use parallax_core::model_input::Preparer;
use parallax_core::model_output::mask_from_logits;
use parallax_kernels::argmax::argmax;
use tract_onnx::prelude::*;

use crate::engine::Logits;
use crate::stages::{StagesMs, ms_since};
use crate::{Engine, Result};

/// Runs frames one after the other; one worker per thread.
#[derive(Debug)]
pub struct Worker {
    engine: Engine,
    state: TypedSimpleState,
    preparer: Preparer,
    input: Arc<Tensor>,
    mask: LabelMap,
}

impl Worker {
    /// Makes all buffers.
    ///
    /// # Errors
    /// The engine cannot start.
    pub fn new(engine: &Engine) -> Result<Self> {
        let input = engine.input();
        let shape = [1, 3, input.height as usize, input.width as usize];
        let tensor = Tensor::zero::<f32>(&shape).map_err(|error| engine.run_error(&error))?;
        let pixels = input.width as usize * input.height as usize;
        Ok(Self {
            state: engine.run(|| engine.plan().spawn())?,
            preparer: Preparer::new(*input),
            input: Arc::new(tensor),
            mask: LabelMap { width: input.width, height: input.height, indices: vec![0; pixels] },
            engine: engine.clone(),
        })
    }

    /// What it runs.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The classes of its masks.
    pub fn classes(&self) -> &Classes {
        self.engine.classes()
    }

    /// The network's input for `picture`.
    ///
    /// # Errors
    /// The engine fails.
    pub(crate) fn prepared(&mut self, picture: &RgbImage) -> Result<TValue> {
        self.prepare(picture).map_err(|error| self.engine.run_error(&error))?;
        Ok(TValue::from_const(self.input.clone()))
    }

    /// What the model gives for `picture`, as it gives it.
    ///
    /// # Errors
    /// The engine fails.
    pub(crate) fn infer(&mut self, picture: &RgbImage) -> Result<TVec<TValue>> {
        let input = self.prepared(picture)?;
        self.engine.run(|| self.state.run(tvec!(input)))
    }

    /// The mask of `picture` at the network's size, with the times of the stages; it stays valid until the next call.
    ///
    /// # Errors
    /// The engine fails, or gives no numbers for this picture ([`EdgeError::is_non_finite`](crate::EdgeError::is_non_finite)).
    pub fn segment(&mut self, picture: &RgbImage) -> Result<(&LabelMap, StagesMs)> {
        let mut stages = StagesMs::default();
        let start = Instant::now();
        let input = self.prepared(picture)?;
        stages.prepare = ms_since(start);

        let start = Instant::now();
        let outputs = self.engine.run(|| self.state.run(tvec!(input)))?;
        stages.infer = ms_since(start);

        let start = Instant::now();
        let run_error = |error: TractError| self.engine.run_error(&error);
        let plain = outputs[0].try_as_plain_ram().map_err(run_error)?;
        match self.engine.logits() {
            Logits::Float => {
                let logits = plain.as_slice::<f32>().map_err(run_error)?;
                mask_from_logits(logits, self.engine.classes().len(), &mut self.mask)?;
            }
            Logits::Integers(shape, team) => {
                argmax(plain.as_slice::<u8>().map_err(run_error)?, *shape, &mut self.mask.indices, team);
            }
        }
        stages.postprocess = ms_since(start);
        Ok((&self.mask, stages))
    }

    /// The mask of `picture` at the picture's own size: nearest neighbour from the network's size.
    ///
    /// # Errors
    /// The engine fails.
    pub fn segment_at_own_size(&mut self, picture: &RgbImage) -> Result<(LabelMap, StagesMs)> {
        let (mask, mut stages) = self.segment(picture)?;
        let start = Instant::now();
        let mask = mask.resized(picture.width(), picture.height());
        stages.postprocess += ms_since(start);
        Ok((mask, stages))
    }

    fn prepare(&mut self, picture: &RgbImage) -> TractResult<()> {
        if Arc::get_mut(&mut self.input).is_none() {
            // The engine kept the last input: give it that one and take another.
            self.input = Arc::new(Tensor::zero::<f32>(self.input.shape())?);
        }
        if let Some(tensor) = Arc::get_mut(&mut self.input) {
            let mut plain = tensor.try_as_plain_ram_mut()?;
            self.preparer.prepare(picture, plain.as_slice_mut::<f32>()?);
        }
        Ok(())
    }
}
