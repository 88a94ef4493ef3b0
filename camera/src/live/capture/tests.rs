//! Every transition, on a scripted device and a clock that moves by hand.

use super::super::mailbox::Letter;
use super::*;
use crate::{Description, Error, Result, Stamp};
use std::collections::VecDeque;
use std::sync::Mutex;

const MS: Duration = Duration::from_millis(1);

/// Time since a start that is not zero, in nanoseconds.
#[derive(Clone)]
struct ByHand(Arc<Mutex<Timestamp>>);

impl ByHand {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Timestamp::from_nanos(1_000_000_000_000))))
    }

    fn pass(&self, duration: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.after(duration);
    }
}

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) {
        self.pass(duration);
    }
}

/// What the device does at one look, or the opener at one opening.
#[derive(Clone, Debug)]
enum Act {
    /// A picture with this number, this age in ms and this width, 33 ms after the look before.
    Picture(u64, u64, u32),
    /// A picture that claims to be of the future.
    Future(u64),
    Nothing,
    Corrupt,
    Gone,
    End,
    Open,
    /// It is not there.
    Absent,
    /// It is there, and the bus has no room for it.
    NoBandwidth,
}

struct Script {
    acts: Arc<Mutex<VecDeque<Act>>>,
    clock: ByHand,
}

impl Script {
    fn next(&self) -> Act {
        self.acts.lock().unwrap().pop_front().unwrap_or(Act::Nothing)
    }
}

impl Device for Script {
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault> {
        let picture = |shot: &mut Shot, number, width, timestamp| {
            (shot.left.sequence, shot.left.width, shot.left.height) = (number, width, 2);
            shot.left.timestamp = timestamp;
            Ok(Look::Fresh)
        };
        match self.next() {
            Act::Picture(number, age, width) => {
                self.clock.pass(33 * MS);
                let taken = self.clock.now().nanos() - age * 1_000_000;
                picture(shot, number, width, Timestamp::from_nanos(taken))
            }
            Act::Future(number) => {
                self.clock.pass(33 * MS);
                picture(shot, number, 4, self.clock.now().after(Duration::from_secs(1000)))
            }
            Act::Nothing => {
                self.clock.pass(patience);
                Ok(Look::Nothing)
            }
            Act::Corrupt => {
                self.clock.pass(33 * MS);
                Ok(Look::Corrupt)
            }
            Act::Gone => Err(Fault::Gone),
            Act::End => Ok(Look::End),
            act @ (Act::Open | Act::Absent | Act::NoBandwidth) => panic!("{act:?} belongs to the opener"),
        }
    }
}

impl Opener for Script {
    fn open(&mut self, _goes_on: &dyn Fn() -> bool) -> Result<Opened> {
        self.clock.pass(10 * MS);
        let number = match self.next() {
            Act::Open => return Ok(opened(self)),
            Act::NoBandwidth => libc::ENOSPC,
            _ => libc::ENOENT,
        };
        let source = std::io::Error::from_raw_os_error(number);
        Err(Error::Reach { action: "start the stream of", source, name: "script".into() })
    }
}

fn opened(script: &Script) -> Opened {
    let device = Script { acts: Arc::clone(&script.acts), clock: script.clock.clone() };
    let description = Description {
        uri: "script".into(),
        name: "script".into(),
        driver: None,
        layout: None,
        fps: None,
        stamps: Stamp::Exposure,
        controls: Vec::new(),
    };
    Opened { device: Box::new(device), description }
}

/// A capture loop on a script, with the consumer's end of it.
struct Stage {
    capture: Capture<ByHand>,
    clock: ByHand,
    mailbox: Arc<Mailbox>,
    acts: Arc<Mutex<VecDeque<Act>>>,
}

const LIMITS: Limits =
    Limits { stall: Duration::from_secs(1), start: Duration::from_secs(5), max_age: Duration::from_millis(500) };

