//! The live views from outside: a browser, a Prometheus parser, a WebSocket client, and visitors without a token.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "../../camera/tests/visitor/mod.rs"]
mod visitor;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{HEIGHT, WIDTH, model, write_bundle};
use image::{Rgb, RgbImage};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{HandshakeError, Message};
use visitor::{Visitor, pictures};

const SIZE: (u32, u32) = (320, 240);
const FRAMES: u32 = 20;

/// A red bar that walks over a green ground: the mask, and each view, is another one in every frame.
fn view(step: u32) -> RgbImage {
    let bar = step * SIZE.0 / FRAMES;
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, _| if x.abs_diff(bar) < 24 { Rgb([250, 0, 90]) } else { Rgb([10, 200, 30]) })
}

/// A running program, ended with the test.
struct Robot {
    child: Child,
    addresses: Vec<String>,
    folder: tempfile::TempDir,
}

impl Drop for Robot {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Robot {
    /// Runs on a source that `uri` makes from a folder with pictures, and waits for `servers` addresses.
    fn start(uri: impl Fn(&Path) -> String, more: &[&str], servers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bundle(&folder.path().join("bundle"), model("Conv", WIDTH, HEIGHT), |_| {});
        let pictures = folder.path().join("pictures");
        std::fs::create_dir(&pictures).unwrap();
        (0..FRAMES).for_each(|step| view(step).save(pictures.join(format!("{step:03}.jpg"))).unwrap());
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let more: Vec<String> =
            more.iter().map(|flag| flag.replace("FOLDER", folder.path().to_str().unwrap())).collect();
        let mut child = Command::new(env!("CARGO_BIN_EXE_parallax-edge"))
            .args(["run", "--from", &uri(&pictures), "--bundle"])
            .arg(folder.path().join("bundle"))
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut addresses, mut said) = (Vec::new(), String::new());
        while addresses.len() < servers {
            let line = log
                .next()
                .unwrap_or_else(|| panic!("expected {servers} addresses, the program said:\n{said}"))
                .unwrap();
            said += &(line.clone() + "\n");
            addresses.extend(line.split_once("serving ").map(|(_, address)| address.trim().to_owned()));
        }
        // Nobody else reads it, and a full pipe would hold the program up.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, addresses, folder }
    }

    /// Ten frames a second for half an hour.
    fn on_a_loop(more: &[&str], servers: usize) -> Self {
        Self::start(|pictures| format!("{}?pace=recorded&repeat=1000", pictures.display()), more, servers)
    }

    fn page(&self) -> &str {
        self.addresses.iter().find(|address| address.starts_with("http")).unwrap()
    }

    fn visitor(&self) -> Visitor {
        Visitor::of(self.page())
    }
}

const TOKEN: &str = "a-token.of_twenty~ch";

#[test]
fn the_streams_move_and_show_what_they_say() {
    let started = Instant::now();
    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0"], 1);
    for (view, ground) in [("overlay", [5, 90, 14]), ("mask", [0, 0, 0]), ("camera", [10, 200, 30])] {
        let seen = pictures(robot.visitor().open(&format!("/stream/{view}"), ""), 3);
        assert!(seen.iter().all(|picture| picture.dimensions() == SIZE), "{view}");
        assert!(seen[0] != seen[1] && seen[1] != seen[2], "{view} does not move");
        let is_ground = |pixel: &&Rgb<u8>| pixel.0.iter().zip(ground).all(|(a, b): (&u8, u8)| a.abs_diff(b) < 16);
        let share = seen[0].pixels().filter(is_ground).count() as f64 / f64::from(SIZE.0 * SIZE.1);
        assert!(share > 0.5, "{view}: {share} of the ground");
    }
    assert_eq!(robot.visitor().get("/stream/depths", "").0, 404);
    let status = robot.visitor().wait_for(|status| status["state"] == "streaming");
    let (age_ms, so_far_ms) = (status["line"]["age_ms"].as_f64().unwrap(), started.elapsed().as_secs_f64() * 1e3);
    assert!(age_ms > 0.0 && age_ms < so_far_ms, "a frame is no older than the program: {so_far_ms} ms, {status}");
    assert!(status["frames_per_s"].as_f64().unwrap() > 0.0, "{status}");
    assert_eq!(robot.visitor().get("/healthz", "").0, 200);
    assert!(robot.visitor().get("/about.json", "").2.contains("red"));
}

