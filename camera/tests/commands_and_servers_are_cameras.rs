//! `cmd:` and `http:` sources as a user has them: real child processes that die, real sockets that close.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_camera::{Arrival, Error, Fault, Shot, Source};
use parallax_core::frame::PixelFormat;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_millis(100);

fn jpeg(brightness: u8) -> Vec<u8> {
    let mut data = Vec::new();
    let picture = image::RgbImage::from_pixel(64, 48, image::Rgb([brightness; 3]));
    image::codecs::jpeg::JpegEncoder::new(&mut data).encode_image(&picture).unwrap();
    data
}

/// A file with some JPEGs in a row.
fn stream_in(folder: &Path) -> String {
    let path = folder.join("stream.mjpeg");
    std::fs::write(&path, [jpeg(10), jpeg(100), jpeg(200)].concat()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Asks until something comes; panics after ten seconds.
fn news(source: &mut Source, shot: &mut Shot) -> Result<Arrival, Error> {
    let start = Instant::now();
    loop {
        match source.next_into(shot, PATIENCE) {
            Ok(Arrival::Nothing) => assert!(start.elapsed() < Duration::from_secs(10), "nothing came"),
            other => return other,
        }
    }
}

#[test]
fn a_finite_command_that_writes_motion_jpeg_is_a_camera_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream_in(folder.path());
    let mut source = Source::open(&format!("cmd:cat {stream}; sleep 0.3; cat {stream}?finite=yes")).unwrap();
    assert_eq!((source.size(), source.frames()), ((64, 48), None));
    let (mut shot, mut last) = (Shot::default(), None);
    loop {
        match news(&mut source, &mut shot).unwrap() {
            Arrival::Fresh { dropped, away } => {
                let sequence = shot.left.sequence;
                assert_eq!(last.map_or(0, |last| sequence - last - 1), dropped, "what is missing is counted");
                assert_eq!(away, None);
                assert!(parallax_camera::now().since(shot.left.timestamp) < Duration::from_secs(1));
                assert_eq!(shot.left.format, PixelFormat::Jpeg);
                last = Some(sequence);
            }
            Arrival::End => break,
            Arrival::Nothing => unreachable!("`news` waits"),
        }
    }
    assert_eq!(last, Some(5), "the last picture is never passed over");
    assert!(shot.left.to_rgb().unwrap().get_pixel(0, 0).0[0].abs_diff(200) < 3);
    assert_eq!(source.counters().unwrap().losses, 0);
}

#[test]
fn a_command_that_dies_is_told_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream_in(folder.path());
    let mut source = Source::open(&format!("cmd:cat {stream}; sleep 0.3; echo no more light >&2; exit 3")).unwrap();
    let mut shot = Shot::default();
    let mut sequence = None;
    for _ in 0..2 {
        let error = loop {
            match news(&mut source, &mut shot) {
                Ok(arrival) => {
                    assert!(matches!(arrival, Arrival::Fresh { .. }));
                    assert!(Some(shot.left.sequence) > sequence, "numbers go on over a loss");
                    sequence = Some(shot.left.sequence);
                }
                Err(error) => break error,
            }
        };
        let lost = Instant::now();
        assert!(matches!(error, Error::LostCamera { fault: Fault::Exited { .. }, .. }), "{error}");
        assert!(error.to_string().contains("exit status: 3") && error.to_string().contains("no more light"), "{error}");
        assert!(matches!(news(&mut source, &mut shot).unwrap(), Arrival::Fresh { away: Some(_), .. }));
        assert!(lost.elapsed() < Duration::from_secs(2), "{:?}", lost.elapsed());
        sequence = Some(shot.left.sequence);
    }
    assert!(source.counters().unwrap().losses >= 2);
}