impl Stage {
    fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let (clock, mailbox) = (ByHand::new(), Arc::new(Mailbox::default()));
        let acts = Arc::new(Mutex::new(acts.into_iter().collect()));
        let script = Script { acts: Arc::clone(&acts), clock: clock.clone() };
        let opened = opened(&script);
        let capture = Capture::new(Box::new(script), opened, clock.clone(), LIMITS, Arc::clone(&mailbox));
        Self { capture, clock, mailbox, acts }
    }

    fn look(&self) -> (Letter, Shot) {
        let mut shot = Shot::default();
        let letter = self.mailbox.take(&mut shot, Duration::ZERO, Timestamp::default);
        (letter, shot)
    }

    /// The number of the next picture, which must come at this step.
    fn picture(&mut self) -> u64 {
        self.capture.step();
        let (letter, shot) = self.look();
        assert!(matches!(letter, Letter::Shot { .. }), "{letter:?}");
        shot.left.sequence
    }

    /// Whether the device is still away.
    fn refuses(&self) -> bool {
        self.acts.lock().unwrap().iter().any(|act| matches!(act, Act::Absent))
    }

    /// Steps until there is news; gives it with the time that passed.
    fn news(&mut self) -> (Letter, Duration) {
        let start = self.clock.now();
        for _ in 0..1000 {
            let flow = self.capture.step();
            let (letter, _) = self.look();
            if flow == Flow::Ended || !matches!(letter, Letter::Nothing) {
                return (letter, self.clock.now().since(start));
            }
        }
        panic!("no news in 1000 steps");
    }
}

fn picture(number: u64) -> Act {
    Act::Picture(number, 20, 4)
}

#[test]
fn pictures_keep_the_steps_of_the_devices_own_numbers() {
    let mut stage = Stage::new([picture(7), picture(8), picture(11), picture(11), picture(2)]);
    let numbers: Vec<u64> = (0..5).map(|_| stage.picture()).collect();
    // A device that counts 7, 8, 11 lost two; one that repeats itself or goes back does not count.
    assert_eq!(numbers, [0, 1, 4, 5, 6]);
    assert_eq!(stage.mailbox.counters().skipped, 2);
}

#[test]
fn an_unplugged_device_is_told_at_once_and_is_back_within_two_seconds_of_its_return() {
    for absent in [0, 1, 5, 40] {
        let mut acts = vec![picture(0), Act::Gone];
        acts.extend(std::iter::repeat_n(Act::Absent, absent));
        acts.extend([Act::Open, picture(0), picture(1)]);
        let mut stage = Stage::new(acts);
        assert_eq!(stage.picture(), 0);
        let (letter, waited) = stage.news();
        assert!(matches!(letter, Letter::Loss(Fault::Gone)) && waited == Duration::ZERO);
        // The device is there again the moment after the last refusal.
        let mut returned = stage.clock.now();
        let shot = loop {
            let away = stage.refuses();
            stage.capture.step();
            if away {
                returned = stage.clock.now();
            }
            if let (Letter::Shot { away: Some(_) }, shot) = stage.look() {
                break shot;
            }
        };
        assert_eq!(shot.left.sequence, 1, "numbers go on over a loss");
        let recovery = stage.clock.now().since(returned);
        assert!(recovery <= Duration::from_secs(2), "{absent} refusals, then {recovery:?}");
    }
}

#[test]
fn silence_is_a_loss_after_the_limit_and_corrupt_pictures_are_silence() {
    for act in [Act::Nothing, Act::Corrupt] {
        let mut acts = vec![picture(0)];
        acts.extend(std::iter::repeat_n(act, 40));
        let mut stage = Stage::new(acts);
        stage.picture();
        let (letter, waited) = stage.news();
        assert!(matches!(letter, Letter::Loss(Fault::Stalled { .. })), "{letter:?}");
        assert!(waited > LIMITS.stall && waited < LIMITS.stall + 2 * PATIENCE, "{waited:?}");
    }
}

#[test]
fn one_corrupt_picture_is_passed_over_and_counted() {
    let mut stage = Stage::new([picture(0), Act::Corrupt, picture(2)]);
    stage.picture();
    stage.capture.step();
    assert!(matches!(stage.look().0, Letter::Nothing));
    assert_eq!(stage.picture(), 2);
    assert_eq!(stage.mailbox.counters().corrupt, 1);
}

