//! What is strange about the times of a recording, in words and numbers.

use std::fmt;

/// A strangeness of the times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimeFault {
    /// When messages were logged and when they say they were taken is more than a period apart.
    Apart,
    /// Several messages say that they were taken at one time.
    Repeated,
    /// So many stamps say nothing that the log times are taken.
    Useless,
    /// Messages were logged after later ones; they are put in order.
    Late,
    /// The clock of the stamps was set back; what came after follows what came before.
    SetBack,
    /// More than a day lies between two pictures.
    Jump,
    /// Messages say nothing of when they were taken.
    Missing,
    /// Messages that say nothing cannot be placed among pictures that do: they are left out.
    Unplaced,
    /// No message of a topic was taken near a picture.
    Elsewhere,
}

impl TimeFault {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apart => "log_and_stamp_apart",
            Self::Repeated => "stamps_repeated",
            Self::Useless => "stamps_useless",
            Self::Late => "logged_late",
            Self::SetBack => "clock_set_back",
            Self::Jump => "time_jumps",
            Self::Missing => "stamps_missing",
            Self::Unplaced => "messages_unplaced",
            Self::Elsewhere => "messages_elsewhere",
        }
    }
}

/// Something strange about the times of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFinding {
    /// What it is.
    pub fault: TimeFault,
    /// The topic where it is so.
    pub topic: String,
    /// How many messages, or how often.
    pub count: usize,
    /// Messages of the topic.
    pub of: usize,
    /// By how much, nanoseconds.
    pub nanos: u64,
}

impl fmt::Display for TimeFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, count, of, .. } = self;
        let time = in_words(self.nanos);
        match self.fault {
            TimeFault::Apart => write!(
                f,
                "log time and the stamp inside differ by up to {time} in {count} of {of} messages on {topic}: the stamps are \
                 taken"
            ),
            TimeFault::Repeated => write!(f, "{count} of {of} messages on {topic} repeat the time of another one"),
            TimeFault::Useless => {
                write!(
                    f,
                    "{count} of {of} stamps on {topic} are the one before or less than 0.1 ms later: the log times are taken instead"
                )
            }
            TimeFault::Late => {
                write!(
                    f,
                    "{count} of {of} stamps on {topic} run back, by up to {time}: the messages are put in their order"
                )
            }
            TimeFault::SetBack => write!(
                f,
                "the stamps on {topic} run back {count} times, by up to {time}, and go on from there: the clock was set back, \
                 or a recording was played again; each part follows the one before"
            ),
            TimeFault::Jump => write!(f, "the times on {topic} jump {count} times, by up to {time}"),
            TimeFault::Missing => {
                write!(f, "{count} of {of} messages on {topic} have no stamp: their log times are taken")
            }
            TimeFault::Unplaced => write!(
                f,
                "{count} of {of} messages on {topic} have no stamp that can be read, and log times do not tell when they were \
                 taken: they are left out"
            ),
            TimeFault::Elsewhere => {
                write!(f, "none of {of} messages on {topic} was taken near a picture: the nearest is {time} away")
            }
        }
    }
}

/// A duration as people say it.
pub(super) fn in_words(nanos: u64) -> String {
    const SECOND: f64 = 1e9;
    const DAY: f64 = 86_400.0 * SECOND;
    const YEAR: f64 = 365.25 * DAY;
    let nanos = nanos as f64;
    let units = [(YEAR, "years"), (DAY, "days"), (3600.0 * SECOND, "hours"), (60.0 * SECOND, "minutes"), (SECOND, "s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| nanos >= 2.0 * unit).unwrap_or((1e6, "ms"));
    format!("{:.1} {name}", nanos / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_their_unit() {
        let said = [1_500_000, 90_000_000_000, 7_200_000_000_000, 1_000_000_000_000_000, 1_700_000_000_000_000_000];
        assert_eq!(said.map(in_words), ["1.5 ms", "90.0 s", "2.0 hours", "11.6 days", "53.9 years"]);
    }
}