#[test]
fn a_camera_whose_command_ends_well_is_lost_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream_in(folder.path());
    let mut source = Source::open(&format!("cmd:cat {stream}; sleep 0.1")).unwrap();
    let mut shot = Shot::default();
    for _ in 0..2 {
        let error = loop {
            match news(&mut source, &mut shot) {
                Ok(arrival) => assert!(matches!(arrival, Arrival::Fresh { .. }), "{arrival:?}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::LostCamera { fault: Fault::Ended, .. }), "{error}");
        assert!(error.hint().unwrap().contains("finite=yes"), "{error}");
        assert!(matches!(news(&mut source, &mut shot).unwrap(), Arrival::Fresh { away: Some(_), .. }));
    }
    // What does not start pictures again is a loss that lasts, not an end.
    let mark = folder.path().join("once");
    let once = format!("cmd:[ -e {0} ] || cat {stream}; touch {0}", mark.display());
    let mut source = Source::open(&once).unwrap();
    while news(&mut source, &mut shot).is_ok() {}
    assert!(matches!(source.next_into(&mut shot, 3 * PATIENCE), Ok(Arrival::Nothing)));
}

#[test]
fn a_command_that_falls_silent_is_lost_after_its_limit_and_its_children_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream_in(folder.path());
    let mark = folder.path().join("alive");
    let command = format!("cat {stream}; (sleep 30; touch {}) | cat", mark.display());
    let mut source = Source::open(&format!("cmd:{command}?stall=300ms")).unwrap();
    let mut shot = Shot::default();
    let start = Instant::now();
    let error = loop {
        if let Err(error) = news(&mut source, &mut shot) {
            break error;
        }
    };
    assert!(matches!(error, Error::LostCamera { fault: Fault::Stalled { .. }, .. }), "{error}");
    assert!(start.elapsed() > Duration::from_millis(250) && start.elapsed() < Duration::from_secs(2));
    drop(source);
    assert!(start.elapsed() < Duration::from_secs(5), "the source does not wait for its children's sleep");
    // Nothing in the process table carries the name of the mark any more.
    let alive = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let name = mark.to_str().unwrap().as_bytes();
        entries.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).any(|entry| {
            let own = entry.file_name().to_string_lossy() == std::process::id().to_string();
            !own && command(entry).windows(name.len()).any(|window| window == name)
        })
    };
    let deadline = Instant::now() + Duration::from_secs(2);
    while alive() {
        assert!(Instant::now() < deadline, "a process of the pipeline is left");
        std::thread::sleep(PATIENCE);
    }
}

#[test]
fn raw_frames_keep_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.yuyv");
    std::fs::write(&path, [16u8, 128, 235, 128, 16, 128, 235, 128].as_slice()).unwrap();
    let uri = format!("cmd:cat {}; sleep 0.2?format=yuyv&size=4x1&finite=yes", path.display());
    let mut source = Source::open(&uri).unwrap();
    let frame = source.next_frame().unwrap().unwrap();
    let values: Vec<u8> = frame.to_rgb().unwrap().pixels().map(|pixel| pixel.0[0]).collect();
    assert_eq!(values, [0, 255, 0, 255]);
    assert!(source.next_frame().is_none());
}

#[test]
fn side_by_side_pictures_become_two() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.gray");
    std::fs::write(&path, [1u8, 2, 3, 4, 5, 6, 7, 8].as_slice()).unwrap();
    let uri = format!("cmd:cat {}; sleep 0.2?format=gray8&size=4x2&split=side-by-side", path.display());
    let mut source = Source::open(&uri).unwrap();
    assert_eq!(source.size(), (2, 2));
    let mut shot = Shot::default();
    assert!(matches!(news(&mut source, &mut shot), Ok(Arrival::Fresh { .. })));
    assert_eq!(
        (shot.left.data.as_slice(), shot.right.unwrap().data.as_slice()),
        ([1, 2, 5, 6].as_slice(), [3, 4, 7, 8].as_slice())
    );
}

#[test]
fn two_commands_become_pairs() {
    let camera = "cmd:while true; do head -c 8 /dev/zero; sleep 0.05; done?format=gray8&size=4x2";
    let mut source = Source::open(&format!("stereo:{camera}|{camera}#tolerance=60ms")).unwrap();
    let mut shot = Shot::default();
    for _ in 0..5 {
        assert!(matches!(news(&mut source, &mut shot), Ok(Arrival::Fresh { .. })));
        let (left, right) = (shot.left.timestamp, shot.right.as_ref().unwrap().timestamp);
        assert!(left.since(right).max(right.since(left)) <= Duration::from_millis(60));
    }
}

