//! A camera's picture to the mask of its size: framing, one of the models, smoothing.

use image::RgbImage;
use parallax_core::labels::{Classes, LabelMap};

use crate::framing::{Frames, Framing};
use crate::smoothing::Smoother;
use crate::stages::{StagesMs, ms_since};
use crate::{Engine, Result, Worker};
use std::time::Instant;

/// One thread's models and buffers; they are made once.
#[derive(Debug)]
pub(crate) struct Segmenter {
    workers: Vec<Worker>,
    framing: Framing,
    smoother: Option<Smoother>,
}

impl Segmenter {
    /// For `engines` of one bundle; `smoothing` is the number of masks to take the majority of.
    ///
    /// # Errors
    /// An engine cannot start.
    pub(crate) fn new<'a>(
        engines: impl IntoIterator<Item = &'a Engine>,
        frames: Frames,
        smoothing: Option<u8>,
    ) -> Result<Self> {
        let workers = engines.into_iter().map(Worker::new).collect::<Result<Vec<_>>>()?;
        let smoother = smoothing.zip(workers.first()).map(|(frames, worker)| {
            let engine = worker.engine();
            Smoother::new(frames, engine.classes().len(), engine.input().into())
        });
        Ok(Self { workers, framing: Framing::new(frames), smoother })
    }

    /// The classes of its masks.
    pub(crate) fn classes(&self) -> &Classes {
        self.workers[0].classes()
    }

    /// Forgets what was seen before.
    pub(crate) fn forget(&mut self) {
        if let Some(smoother) = &mut self.smoother {
            smoother.forget();
        }
    }

    /// The mask of `picture` by the model at `model`, at the picture's own size; `picture` is undistorted in place.
    ///
    /// # Errors
    /// The engine fails, or gives no numbers for this picture ([`EdgeError::is_non_finite`](crate::EdgeError::is_non_finite)),
    /// or the picture has another size than those before.
    pub(crate) fn segment(&mut self, model: usize, picture: &mut RgbImage, mask: &mut LabelMap) -> Result<StagesMs> {
        let size = picture.dimensions();
        let start = Instant::now();
        let seen = self.framing.frame(picture)?;
        let framed_ms = ms_since(start);
        let (mut found, mut stages) = self.workers[model].segment(seen)?;
        stages.prepare += framed_ms;
        let start = Instant::now();
        if let Some(smoother) = &mut self.smoother {
            found = smoother.smooth(found);
        }
        self.framing.place(found, size, mask);
        stages.postprocess += ms_since(start);
        Ok(stages)
    }
}