#[test]
fn an_old_picture_is_never_presented() {
    // Older than the limit; then the same moment again: 86 ms old after 33 ms is what was 53 ms old before.
    let mut stage = Stage::new([Act::Picture(0, 501, 4), Act::Picture(1, 20, 4), Act::Picture(2, 53, 4), picture(3)]);
    stage.capture.step();
    assert!(matches!(stage.look().0, Letter::Nothing));
    stage.picture();
    stage.capture.step();
    assert!(matches!(stage.look().0, Letter::Nothing), "the same time stamp again is no new picture");
    stage.picture();
    assert_eq!(stage.mailbox.counters().stale, 2);
}

#[test]
fn a_device_that_repeats_its_last_picture_for_ever_is_lost() {
    let mut acts = vec![picture(0)];
    acts.extend((0..40).map(|step| Act::Picture(0, 20 + 33 * (step + 1), 4)));
    let mut stage = Stage::new(acts);
    stage.picture();
    let Letter::Loss(fault) = stage.news().0 else { panic!("a loss") };
    assert!(matches!(fault, Fault::Stalled { corrupt: 0, stale: 30.., .. }), "{fault}");
    assert!(fault.to_string().contains("with old time stamps"), "{fault}");
}

#[test]
fn a_time_stamp_of_another_clock_becomes_the_time_of_arrival() {
    let mut stage = Stage::new([Act::Future(0)]);
    stage.capture.step();
    let (letter, shot) = stage.look();
    assert!(matches!(letter, Letter::Shot { .. }));
    assert_eq!(shot.left.timestamp, stage.clock.now());
}

#[test]
fn another_size_after_a_loss_is_a_fault_and_never_a_picture() {
    let mut stage = Stage::new([picture(0), Act::Gone, Act::Open, Act::Picture(0, 20, 8), Act::Open, picture(0)]);
    stage.picture();
    assert!(matches!(stage.news().0, Letter::Loss(Fault::Gone)));
    let (letter, _) = stage.news();
    assert!(matches!(letter, Letter::Shot { away: Some(_) }), "one loss, not two: {letter:?}");
    assert_eq!(stage.mailbox.counters().losses, 1);
    // Without a loss before it, the change itself is the loss.
    let mut stage = Stage::new([picture(0), Act::Picture(1, 20, 8)]);
    stage.picture();
    let (letter, _) = stage.news();
    assert!(matches!(letter, Letter::Loss(Fault::Changed { .. })), "{letter:?}");
}

#[test]
fn a_loss_takes_the_picture_in_the_mailbox_along() {
    let mut stage = Stage::new([picture(0), Act::Gone]);
    stage.capture.step();
    stage.capture.step();
    assert!(matches!(stage.look().0, Letter::Loss(Fault::Gone)));
    assert!(matches!(stage.look().0, Letter::Nothing));
}

#[test]
fn pauses_grow_to_half_a_second_and_start_small_again_after_a_good_picture() {
    let mut acts = vec![picture(0), Act::Gone];
    acts.extend(std::iter::repeat_n(Act::Absent, 6));
    acts.extend([Act::Open, picture(0), Act::Gone, Act::Open, picture(0)]);
    let mut stage = Stage::new(acts);
    stage.picture();
    assert!(matches!(stage.news().0, Letter::Loss(_)));
    // 0.1 + 0.2 + 0.4 + 4 × 0.5 s of pauses, 7 openings of 10 ms, one picture of 33 ms.
    let (letter, waited) = stage.news();
    assert!(matches!(letter, Letter::Shot { .. }));
    assert_eq!(waited, 2700 * MS + 70 * MS + 33 * MS);
    assert!(matches!(stage.news().0, Letter::Loss(_)));
    assert_eq!(stage.news().1, 100 * MS + 10 * MS + 33 * MS);
}

#[test]
fn a_device_that_never_gives_a_picture_has_longer_to_start() {
    let mut stage = Stage::new([]);
    let (letter, waited) = stage.news();
    assert!(matches!(letter, Letter::Loss(Fault::Stalled { .. })));
    assert!(waited > LIMITS.start && waited < LIMITS.start + 2 * PATIENCE, "{waited:?}");
}

