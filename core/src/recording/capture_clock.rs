//! When each message was taken: by the stamp inside where there is one, by its log time where not.
//!
//! A log time says when a message was received or written. It is late by what the way took, differently for each topic, and
//! tells nothing at all where a program wrote a file in one go. So all topics are put on the clock of the stamps.
//!
//! | what is found | what is done |
//! |---|---|
//! | pictures without stamps | log times for every topic |
//! | most pictures with one and the same stamp | log times for every topic |
//! | single stamps that run back | the messages are put in order |
//! | stamps that run back and go on over times that were there already | from there on all are moved behind what came before; a new stretch begins |
//! | messages without stamps beside pictures with them | their log time where the clocks agree, moved by what lies between the clocks where that is constant; left out otherwise |
//! | more than a day between two pictures | a new stretch begins |
//!
//! Everything but the plain case is told as a [`TimeFinding`].

use super::mcap_file::{MessagePlace, Topic, UNREADABLE, UNSET};
use super::time_finding::{TimeFault, TimeFinding};
use std::collections::BTreeSet;
use std::ops::Bound::Excluded;

/// Frame period assumed where there are fewer than two frames, for matching other streams: 10 Hz, KITTI's rate.
const ASSUMED_PERIOD_NANOS: u64 = 100_000_000;
/// Two pictures farther apart are not of one drive.
const DAY_NANOS: u64 = 86_400_000_000_000;
/// A pause of more periods says nothing of how long the clock was set.
const LONGEST_GAP_PERIODS: u64 = 20;

/// What was decided of a recording's times.
#[derive(Debug, Default)]
pub(super) struct CaptureClock {
    pub(super) findings: Vec<TimeFinding>,
    /// Times of pictures that begin a new stretch.
    pub(super) breaks: Vec<u64>,
    /// Half a period: a stream recorded by another clock tick still finds its picture, but never the next one.
    pub(super) tolerance_nanos: u64,
}

/// Where a message stands in the file.
type Position = (u64, u64);

/// No camera takes ten thousand pictures a second: stamps that are nearer are of another unit.
const LEAST_STEP_NANOS: u64 = 100_000;

/// Gives every message its time of capture and sorts by it. The first topic has the left pictures, the `measured` first ones
/// something that belongs to them; the others may have stamps of their own kinds.
pub(super) fn decide(
    topics: &mut [Topic],
    measured: usize,
    position: impl Fn(MessagePlace) -> Position,
) -> CaptureClock {
    let mut clock = CaptureClock::default();
    let Some(left) = topics.first() else { return clock };
    let breaks = set_backs(left, &position);
    let stamped = stamped_places(left).count();
    let times = shifted(left, &breaks, &position);
    let (too_near, logged_too_near) = (
        steps_under(LEAST_STEP_NANOS, times.clone()),
        steps_under(LEAST_STEP_NANOS, stamped_places(left).map(|place| place.time).collect()),
    );
    let repeated = repeats(times.clone());
    let period = median_period(&sorted(times.clone()));
    if stamped == 0 {
        note_missing(&mut clock, topics, measured);
    } else if 2 * repeated > stamped || 2 * too_near > stamped && 2 * logged_too_near <= stamped {
        clock.tell(left, TimeFault::Useless, too_near, 0);
    } else {
        clock.note_set_backs(left, &breaks);
        let between = Between::of(stamped_places(left).map(|place| place.time).zip(times), period);
        for topic in &topics[..measured.min(topics.len())] {
            clock.compare(topic, period, breaks.is_empty());
        }
        for (at, topic) in topics.iter_mut().enumerate() {
            clock.place(topic, &breaks, between, &position, at < measured);
        }
        clock.breaks.extend(breaks.iter().map(|found| found.time));
    }
    for topic in topics.iter_mut() {
        topic.messages.sort_by_key(|place| (place.time, position(*place)));
    }
    let times: Vec<u64> = topics[0].messages.iter().map(|place| place.time).collect();
    clock.tolerance_nanos = median_period(&times) / 2;
    clock.note_jumps(&topics[0].name, &times);
    topics.iter_mut().take(measured).for_each(advance);
    clock
}

/// Moves what has the time of the message before by the least there is: of two with one time each finds its own partner, and what
/// is written from them advances.
fn advance(topic: &mut Topic) {
    let mut next = 0;
    for place in &mut topic.messages {
        place.time = place.time.max(next);
        next = place.time.saturating_add(1);
    }
}

/// The middle one of the steps that advance.
pub(super) fn median_period(times: &[u64]) -> u64 {
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    // Pictures with one stamp are no period.
    let mut steps: Vec<u64> = steps.filter(|&step| step > 0).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(ASSUMED_PERIOD_NANOS)
}

