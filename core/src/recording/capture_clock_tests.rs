use super::*;

const PERIOD: u64 = 100_000_000;
/// The stamp of the first picture: 2023.
const START: u64 = 1_700_000_000_000_000_000;

fn topic(name: &str, times: &[(u64, u64)]) -> Topic {
    let place = |(at, &(time, stamp)): (usize, &(u64, u64))| MessagePlace {
        time,
        stamp,
        offset: at as u64,
        chunk: u32::MAX,
        channel: 0,
    };
    Topic { name: name.into(), channels: vec![0], messages: times.iter().enumerate().map(place).collect() }
}

fn at(index: u64) -> u64 {
    START + index * PERIOD
}

fn decided(topics: &mut [Topic]) -> (CaptureClock, Vec<TimeFault>) {
    let measured = topics.len();
    let clock = decide(topics, measured, |place| (place.offset, 0));
    let faults = clock.findings.iter().map(|finding| finding.fault).collect();
    (clock, faults)
}

fn times(topic: &Topic) -> Vec<u64> {
    topic.messages.iter().map(|place| place.time).collect()
}

#[test]
fn equal_clocks_are_nothing_to_tell_and_small_delays_neither() {
    let exact: Vec<_> = (0..20).map(|index| (at(index), at(index))).collect();
    let late: Vec<_> = (0..20).map(|index| (at(index) + index * 7 % 90 * 1_000_000, at(index))).collect();
    let mut topics = [topic("/left", &exact), topic("/right", &late)];
    let (clock, faults) = decided(&mut topics);
    assert_eq!((faults, clock.tolerance_nanos, clock.breaks), (vec![], PERIOD / 2, vec![]));
    assert_eq!(times(&topics[0]), times(&topics[1]));
}

#[test]
fn a_file_written_in_one_go_has_the_times_of_its_stamps() {
    let written = START + 1_000_000 * 1_000_000_000;
    let left: Vec<_> = (0..20).map(|index| (written + 2 * index * 1_000_000, at(index))).collect();
    let right: Vec<_> = (0..20).map(|index| (written + (2 * index + 1) * 1_000_000, at(index))).collect();
    let mut topics = [topic("/left", &left), topic("/right", &right)];
    let (clock, faults) = decided(&mut topics);
    assert_eq!(faults, [TimeFault::Apart; 2]);
    assert!(clock.findings[0].to_string().contains("11.6 days in 20 of 20 messages on /left"), "{}", clock.findings[0]);
    assert_eq!(times(&topics[0]), (0..20).map(at).collect::<Vec<_>>());
    assert_eq!((times(&topics[1]), clock.tolerance_nanos), (times(&topics[0]), PERIOD / 2));
}

#[test]
fn without_stamps_the_log_times_count_for_every_topic() {
    let left: Vec<_> = (0..5).map(|index| (at(index), UNSET)).collect();
    let right: Vec<_> = (0..5).map(|index| (at(index) + 1, UNSET)).collect();
    let mut topics = [topic("/left", &left), topic("/right", &right)];
    assert_eq!(decided(&mut topics).1, []);
    assert_eq!(times(&topics[0]), (0..5).map(at).collect::<Vec<_>>());
    // The right ones on a clock of their own, which the left ones do not know.
    let right: Vec<_> = (0..5).map(|index| (at(index) + 1, 77 + index * PERIOD)).collect();
    let mut topics = [topic("/left", &left), topic("/right", &right)];
    assert_eq!(decided(&mut topics).1, [TimeFault::Missing]);
    assert_eq!(times(&topics[1])[0], at(0) + 1);
}

#[test]
fn a_message_without_a_stamp_has_its_log_time_where_the_clocks_agree() {
    let mut left: Vec<_> = (0..20).map(|index| (at(index) + 3_000_000, at(index))).collect();
    left[4].1 = UNSET;
    let mut topics = [topic("/left", &left)];
    let (clock, faults) = decided(&mut topics);
    assert_eq!(faults, [TimeFault::Missing]);
    assert!(clock.findings[0].to_string().contains("1 of 20 messages on /left have no stamp"));
    assert_eq!(topics[0].messages[4].time, at(4) + 3_000_000);
}

#[test]
fn a_topic_without_stamps_is_moved_by_what_lies_between_the_clocks_where_that_is_known() {
    // Stamps count from the start of the machine.
    let left: Vec<_> = (0..20).map(|index| (at(index), 5_000_000 + index * PERIOD)).collect();
    let depth: Vec<_> = (0..20).map(|index| (at(index) + 2_000_000, UNSET)).collect();
    let mut topics = [topic("/left", &left), topic("/depth", &depth)];
    assert_eq!(decided(&mut topics).1, [TimeFault::Apart, TimeFault::Missing]);
    assert_eq!(times(&topics[1])[3], 7_000_000 + 3 * PERIOD);
    // Written in one go: nothing tells which picture the depth belongs to.
    let left: Vec<_> = (0..20).map(|index| (START + index, at(index))).collect();
    let depth: Vec<_> = (0..20).map(|index| (START + index, UNSET)).collect();
    let mut topics = [topic("/left", &left), topic("/depth", &depth)];
    assert_eq!(decided(&mut topics).1, [TimeFault::Apart, TimeFault::Unplaced]);
    assert_eq!((topics[0].messages.len(), topics[1].messages.len()), (20, 0));
}

