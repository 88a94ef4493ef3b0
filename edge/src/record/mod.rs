//! Field collection for pre-training: the frames of a camera that teach depth, in files that survive whatever happens.
//!
//! ```text
//! shot ──► gate ──► value ──► store ──► OUT/000007.mcap
//!           └► refused, by reason
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`gate`] | which frames are kept, and which belong together |
//! | [`mod@value`] | what a kept frame is worth |
//! | [`note`] | what is noted of it, and the two clocks |
//! | [`store`] | files, budget, the disk's reserve |
//! | `contents` | what lies in the folder at the start: recovery, damaged files, other people's |
//! | [`session`] | the three together |
//! | [`recorder`] | the same in a thread, beside other work |
//!
//! What a recording holds and how it is read: `docs/recording.md`.

mod contents;
pub mod gate;
pub mod note;
pub mod recorder;
pub mod session;
pub mod store;
pub mod value;

pub use gate::Refusal;
pub use recorder::{Recorder, Tap};
pub use session::{Choice, Progress, RecordConfig, RecordSummary, Session, SourceFacts};

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parallax_camera::{Arrival, Shot, Source};

use crate::Result;

/// How long to wait for a frame before looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// When a recording ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// After so many frames were looked at.
    pub frames: Option<u64>,
    /// After so long.
    pub time: Option<Duration>,
}

/// What happened besides what is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A frame was looked at, or none came for a while.
    Progress(Progress),
    /// So many frames were passed over because recording or the disk took longer than a frame; often none.
    Missed(u64),
    /// A frame could not be read, or the source was lost.
    Lost(String),
    /// The source came back.
    Back(Duration),
}

/// Records `source` until it ends, a limit is met, there is no room for more, or `stop` is set.
///
/// # Errors
/// As [`Session::start`], or the files cannot be written for another reason than a lack of room.
pub fn record(
    source: &mut Source,
    mut session: Session,
    limits: Limits,
    stop: &AtomicBool,
    mut on_event: impl FnMut(Event),
) -> Result<RecordSummary> {
    let start = Instant::now();
    let mut shot = Shot::default();
    let mut taken = 0;
    let goes_on = |taken: u64| {
        !stop.load(Ordering::Relaxed)
            && limits.frames.is_none_or(|most| taken < most)
            && limits.time.is_none_or(|most| start.elapsed() < most)
    };
    while goes_on(taken) && session.stopped().is_none() {
        match source.next_into(&mut shot, PATIENCE) {
            Ok(Arrival::Fresh { away, dropped }) => {
                on_event(Event::Missed(dropped));
                if let Some(away) = away {
                    session.cut()?;
                    on_event(Event::Back(away));
                }
                taken += 1;
                session.take(&shot)?;
            }
            Ok(Arrival::Nothing) => session.idle()?,
            Ok(Arrival::End) => break,
            Err(error) => {
                session.cut()?;
                on_event(Event::Lost(error.to_string()));
            }
        }
        on_event(Event::Progress(session.progress()));
    }
    session.finish()
}