#[test]
fn a_device_that_comes_back_silent_is_opened_again_after_twice_what_it_took_at_first() {
    let mut acts = vec![Act::Nothing; 5];
    acts.extend([picture(0), Act::Gone, Act::Open]);
    // The first picture took 533 ms, so this opening gets 2 × 533 ms + 1 s: 21 looks of 100 ms.
    acts.extend(vec![Act::Nothing; 21]);
    acts.extend([Act::Open, picture(0)]);
    let mut stage = Stage::new(acts);
    assert!(matches!(stage.news().0, Letter::Shot { .. }));
    assert!(matches!(stage.news().0, Letter::Loss(Fault::Gone)));
    let (letter, waited) = stage.news();
    assert!(matches!(letter, Letter::Shot { away: Some(_) }), "{letter:?}");
    assert_eq!(waited, (100 + 10 + 2100 + 200 + 10 + 33) * MS);
}

#[test]
fn a_bus_without_room_is_told_once_when_that_lasts_and_the_camera_is_back_when_there_is_room() {
    // Absent for 3 s, which says nothing; refused once in passing; then refused for 10 s.
    let mut acts = vec![picture(0), Act::Gone];
    acts.extend(vec![Act::Absent; 6]);
    acts.extend([Act::NoBandwidth, Act::Absent]);
    acts.extend(vec![Act::NoBandwidth; 20]);
    acts.extend([Act::Open, picture(0)]);
    let mut stage = Stage::new(acts);
    stage.picture();
    assert!(matches!(stage.news().0, Letter::Loss(Fault::Gone)));
    let (letter, waited) = stage.news();
    let Letter::Loss(fault @ Fault::Refused { .. }) = letter else { panic!("{letter:?}") };
    assert!(fault.to_string().contains("start the stream") && fault.hint().contains("bandwidth"), "{fault}");
    assert!(waited > Duration::from_secs(5) && waited < Duration::from_secs(7), "{waited:?}");
    let (letter, waited) = stage.news();
    assert!(matches!(letter, Letter::Shot { away: Some(_) }), "told once: {letter:?}");
    assert!(waited > Duration::from_secs(7), "{waited:?}");
    assert_eq!(stage.mailbox.counters().losses, 1);
}

#[test]
fn a_camera_that_came_back_as_another_is_told_when_that_lasts() {
    let mut acts = vec![picture(0), Act::Gone];
    acts.extend((0..8).flat_map(|_| [Act::Open, Act::Picture(0, 20, 8)]));
    acts.extend([Act::Open, picture(0)]);
    let mut stage = Stage::new(acts);
    stage.picture();
    assert!(matches!(stage.news().0, Letter::Loss(Fault::Gone)));
    assert!(matches!(stage.news().0, Letter::Loss(Fault::Changed { .. })));
    assert!(matches!(stage.news().0, Letter::Shot { away: Some(_) }));
    assert_eq!(stage.mailbox.counters().losses, 1);
}

#[test]
fn a_stream_that_ends_is_an_end_and_no_loss() {
    let mut stage = Stage::new([picture(0), Act::End]);
    stage.picture();
    assert!(matches!(stage.news().0, Letter::End));
    assert_eq!(stage.mailbox.counters().losses, 0);
}

/// A device that is gone, and notes whether anybody knew when it was closed.
struct Leaving {
    mailbox: Arc<Mailbox>,
    told_at_close: Arc<Mutex<Option<bool>>>,
}

impl Device for Leaving {
    fn look(&mut self, _shot: &mut Shot, _patience: Duration) -> Result<Look, Fault> {
        Err(Fault::Gone)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        *self.told_at_close.lock().unwrap() = Some(!self.mailbox.is_quiet());
    }
}

#[test]
fn a_lost_device_is_closed_before_anybody_is_told() {
    let mut stage = Stage::new([]);
    let told_at_close = Arc::new(Mutex::new(None));
    let device = Leaving { mailbox: Arc::clone(&stage.mailbox), told_at_close: Arc::clone(&told_at_close) };
    stage.capture.state = State::Streaming(Streaming::new(Box::new(device), stage.clock.now()));
    stage.capture.step();
    // While it is open, its return would get another node: /dev/video1 in place of /dev/video0.
    assert_eq!(*told_at_close.lock().unwrap(), Some(false));
    assert!(matches!(stage.look().0, Letter::Loss(Fault::Gone)));
}