#[test]
fn what_gives_no_pictures_is_an_error_at_once_that_says_why() {
    for (uri, said) in [
        ("cmd:no-such-program-anywhere", "not found"),
        ("cmd:echo broken lens >&2; exit 1", "broken lens"),
        ("cmd:true", "found none"),
        ("cmd:cat /dev/zero", "not Motion-JPEG"),
    ] {
        let start = Instant::now();
        let error = Source::open(uri).unwrap_err();
        assert!(error.to_string().contains(said) && error.hint().is_some(), "{uri}: {error}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_recording_at_its_own_pace_happens_now() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..5u8 {
        image::RgbImage::from_pixel(4, 2, image::Rgb([index; 3]))
            .save(folder.path().join(format!("{index}.png")))
            .unwrap();
    }
    let start = Instant::now();
    let mut source = Source::open(&format!("{}?pace=recorded", folder.path().display())).unwrap();
    let (mut shot, mut values) = (Shot::default(), Vec::new());
    while let Arrival::Fresh { .. } = news(&mut source, &mut shot).unwrap() {
        assert!(parallax_camera::now().since(shot.left.timestamp) < Duration::from_millis(500));
        values.push(shot.left.data[0]);
    }
    // Folders are at 10 frames per second: the fifth is due after 0.4 s. A busy machine may pass some over.
    assert!(start.elapsed() > Duration::from_millis(390), "{:?}", start.elapsed());
    assert!(values.is_sorted() && values.last() == Some(&4), "{values:?}");
}

/// Serves one connection after the other; `answer` writes until the connection or the test ends.
fn serve(answer: impl Fn(usize, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2048];
            let length = stream.read(&mut request).unwrap_or(0);
            assert!(request[..length].starts_with(b"GET /stream?x=1 HTTP/1.0\r\nHost: 127.0.0.1"));
            answer(index, &mut stream);
        }
    });
    format!("http://{address}/stream?x=1")
}