fn stamped_places(topic: &Topic) -> impl Iterator<Item = &MessagePlace> {
    topic.messages.iter().filter(|place| place.stamp != UNSET && place.stamp != UNREADABLE)
}

fn sorted(mut times: Vec<u64>) -> Vec<u64> {
    times.sort_unstable();
    times
}

fn repeats(times: Vec<u64>) -> usize {
    steps_under(1, times)
}

/// How many times follow the one before by less than `nanos`.
fn steps_under(nanos: u64, times: Vec<u64>) -> usize {
    sorted(times).windows(2).filter(|pair| pair[1] - pair[0] < nanos).count()
}

fn note_missing(clock: &mut CaptureClock, topics: &[Topic], measured: usize) {
    // A file in which nothing has a stamp is an ordinary one.
    if topics.iter().take(measured).any(|topic| stamped_places(topic).next().is_some()) {
        clock.tell(&topics[0], TimeFault::Missing, topics[0].messages.len(), 0);
    }
    clock.tell(
        &topics[0],
        TimeFault::Repeated,
        repeats(topics[0].messages.iter().map(|place| place.time).collect()),
        0,
    );
}

/// Where a clock was set back.
#[derive(Clone, Copy, Debug)]
struct SetBack {
    /// From this message on.
    position: Position,
    /// By how much, nanoseconds.
    by: u64,
    /// What is added to the stamps from here on.
    shift: u64,
    /// The time of the first picture from here on.
    time: u64,
}

/// Where stamps run back and go on over times that were there already. In the order of the file, which is that of a writer,
/// within each channel: what several channels give was put together.
fn set_backs(topic: &Topic, position: &impl Fn(MessagePlace) -> Position) -> Vec<SetBack> {
    let mut found = Vec::new();
    for channel in &topic.channels {
        let places: Vec<MessagePlace> =
            stamped_places(topic).filter(|place| usize::from(place.channel) == *channel).copied().collect();
        if !places.is_sorted_by_key(|place| place.stamp) {
            set_backs_of_channel(&places, position, &mut found);
        }
    }
    found.sort_by_key(|set_back: &SetBack| set_back.position);
    found
}

fn set_backs_of_channel(
    places: &[MessagePlace],
    position: &impl Fn(MessagePlace) -> Position,
    found: &mut Vec<SetBack>,
) {
    let period = median_period(&sorted(places.iter().map(|place| place.stamp).collect()));
    let mut earlier: BTreeSet<u64> = BTreeSet::new();
    let (mut highest, mut shift, mut at) = (0, 0_u64, 0);
    while let Some(&first) = places.get(at) {
        // As long as it rises and is not beyond what was there.
        let below = |pair: &[MessagePlace]| pair[0].stamp <= pair[1].stamp && pair[1].stamp <= highest;
        let run = 1 + places[at..].windows(2).take_while(|pair| below(pair)).count();
        let last = places[at + run - 1];
        let over = |from: u64, to: u64| from < to && earlier.range((Excluded(from), Excluded(to))).next().is_some();
        if first.stamp < highest && over(first.stamp, last.stamp) {
            let before = places[at - 1];
            let logged = first.time.saturating_sub(before.time);
            let gap = if (1..=LONGEST_GAP_PERIODS * period).contains(&logged) { logged } else { period };
            let by = highest - first.stamp;
            let time = highest.saturating_add(shift).saturating_add(gap);
            shift = time.saturating_sub(first.stamp);
            found.push(SetBack { position: position(first), by, shift, time });
            earlier.clear();
            highest = 0;
        }
        earlier.extend(places[at..at + run].iter().map(|place| place.stamp));
        highest = highest.max(last.stamp);
        at += run;
    }
}

/// The stamps of a topic, moved behind one another where the clock was set back.
fn shifted(topic: &Topic, breaks: &[SetBack], position: &impl Fn(MessagePlace) -> Position) -> Vec<u64> {
    stamped_places(topic).map(|place| place.stamp.saturating_add(shift_at(breaks, || position(*place)))).collect()
}

fn shift_at(breaks: &[SetBack], position: impl FnOnce() -> Position) -> u64 {
    if breaks.is_empty() {
        return 0;
    }
    let position = position();
    let passed = breaks.partition_point(|set_back| set_back.position <= position);
    passed.checked_sub(1).map_or(0, |last| breaks[last].shift)
}

/// What lies between log times and stamps.
#[derive(Clone, Copy, Debug)]
enum Between {
    /// Less than a period.
    Nothing,
    /// The log times are so much later, nanoseconds.
    Constant(i128),
    /// It changes by more than a period.
    Anything,
}