#[test]
fn a_visitor_that_does_not_read_costs_nobody_a_frame() {
    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0"], 1);
    // More than all buffers of a connection hold would have to be sent to these; nobody reads.
    let _idle: Vec<TcpStream> = (0..8).map(|_| robot.visitor().open("/stream/camera", "")).collect();
    let before = robot.visitor().wait_for(|status| status["state"] == "streaming")["line"]["frame"].as_u64().unwrap();
    pictures(robot.visitor().open("/stream/camera", ""), 10);
    let after = robot.visitor().wait_for(|_| true);
    assert!(after["line"]["frame"].as_u64().unwrap() >= before + 9, "{before}, {after}");
}

#[test]
fn a_lost_camera_is_told_everywhere_and_never_shown() {
    let uri = |pictures: &Path| {
        let view = pictures.join("000.jpg");
        let gone = pictures.join("gone");
        // Shows the view until the file is there.
        format!(
            "cmd:while [ ! -e {1} ]; do cat {0}; sleep 0.05; done; echo lens cap on >&2; exit 1",
            view.display(),
            gone.display()
        )
    };
    let robot = Robot::start(uri, &["--http", "127.0.0.1:0", "--foxglove", "127.0.0.1:0"], 2);
    let mut foxglove = connect(&robot);
    robot.visitor().wait_for(|status| status["state"] == "streaming");
    let before = pictures(robot.visitor().open("/stream/camera", ""), 1).remove(0);
    let stream = robot.visitor().open("/stream/camera", "");
    std::fs::write(robot.folder.path().join("pictures/gone"), "").unwrap();
    let status = robot.visitor().wait_for(|status| status["state"] == "lost");
    assert!(status["line"]["error"].as_str().unwrap().contains("lost the camera"), "{status}");
    assert_eq!(robot.visitor().get("/healthz", "").0, 503);
    let numbers = robot.visitor().get("/metrics", "").2;
    for line in ["parallax_camera_up 0", "parallax_camera_losses_total 1", "parallax_frames_lost_total 1"] {
        assert!(numbers.lines().any(|found| found == line), "{line} in\n{numbers}");
    }
    // The last picture of a stream, and the first that a visitor gets now, is none of before.
    let green = |picture: &RgbImage| picture.get_pixel(SIZE.0 - 9, SIZE.1 - 9).0[1];
    assert!(green(&before) > 150);
    let mut stream = stream;
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut bytes = Vec::new();
    let _silent = stream.read_to_end(&mut bytes);
    let start = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xD8]).unwrap();
    assert!(green(&image::load_from_memory(&bytes[start..]).unwrap().to_rgb8()) < 40);
    assert!(green(&pictures(robot.visitor().open("/stream/overlay", ""), 1)[0]) < 40);
    // Foxglove shows it as a status of the connection.
    let told = next(&mut foxglove, |message| message["op"] == "status");
    assert!(told["level"] == 2 && told["message"].as_str().unwrap().contains("lost the camera"), "{told}");
}

#[test]
fn the_numbers_are_what_a_prometheus_parser_reads() {
    let Some(python) = std::env::var_os("PARALLAX_PYTHON") else {
        println!("SKIPPED: no Python with prometheus_client: set PARALLAX_PYTHON (scripts/test makes one)");
        return;
    };
    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0"], 1);
    robot.visitor().wait_for(|status| status["line"]["frame"].as_u64().unwrap_or(0) >= 5);
    let (status, head, text) = robot.visitor().get("/metrics", "");
    assert_eq!(status, 200);
    assert!(head.to_lowercase().contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let script = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
families = {family.name: family for family in parse(sys.stdin.read())}
samples = {(s.name, *s.labels.values()): s.value for family in families.values() for s in family.samples}
print(json.dumps({'types': {name: family.type for name, family in families.items()},
    'frames': samples['parallax_frames_total',], 'count': samples['parallax_frame_age_seconds_count',],
    'infer': samples['parallax_stage_duration_seconds_count', 'infer'], 'up': samples['parallax_camera_up',],
    'rss': samples['process_resident_memory_bytes',]}))";
    let mut parser =
        Command::new(python).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "not OpenMetrics:\n{text}");
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&read["types"]["parallax_frames"], &read["types"]["parallax_frame_age_seconds"]),
        (&"counter".into(), &"histogram".into())
    );
    assert!(
        read["frames"].as_f64().unwrap() >= 5.0 && read["count"] == read["frames"] && read["infer"] == read["frames"],
        "{read}"
    );
    assert!(read["up"] == 1.0 && read["rss"].as_f64().unwrap() > 1e6, "{read}");
}