fn part(jpeg: &[u8]) -> Vec<u8> {
    let head = format!("--b\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
    [head.as_bytes(), jpeg, b"\r\n"].concat()
}

const MULTIPART: &str = "Content-Type: multipart/x-mixed-replace; boundary=b\r\n";

#[test]
fn a_server_that_goes_is_told_and_found_again_plain_or_in_chunks() {
    for chunked in [false, true] {
        let uri = serve(move |_, stream| {
            let encoding = if chunked { "Transfer-Encoding: chunked\r\n" } else { "" };
            write!(stream, "HTTP/1.1 200 OK\r\nServer: test\r\n{encoding}{MULTIPART}\r\n").unwrap();
            for brightness in [50, 60, 70] {
                let part = part(&jpeg(brightness));
                // Chunks that do not care where a part ends.
                for piece in part.chunks(if chunked { 700 } else { part.len() }) {
                    if chunked {
                        write!(stream, "{:x}\r\n", piece.len()).unwrap();
                    }
                    stream.write_all(piece).unwrap();
                    if chunked {
                        stream.write_all(b"\r\n").unwrap();
                    }
                }
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        let mut source = Source::open(&uri).unwrap();
        assert_eq!(source.description().unwrap().name, "test");
        let mut shot = Shot::default();
        for _ in 0..2 {
            let error = loop {
                match news(&mut source, &mut shot) {
                    Ok(_) => assert!((48..=72).contains(&shot.left.to_rgb().unwrap().get_pixel(9, 9).0[0])),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, Error::LostCamera { fault: Fault::Closed | Fault::System { .. }, .. }), "{error}");
            let lost = Instant::now();
            assert!(matches!(news(&mut source, &mut shot).unwrap(), Arrival::Fresh { away: Some(_), .. }));
            assert!(lost.elapsed() < Duration::from_secs(2));
        }
    }
}

#[test]
fn answers_that_are_no_stream_are_refused_by_what_they_say() {
    for (answer, said) in [
        ("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n", "401 Unauthorized"),
        ("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", "302"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "text/html"),
        ("220 mail.example ESMTP\r\n\r\n", "no HTTP/1"),
        ("", "before it answered"),
    ] {
        let uri = serve(move |_, stream| stream.write_all(answer.as_bytes()).unwrap());
        let error = Source::open(&uri).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Sends pictures until the other side goes.
fn pictures_for_ever(stream: &mut TcpStream) {
    while stream.write_all(&part(&jpeg(80))).is_ok() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn answers_without_a_status_line_and_late_ones_are_streams_too() {
    let boundary = "multipart/x-mixed-replace; boundary=b";
    for head in [
        format!("ICY 200 OK\r\n{MULTIPART}\r\n"),
        format!("{MULTIPART}\r\n"),
        format!("HTTP/1.1 200 OK\nContent-Type: {boundary}\n\n"),
        "HTTP/1.0 200 OK\r\n\r\n".to_owned(),
        String::new(),
    ] {
        let uri = serve(move |_, stream| {
            stream.write_all(head.as_bytes()).unwrap();
            pictures_for_ever(stream);
        });
        let mut source = Source::open(&uri).unwrap();
        assert!(matches!(news(&mut source, &mut Shot::default()), Ok(Arrival::Fresh { .. })));
    }
    let late = serve(|_, stream| {
        std::thread::sleep(Duration::from_millis(2500));
        write!(stream, "HTTP/1.1 200 OK\r\n{MULTIPART}\r\n").unwrap();
        pictures_for_ever(stream);
    });
    assert_eq!(Source::open(&late).unwrap().size(), (64, 48));
}

#[test]
fn parts_whose_boundary_and_length_are_wrong_are_pictures_all_the_same() {
    for (before, after) in [
        ("--b\r\nContent-Length: 5\r\n\r\n", "\r\n"),
        ("--b\r\nContent-Length: 99999999999999999999\r\n\r\n", "\r\n"),
        ("--other\r\nContent-Type: text/plain\r\n\r\n", ""),
        ("\n--b--\n\n", "\n\n"),
        ("", ""),
    ] {
        let uri = serve(move |_, stream| {
            write!(stream, "HTTP/1.1 200 OK\r\n{MULTIPART}\r\n").unwrap();
            while stream.write_all(&[before.as_bytes(), &jpeg(80), after.as_bytes()].concat()).is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let (mut source, mut shot) = (Source::open(&uri).unwrap(), Shot::default());
        for _ in 0..3 {
            assert!(matches!(news(&mut source, &mut shot), Ok(Arrival::Fresh { away: None, .. })), "{before:?}");
        }
        assert_eq!(source.counters().unwrap().corrupt, 0, "{before:?}");
    }
}

/// Repeats some bytes until the other side goes.
fn flood(begin: &'static str, more: &'static [u8]) -> String {
    serve(move |_, stream| {
        stream.write_all(begin.as_bytes()).unwrap();
        let block = more.repeat(65_536 / more.len());
        while stream.write_all(&block).is_ok() {}
    })
}

#[test]
fn a_server_that_never_comes_to_the_point_costs_bounded_time_and_is_told() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (uri, said) in [
        (flood("HTTP/1.1 200 OK\r\n", b"X-Field: value\r\n"), "head does not end"),
        (flood("HTTP/1.1 200 OK\r\nX: ", b"x"), "head does not end"),
        (flood("", b"\r\n"), "head does not end"),
        (flood(chunked, b";x=y"), "a chunk's line"),
        (flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki", b"x"), "a chunk's line"),
        (flood("HTTP/1.1 200 OK\r\n\r\n--b\r\n", b"X-Field: value\r\n"), "no JPEG in"),
    ] {
        let start = Instant::now();
        let error = Source::open(&uri).unwrap_err();
        assert!(error.to_string().contains(said) && error.hint().is_some(), "{error}");
        assert!(start.elapsed() < Duration::from_secs(9), "before the time for a head is up: {error}");
    }
}

#[test]
fn a_camera_that_falls_silent_is_told_in_seconds_and_a_silent_return_does_not_hold_up_the_end() {
    let uri = serve(|connection, stream| {
        if connection == 0 {
            stream.write_all(&[b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &part(&jpeg(80))].concat()).unwrap();
        } else {
            std::thread::sleep(Duration::from_secs(30));
        }
    }) + "#stall=300ms";
    let (mut source, mut shot) = (Source::open(&uri).unwrap(), Shot::default());
    let error = loop {
        if let Err(error) = news(&mut source, &mut shot) {
            break error.to_string();
        }
    };
    assert!(!error.contains("temporarily unavailable"), "{error}");
    // Wherever its thread is in waiting for the head of the next answer.
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    drop(source);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}
