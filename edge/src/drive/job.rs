//! One frame after the other: taken, segmented, handed over, written.

use std::sync::Mutex;
use std::time::Instant;

use parallax_camera::Arrival;
use parallax_core::labels::LabelMap;

use super::lines::Sender;
use super::names::Names;
use super::out::OutFolder;
use super::queue::{Buffers, Queue, Taken, take};
use super::{FrameLine, Models, Outputs};
use crate::Result;
use crate::segmenter::Segmenter;
use crate::stages::{StagesMs, ms, ms_since};

/// What all threads share.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) queue: Mutex<Queue>,
    pub(super) names: Names,
    pub(super) out: Option<&'a OutFolder>,
    pub(super) models: &'a Models,
    pub(super) outputs: &'a Outputs,
}

impl Job<'_> {
    /// Works on frames until there are no more, or it is told to stop.
    pub(super) fn work(
        &self,
        thread: usize,
        segmenter: &mut Segmenter,
        sender: &Sender<Result<FrameLine>>,
        stopped: impl Fn() -> bool,
    ) {
        let (mut buffers, mut mask) = (Buffers::default(), LabelMap::default());
        let turn = || {
            self.outputs.service.waits(thread);
            !stopped()
        };
        while let Some(taken) = take(&self.queue, &mut buffers, |role| self.models.place_of(role), turn) {
            self.outputs.service.works(thread);
            let number = taken.frame;
            let line = self.frame(segmenter, taken, &mut buffers, &mut mask);
            if !sender.send(number, line) {
                return;
            }
            self.outputs.service.waits(thread);
        }
    }

    /// One frame. Only what stops the whole run is an error.
    fn frame(
        &self,
        segmenter: &mut Segmenter,
        taken: Taken,
        buffers: &mut Buffers,
        mask: &mut LabelMap,
    ) -> Result<FrameLine> {
        let Taken { frame, arrival, start, decode_ms, live, conditions } = taken;
        let (counters, temperature_c) = (conditions.counters, conditions.temperature_c);
        let picture = self.names.picture(frame).map(str::to_owned);
        let mut line = FrameLine { frame, picture, temperature_c, counters, ..FrameLine::default() };
        let (dropped, away) = match arrival {
            Ok(Arrival::Fresh { dropped, away }) => (dropped, away),
            Ok(Arrival::Nothing | Arrival::End) => return Ok(line),
            Err(error) => {
                segmenter.forget();
                line.error = Some(error);
                self.outputs.publisher.lose(&line);
                return Ok(line);
            }
        };
        if away.is_some() {
            segmenter.forget();
        }
        let Buffers { shot, picture } = buffers;
        let timestamp = shot.left.timestamp;
        let stages = match segmenter.segment(conditions.model, picture, mask) {
            Ok(stages) => stages,
            // The next frame may be well, and nobody is shown a mask of this one.
            Err(error) if error.is_non_finite() => {
                segmenter.forget();
                line.timestamp_ns = Some(timestamp.nanos());
                (line.dropped, line.away_ms) = (dropped, away.map(ms));
                (line.error, line.not_finite) = (Some(error.to_string()), true);
                self.outputs.publisher.lose(&line);
                return Ok(line);
            }
            Err(error) => return Err(error),
        };
        let age_ms = if live { ms(parallax_camera::now().since(timestamp)) } else { ms_since(start) };
        line.timestamp_ns = Some(timestamp.nanos());
        line.age_ms = Some(age_ms);
        line.stages_ms = Some(StagesMs { decode: decode_ms, ..stages });
        (line.dropped, line.away_ms) = (dropped, away.map(ms));
        line.model = (conditions.model > 0).then(|| self.models.0[conditions.model].0.clone());

        let start = Instant::now();
        let out = self.out.filter(|out| out.over().is_none()).map(|out| (out, self.names.mask(frame)));
        line.mask = out.as_ref().map(|(_, name)| format!("masks/{name}.png"));
        self.outputs.publisher.publish(&line, picture, mask);
        if let Some((out, name)) = out {
            line.mask = out.write(&name, mask, segmenter.classes(), picture);
        }
        if let Some(stages) = &mut line.stages_ms {
            stages.write = ms_since(start);
        }
        Ok(line)
    }
}