type Socket = tungstenite::WebSocket<TcpStream>;

fn connect(robot: &Robot) -> Socket {
    connect_from(robot, &[]).unwrap()
}

fn websocket(robot: &Robot) -> &str {
    robot.addresses.iter().find(|address| address.starts_with("ws")).unwrap()
}

/// With these fields in the request; the status of a refusal.
fn connect_from(robot: &Robot, fields: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let address = websocket(robot);
    let mut request = address.into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "foxglove.sdk.v1".parse().unwrap());
    for (name, value) in fields {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address.trim_start_matches("ws://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(180))).unwrap();
    match tungstenite::client(request, stream) {
        Ok((socket, answer)) => {
            assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "foxglove.sdk.v1");
            Ok(socket)
        }
        Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The next JSON message that is what is looked for.
fn next(socket: &mut Socket, is_it: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            let message: serde_json::Value = serde_json::from_str(&text).unwrap();
            if is_it(&message) {
                return message;
            }
        }
    }
}

/// <https://github.com/foxglove/ws-protocol>: channels are advertised, subscribed to by the client, and their messages come
/// as opcode 1, subscription (u32), time (u64), payload; little endian.
#[test]
fn foxglove_gets_the_channels_and_messages_that_its_protocol_promises() {
    let robot = Robot::on_a_loop(&["--foxglove", "127.0.0.1:0"], 1);
    let mut socket = connect(&robot);
    let info = next(&mut socket, |_| true);
    assert_eq!(info["op"], "serverInfo");
    assert!(info["name"].as_str().unwrap().starts_with("parallax-edge"));
    let mut channels = std::collections::BTreeMap::new();
    while channels.len() < 4 {
        let advertised = next(&mut socket, |message| message["op"] == "advertise");
        for channel in advertised["channels"].as_array().unwrap() {
            channels.insert(channel["topic"].as_str().unwrap().to_owned(), channel.clone());
        }
    }
    let topics = ["/camera/left/image", "/parallax/frame", "/parallax/mask", "/parallax/overlay"];
    assert!(channels.keys().eq(&topics), "{:?}", channels.keys());
    for topic in [0, 2, 3].map(|at| topics[at]) {
        assert_eq!(
            (&channels[topic]["schemaName"], &channels[topic]["encoding"]),
            (&"foxglove.CompressedImage".into(), &"protobuf".into())
        );
    }
    let ids = topics.map(|topic| channels[topic]["id"].as_u64().unwrap());
    let subscriptions: Vec<_> =
        ids.iter().enumerate().map(|(at, id)| serde_json::json!({"id": at, "channelId": id})).collect();
    let subscribe = serde_json::json!({"op": "subscribe", "subscriptions": subscriptions});
    socket.send(Message::text(subscribe.to_string())).unwrap();

    let mut seen: [Vec<Vec<u8>>; 4] = Default::default();
    let mut times = Vec::new();
    while seen.iter().any(|messages| messages.len() < 3) {
        let Message::Binary(bytes) = socket.read().unwrap() else { continue };
        let (head, payload) = bytes.split_at(13);
        assert_eq!(head[0], 1, "message data");
        let subscription = u32::from_le_bytes(head[1..5].try_into().unwrap()) as usize;
        times.push(u64::from_le_bytes(head[5..13].try_into().unwrap()));
        seen[subscription].push(payload.to_vec());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(times.iter().all(|time| now.abs_diff(*time) < 60_000_000_000), "wall clock: {times:?}");
    for (at, topic) in topics.iter().enumerate().filter(|(at, _)| *at != 1) {
        let decoded: Vec<RgbImage> = seen[at]
            .iter()
            .map(|payload| {
                <foxglove::messages::CompressedImage as foxglove::Decode>::decode(payload.as_slice()).unwrap()
            })
            .map(|message| image::load_from_memory(&message.data).unwrap().to_rgb8())
            .collect();
        assert!(decoded.iter().all(|picture| picture.dimensions() == SIZE), "{topic}");
        assert!(decoded[0] != decoded[1], "{topic} does not move");
    }
    let line: serde_json::Value = serde_json::from_slice(&seen[1][0]).unwrap();
    assert!(line["age_ms"].is_f64() && line["frame"].is_u64(), "{line}");
}

#[test]
fn an_address_that_others_reach_is_refused_without_a_token_and_closed_to_those_who_lack_it() {
    let refused = Command::new(env!("CARGO_BIN_EXE_parallax-edge"))
        .args(["run", "--from", "x.mcap", "--bundle", "b", "--http", "0.0.0.0:0"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("token") && stderr.contains("hint: "), "{stderr}");

    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0", "--token-file", "FOLDER/token"], 1);
    let paths = ["/", "/page.js", "/stream/camera", "/status.json", "/about.json", "/metrics", "/healthz", "/nowhere"];
    for path in paths {
        assert_eq!(robot.visitor().get(path, "").0, 401, "{path}");
        assert_eq!(robot.visitor().get(path, "Authorization: Bearer a-token.of_twenty~cH\r\n").0, 401, "{path}");
    }
    let bearer = format!("Authorization: Bearer {TOKEN}\r\nHost: robot.example\r\n");
    assert_eq!(robot.visitor().get("/status.json", &bearer).0, 200);
    assert_eq!(robot.visitor().get(&format!("/metrics?token={TOKEN}"), "").0, 200);
    let (status, head, _) = robot.visitor().get(&format!("/?token={TOKEN}"), "");
    assert_eq!(status, 303, "{head}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(robot.visitor().get("/", &format!("Cookie: {cookie}\r\n")).0, 200);

    let open = Robot::on_a_loop(&["--http", "127.0.0.1:0"], 1);
    assert_eq!(open.visitor().get("/status.json", "").0, 200);
    assert_eq!(open.visitor().get("/status.json", "Host: evil.example\r\n").0, 401, "another name for this machine");
}

#[test]
fn pages_of_others_get_no_websocket_and_foxglove_and_programs_do() {
    let more = ["--foxglove", "127.0.0.1:0", "--allow-origin", "http://dashboard.lan:3000"];
    let robot = Robot::on_a_loop(&more, 1);
    for origin in [
        "https://evil.example",
        "http://localhost:8080",
        "http://127.0.0.1",
        "null",
        "https://app.foxglove.dev.evil.example",
    ] {
        assert_eq!(connect_from(&robot, &[("Origin", origin)]).err(), Some(403), "{origin}");
    }
    // A page under a name that it has resolve to this machine.
    let rebound = [("Host", "evil.example:8765"), ("Origin", "http://evil.example:8765")];
    assert_eq!(connect_from(&robot, &rebound).err(), Some(403));
    for origin in ["https://app.foxglove.dev", "https://studio.foxglove.dev", "file://", "http://dashboard.lan:3000"] {
        let mut socket = connect_from(&robot, &[("Origin", origin)]).unwrap();
        assert_eq!(next(&mut socket, |_| true)["op"], "serverInfo", "{origin}");
    }
    let mut program = connect_from(&robot, &[]).unwrap();
    assert_eq!(next(&mut program, |_| true)["op"], "serverInfo");
}

/// Numbers that look random and are the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as u8
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// A WebSocket that was opened by hand, so that anything can be said on it.
fn raw(robot: &Robot) -> TcpStream {
    let address = websocket(robot).trim_start_matches("ws://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: foxglove.sdk.v1\r\n\r\n"
    )
    .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_be_bytes();
    [&[first, 0xff], length.as_slice(), &[0; 4], payload].concat()
}

fn resident_mib(robot: &Robot) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", robot.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn nothing_that_a_websocket_client_says_takes_memory_or_ends_the_view_for_others() {
    let robot = Robot::on_a_loop(&["--foxglove", "127.0.0.1:0"], 1);
    let mut good = connect(&robot);
    next(&mut good, |message| message["op"] == "serverInfo");
    let before = resident_mib(&robot);
    let mut noise = Noise(1);
    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0].to_vec();
    let mut said: Vec<Vec<u8>> = vec![
        huge.clone(),
        [huge, vec![b'x'; 1 << 20]].concat(),
        masked(0x82, &vec![b'x'; 16 << 20]),
        // A message in parts without end, a part of nothing, an unmasked one, a control frame in parts, a wrong opcode.
        [masked(0x01, &[b'x'; 1000]), masked(0x00, &[b'x'; 1000]).repeat(20_000)].concat(),
        masked(0x80, b"{}"),
        b"\x81\x02{}".to_vec(),
        masked(0x09, b"ping"),
        masked(0x8b, b"what"),
        masked(0xf1, b"{}"),
        masked(0x81, b"\xff\xfe no text"),
        // Good frames with nonsense in them.
        masked(0x81, b"{\"op\":\"subscribe\",\"subscriptions\":[{\"id\":4294967296,\"channelId\":-1}]}"),
        masked(0x81, "[".repeat(60_000).as_bytes()),
        masked(0x82, &[1, 2, 3]),
    ];
    said.extend((0..60).map(|round| noise.bytes(1 + 37 * round)));
    said.extend((0..60).map(|round| masked(0x80 | noise.next() & 3, &noise.bytes(round))));
    for bytes in said {
        let mut stream = raw(&robot);
        // It may be gone before it has heard everything.
        let _heard = stream.write_all(&bytes);
        let _heard = stream.shutdown(std::net::Shutdown::Write);
        let _answer = stream.read_to_end(&mut Vec::new());
    }
    assert!(resident_mib(&robot) < before + 60, "{before} MiB, then {}", resident_mib(&robot));
    // The client from before is served as ever, and a new one is.
    let channels = next(&mut good, |message| message["op"] == "advertise")["channels"].clone();
    let id = channels[0]["id"].as_u64().unwrap();
    let subscribe = serde_json::json!({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": id}]});
    good.send(Message::text(subscribe.to_string())).unwrap();
    while !matches!(good.read().unwrap(), Message::Binary(_)) {}
    next(&mut connect(&robot), |message| message["op"] == "serverInfo");
}

fn descriptors(robot: &Robot) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", robot.child.id())).unwrap().count()
}

#[test]
fn two_hundred_visitors_that_dawdle_take_few_descriptors_and_who_comes_after_them_is_served() {
    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0", "--foxglove", "127.0.0.1:0"], 2);
    robot.visitor().wait_for(|status| status["state"] == "streaming");
    let (page, socket) = (robot.page().trim_start_matches("http://").trim_end_matches('/'), websocket(&robot));
    let socket = socket.trim_start_matches("ws://");
    let start = Instant::now();
    let mut dawdlers: Vec<TcpStream> = Vec::new();
    for index in 0..200 {
        // The system's queue of those who wait outside has an end too.
        let address = if index % 2 == 0 { page } else { socket }.parse().unwrap();
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) else { continue };
        // Nothing, half a line, a head without end.
        let said: &[u8] = match index / 2 % 3 {
            0 => b"",
            1 => b"GET / HT",
            _ => b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n",
        };
        let _heard = stream.write_all(said);
        dawdlers.push(stream);
    }
    assert!(dawdlers.len() > 100 && descriptors(&robot) < 200, "{} of {}", descriptors(&robot), dawdlers.len());
    // One of them says a letter now and then, which does not help.
    let mut loris = dawdlers[2].try_clone().unwrap();
    std::thread::spawn(move || {
        while loris.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    assert_eq!(robot.visitor().get("/healthz", "").0, 200);
    next(&mut connect(&robot), |message| message["op"] == "serverInfo");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    drop(dawdlers);
}

#[test]
fn a_head_that_is_too_long_and_too_many_lookers_are_sent_away() {
    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0"], 1);
    let long = format!("X: {}\r\n", "y".repeat(100_000));
    let mut answer = Vec::new();
    let _ended = robot.visitor().open("/", &long).read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let lookers: Vec<TcpStream> = (0..16).map(|_| robot.visitor().open("/stream/camera", "")).collect();
    for looker in &lookers {
        assert_eq!(pictures(looker.try_clone().unwrap(), 1).len(), 1);
    }
    assert_eq!(robot.visitor().get("/stream/camera", "").0, 503);
    assert_eq!(robot.visitor().get("/healthz", "").0, 200);
    drop(lookers);
    eventually("a place for a looker", || {
        let mut head = [0; 12];
        robot.visitor().open("/stream/camera", "").read_exact(&mut head).unwrap();
        (&head == b"HTTP/1.1 200").then_some(())
    });
}

#[test]
fn wrong_tokens_wait_and_the_right_one_does_not() {
    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0", "--token-file", "FOLDER/token"], 1);
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let start = Instant::now();
    let visitors: Vec<TcpStream> = (0..20)
        .map(|index| robot.visitor().open("/status.json", &bearer(&format!("a-token.of_twenty~{index:02}"))))
        .collect();
    assert_eq!(robot.visitor().get("/status.json", &bearer(TOKEN)).0, 200);
    for mut stream in visitors {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401") && answer.to_lowercase().contains("connection: close"), "{answer}");
        assert!(start.elapsed() >= Duration::from_millis(500), "nobody hears at once that it was wrong");
    }
}

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("PARALLAX_CHROMIUM").map(PathBuf::from);
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    named.into_iter().chain(known).find(|path| path.exists())
}

/// A tab of a Chromium without a window, spoken to in the DevTools protocol: <https://chromedevtools.github.io/devtools-protocol>.
struct Tab {
    browser: Child,
    socket: Socket,
    session: String,
    calls: u64,
    _profile: tempfile::TempDir,
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ended = self.browser.kill().and_then(|()| self.browser.wait());
    }
}

impl Tab {
    fn open(chromium: &Path, page: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Command::new(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--window-size=640,800", "--remote-debugging-port=0", "--no-first-run"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(browser.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = log.find_map(|line| line.split_once("DevTools listening on ").map(|(_, end)| end.to_owned()));
        // Nobody else reads it, and a full pipe would hold the browser up.
        std::thread::spawn(move || log.for_each(drop));
        let address = address.expect("Chromium says where it listens");
        let host = address.trim_start_matches("ws://").split('/').next().unwrap();
        let (socket, _answer) = tungstenite::client(address.as_str(), TcpStream::connect(host).unwrap()).unwrap();
        let mut tab = Self { browser, socket, session: String::new(), calls: 0, _profile: profile };
        let target = tab.call("Target.createTarget", serde_json::json!({ "url": page }));
        let attach = serde_json::json!({ "targetId": target["targetId"], "flatten": true });
        let attached = tab.call("Target.attachToTarget", attach);
        attached["sessionId"].as_str().unwrap().clone_into(&mut tab.session);
        tab
    }

    /// Calls a method of the tab, or of the browser before there is one, and waits for its result.
    fn call(&mut self, method: &str, arguments: serde_json::Value) -> serde_json::Value {
        self.calls += 1;
        let mut call = serde_json::json!({ "id": self.calls, "method": method, "params": arguments });
        if !self.session.is_empty() {
            call["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(call.to_string())).unwrap();
        let id = self.calls;
        let answer = next(&mut self.socket, |message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The value of an expression on the page.
    fn value(&mut self, expression: &str) -> serde_json::Value {
        let arguments = serde_json::json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", arguments)["result"]["value"].clone()
    }

    fn screenshot(&mut self) -> RgbImage {
        let png = self.call("Page.captureScreenshot", serde_json::json!({ "format": "png" }));
        let png = data_encoding::BASE64.decode(png["data"].as_str().unwrap().as_bytes()).unwrap();
        image::load_from_memory(&png).unwrap().to_rgb8()
    }
}

/// Tries until it is found; what never comes fails.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(180), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_browser_sees_moving_frames_and_the_state_of_the_run() {
    let Some(chromium) = chromium() else {
        println!("SKIPPED: no Chromium: install it or set PARALLAX_CHROMIUM; the page was seen by no browser");
        return;
    };
    let robot = Robot::on_a_loop(&["--http", "127.0.0.1:0"], 1);
    let mut tab = Tab::open(&chromium, robot.page());
    let state = "document.getElementById('state')?.textContent";
    eventually("the page says that it is streaming", || (tab.value(state) == "streaming").then_some(()));
    let close = |pixel: &Rgb<u8>, color: [u8; 3]| pixel.0.iter().zip(color).all(|(a, b)| a.abs_diff(b) < 24);
    // The state is white on this green.
    let badge = |shot: &RgbImage| shot.pixels().any(|pixel| close(pixel, [24, 121, 78]));
    // The overlay of the bar and of the ground, as `view` and the classes' colours make them.
    let (bar, ground) = ([252, 0, 40], [5, 90, 14]);
    let columns_of_bar = |shot: &RgbImage| -> Option<Vec<u32>> {
        let row = (0..shot.height()).find(|y| (0..shot.width()).any(|x| close(shot.get_pixel(x, *y), ground)))?;
        let row = (row + 60).min(shot.height() - 1);
        let columns: Vec<u32> = (0..shot.width()).filter(|x| close(shot.get_pixel(*x, row), bar)).collect();
        (!columns.is_empty()).then_some(columns)
    };
    let mut shot = || {
        let shot = tab.screenshot();
        badge(&shot).then(|| columns_of_bar(&shot)).flatten()
    };
    let first = eventually("a frame beside the green state", &mut shot);
    eventually("the bar at another place", || shot().filter(|columns| *columns != first));
}