#[test]
fn one_stamp_for_all_tells_nothing() {
    let left: Vec<_> = (0..20).map(|index| (at(index), START)).collect();
    let mut topics = [topic("/left", &left)];
    assert_eq!(decided(&mut topics).1, [TimeFault::Useless]);
    assert_eq!(times(&topics[0]), (0..20).map(at).collect::<Vec<_>>());
}

#[test]
fn a_stamp_that_comes_twice_is_told_and_no_period() {
    let left: Vec<_> = (0..20).map(|index| (at(index), at(index / 2 * 2))).collect();
    let mut topics = [topic("/left", &left)];
    let (clock, faults) = decided(&mut topics);
    assert_eq!((faults, clock.tolerance_nanos), (vec![TimeFault::Repeated], PERIOD));
    assert_eq!(times(&topics[0])[..4], [at(0), at(0) + 1, at(2), at(2) + 1]);
}

#[test]
fn pictures_that_came_late_are_put_in_order() {
    let order = [0, 1, 2, 5, 6, 3, 4, 7, 9, 8, 10];
    let left: Vec<_> = order.iter().enumerate().map(|(count, index)| (at(count as u64 + 2), at(*index))).collect();
    let mut topics = [topic("/left", &left)];
    let (clock, faults) = decided(&mut topics);
    assert_eq!((faults, clock.breaks), (vec![TimeFault::Apart, TimeFault::Late], vec![]));
    assert_eq!(times(&topics[0]), (0..11).map(at).collect::<Vec<_>>());
}

#[test]
fn after_a_clock_was_set_back_the_pictures_go_on_where_they_were() {
    // By one and a half seconds; the log times are on another clock, or on the same.
    for same_clock in [false, true] {
        let stamp = |index| if index < 30 { at(index) } else { at(index) - 1_500_000_000 };
        let logged = |index| if same_clock { stamp(index) } else { at(index) + 5_000_000 };
        let left: Vec<_> = (0..60).map(|index| (logged(index), stamp(index))).collect();
        let right = topic("/right", &left);
        let mut topics = [topic("/left", &left), right];
        let (clock, faults) = decided(&mut topics);
        assert_eq!(faults[0], TimeFault::SetBack);
        assert!(
            clock.findings[0].to_string().contains("run back 1 times, by up to 1400.0 ms"),
            "{}",
            clock.findings[0]
        );
        assert_eq!(times(&topics[0]), (0..60).map(at).collect::<Vec<_>>());
        assert_eq!(times(&topics[1]), times(&topics[0]));
        assert_eq!(clock.breaks, [at(30)]);
    }
}

#[test]
fn a_recording_played_twice_comes_after_itself() {
    let left: Vec<_> = (0..40).map(|index| (START * 2 + index * PERIOD, at(index % 20))).collect();
    let mut topics = [topic("/left", &left)];
    let (clock, faults) = decided(&mut topics);
    assert_eq!(faults[0], TimeFault::SetBack);
    assert_eq!(times(&topics[0]), (0..40).map(at).collect::<Vec<_>>());
    assert_eq!(clock.breaks, [at(20)]);
    let order: Vec<u64> = topics[0].messages.iter().map(|place| place.offset).collect();
    assert!(order.is_sorted());
}

#[test]
fn parts_of_a_file_in_any_order_are_sorted_without_a_word() {
    let left: Vec<_> = (10..20).chain(0..10).map(|index| (at(index), at(index))).collect();
    let mut topics = [topic("/left", &left)];
    let (clock, faults) = decided(&mut topics);
    assert_eq!((faults, clock.breaks), (vec![], vec![]));
    assert_eq!(times(&topics[0]), (0..20).map(at).collect::<Vec<_>>());
}

#[test]
fn years_between_two_pictures_begin_a_new_stretch() {
    // A board without a clock, until the network told the time.
    let left: Vec<_> = (0..20).map(|index| if index < 5 { index * PERIOD + 1 } else { at(index) }).collect();
    let left: Vec<_> = left.into_iter().map(|time| (time, time)).collect();
    let (clock, faults) = decided(&mut [topic("/left", &left)]);
    assert_eq!((faults, clock.breaks), (vec![TimeFault::Jump], vec![at(5)]));
    assert!(clock.findings[0].to_string().contains("by up to 53.9 years"), "{}", clock.findings[0]);
}

#[test]
fn stamps_of_another_unit_tell_nothing_where_log_times_do() {
    let seconds: Vec<_> = (0..20).map(|index| (at(index), 1_700_000_000 + index / 10)).collect();
    let micros: Vec<_> = (0..20).map(|index| (at(index), 1_700_000_000_000_000 + index * 1_000)).collect();
    for left in [seconds, micros] {
        let mut topics = [topic("/left", &left)];
        assert_eq!(decided(&mut topics).1, [TimeFault::Useless]);
        assert_eq!(times(&topics[0]), (0..20).map(at).collect::<Vec<_>>());
    }
}