impl Between {
    /// Of the log times and stamps of the pictures.
    fn of(times: impl Iterator<Item = (u64, u64)>, period: u64) -> Self {
        let mut late: Vec<i128> = times.map(|(logged, taken)| i128::from(logged) - i128::from(taken)).collect();
        late.sort_unstable();
        // One in twenty at either end may be anything.
        let (least, most) = (late[late.len() / 20], late[late.len() - 1 - late.len() / 20]);
        let (middle, period) = (late[late.len() / 2], i128::from(period));
        if most - least > period {
            Self::Anything
        } else if middle.abs() <= period {
            Self::Nothing
        } else {
            Self::Constant(middle)
        }
    }
}

impl CaptureClock {
    /// Notes what was found, if it was found at all.
    fn tell(&mut self, topic: &Topic, fault: TimeFault, count: usize, nanos: u64) {
        if count > 0 {
            let (topic, of) = (topic.name.clone(), topic.messages.len());
            self.findings.push(TimeFinding { fault, topic, count, of, nanos });
        }
    }

    fn note_set_backs(&mut self, left: &Topic, breaks: &[SetBack]) {
        let most = breaks.iter().map(|set_back| set_back.by).max().unwrap_or_default();
        self.tell(left, TimeFault::SetBack, breaks.len(), most);
    }

    /// Tells where log times and stamps of a topic are apart, and (where no clock was set back) where stamps repeat or run back.
    fn compare(&mut self, topic: &Topic, period: u64, one_clock: bool) {
        let apart = stamped_places(topic).map(|place| place.time.abs_diff(place.stamp));
        let apart = apart.filter(|apart| *apart > period);
        let (count, most) = apart.fold((0, 0), |(count, most), apart| (count + 1, most.max(apart)));
        self.tell(topic, TimeFault::Apart, count, most);
        if !one_clock {
            return;
        }
        let repeated = repeats(stamped_places(topic).map(|place| place.stamp).collect());
        self.tell(topic, TimeFault::Repeated, repeated, 0);
        let mut logged: Vec<&MessagePlace> = stamped_places(topic).collect();
        logged.sort_by_key(|place| place.time);
        let (mut highest, mut late, mut most) = (0, 0, 0);
        for place in logged {
            late += usize::from(place.stamp < highest);
            most = most.max(highest.saturating_sub(place.stamp));
            highest = highest.max(place.stamp);
        }
        self.tell(topic, TimeFault::Late, late, most);
    }

    /// Gives the messages of a topic their times. `is_measured`: they have Foxglove's stamps or lack them.
    fn place(
        &mut self,
        topic: &mut Topic,
        breaks: &[SetBack],
        between: Between,
        position: &impl Fn(MessagePlace) -> Position,
        is_measured: bool,
    ) {
        let (mut missing, mut unplaced, of) = (0, 0, topic.messages.len());
        topic.messages.retain_mut(|place| {
            if place.stamp != UNSET && place.stamp != UNREADABLE {
                place.time = place.stamp.saturating_add(shift_at(breaks, || position(*place)));
                return true;
            }
            // A simulated clock begins at 0, which is how a stamp that was not set looks: where the log says the same, it is one.
            if place.stamp == UNSET && place.time == 0 {
                return true;
            }
            missing += usize::from(place.stamp == UNSET);
            match between {
                Between::Nothing => {}
                Between::Constant(late) => {
                    let time = i128::from(place.time) - late;
                    place.time = u64::try_from(time.max(0)).unwrap_or(u64::MAX);
                }
                Between::Anything => {
                    unplaced += 1;
                    return false;
                }
            }
            true
        });
        let (fault, count) = if unplaced > 0 { (TimeFault::Unplaced, unplaced) } else { (TimeFault::Missing, missing) };
        if count > 0 && (is_measured || unplaced > 0) {
            self.findings.push(TimeFinding { fault, topic: topic.name.clone(), count, of, nanos: 0 });
        }
    }

    fn note_jumps(&mut self, topic: &str, times: &[u64]) {
        let jumps = || times.windows(2).filter(|pair| pair[1] - pair[0] > DAY_NANOS);
        if let Some(most) = jumps().map(|pair| pair[1] - pair[0]).max() {
            let (topic, count, of) = (topic.to_owned(), jumps().count(), times.len());
            self.findings.push(TimeFinding { fault: TimeFault::Jump, topic, count, of, nanos: most });
            self.breaks.extend(jumps().map(|pair| pair[1]));
        }
        self.breaks.sort_unstable();
    }
}

#[cfg(test)]
#[path = "capture_clock_tests.rs"]
mod tests;
