//! What a URI asks for.
//!
//! ```text
//! v4l2:/dev/video0?size=640x480&fps=30&format=yuyv&exposure=150
//! v4l2:usb-046d_HD_Webcam-video-index0            a name of /dev/v4l/by-id or by-path
//! cmd:rpicam-vid -t 0 --codec mjpeg -o -           Motion-JPEG on stdout
//! cmd:gst-launch-1.0 … ! fdsink?format=nv12&size=1280x720
//! cmd:ffmpeg -i film.mp4 -f mjpeg -?finite=yes
//! http://camera:8080/stream#split=side-by-side     behind `#`: what follows `?` is the server's
//! stereo:v4l2:/dev/video0?fps=30|v4l2:/dev/video2?fps=30#tolerance=8ms
//! drive.mcap?pace=recorded
//! ```

use crate::fourcc::{code_from, format_of_code};
use crate::{Error, Result};
use parallax_core::frame::PixelFormat;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// A recording, a folder or a picture.
    File(PathBuf, Pace),
    /// A V4L2 device by its path, by-id or by-path name.
    Device(String),
    /// A command for the shell.
    Command(String),
    /// A Motion-JPEG stream: the whole URL without what is behind `#`.
    Http(String),
    /// Two devices.
    Stereo(Box<(Request, Request)>),
}

/// Frames per second that some camera gives.
const RATES: std::ops::RangeInclusive<f64> = 1e-3..=1e4;

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Every frame, when it is asked for.
    #[default]
    Fastest,
    /// As it was recorded: who is late misses frames.
    Recorded,
}

/// What to open and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// The URI as given.
    pub(crate) uri: String,
    pub(crate) target: Target,
    pub(crate) options: Options,
}

/// What was asked for beyond the name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) format: Option<PixelFormat>,
    /// A driver's code for that format, where it has several.
    pub(crate) code: Option<u32>,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) fps: Option<f64>,
    /// Each picture holds the left and the right one side by side.
    pub(crate) side_by_side: bool,
    /// How long without a good picture is a loss.
    pub(crate) stall: Option<Duration>,
    /// How old a picture may be.
    pub(crate) max_age: Option<Duration>,
    /// Whether a command may end, having said all it had to say; otherwise its end is a loss.
    pub(crate) finite: bool,
    /// How often a recording is played.
    pub(crate) repeat: Option<u32>,
    /// How far apart in time the pictures of a pair may be.
    pub(crate) tolerance: Option<Duration>,
    pub(crate) exposure: Option<Setting>,
    pub(crate) focus: Option<Setting>,
    pub(crate) white_balance: Option<Setting>,
    /// Controls by their names, in the order given.
    pub(crate) controls: Vec<(String, i64)>,
}

/// The setting of something that the camera can also find by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Auto,
    Fixed(i64),
}

/// A kind of source: its prefix, its name for people, and the options that it takes.
type Kind = (&'static str, &'static str, &'static [&'static str]);

const LIVE: [Kind; 4] = [
    (
        "v4l2:",
        "V4L2 device",
        &["format", "size", "fps", "split", "stall", "max_age", "exposure", "focus", "white_balance", "control.NAME"],
    ),
    ("cmd:", "command", &["format", "size", "split", "stall", "max_age", "finite"]),
    ("http:", "network stream", &["split", "stall", "max_age"]),
    ("stereo:", "stereo pair", &["tolerance", "stall", "max_age"]),
];
const FILE: Kind = ("", "recording", &["pace", "repeat"]);

const GRAMMAR: &str = "sources are PATH, file:PATH, v4l2:DEVICE, cmd:COMMAND, http://HOST/PATH and stereo:LEFT|RIGHT; \
    options follow `?` (for http and stereo `#`), such as `v4l2:/dev/video0?size=640x480&fps=30`";
const RAW_LAYOUT: &str = "raw frames need both, such as `cmd:COMMAND?format=yuyv&size=640x480`";

/// Understands a URI.
///
/// # Errors
/// [`Error::Uri`] for an unknown scheme, option or value.
pub(crate) fn parse(uri: &str) -> Result<Request> {
    let refuse = |what: String, hint| Error::Uri { what, uri: uri.to_owned(), hint };
    for (scheme, hint) in [
        ("rtsp:", "let a program read it: \"cmd:ffmpeg -i rtsp://… -f mjpeg -\""),
        ("https:", "let a program fetch it: \"cmd:curl -sN https://…\""),
    ] {
        if uri.starts_with(scheme) {
            return Err(refuse(format!("{scheme} is not spoken here"), hint));
        }
    }
    let given = if uri.starts_with("/dev/") { format!("v4l2:{uri}") } else { uri.to_owned() };
    let (scheme, kind, known) = LIVE.into_iter().find(|(scheme, ..)| given.starts_with(scheme)).unwrap_or(FILE);
    let mark = if matches!(scheme, "http:" | "stereo:") { '#' } else { '?' };
    let (name, pairs) = split_options(&given[scheme.len()..], mark, |key| {
        // A command, a file name or the second of a pair may hold such a mark of its own.
        scheme == "v4l2:" || scheme == "http:" || known.contains(&key)
    });
    if name.is_empty() || name == "//" {
        return Err(refuse(format!("expected the name of a {kind}"), GRAMMAR));
    }
    let mut options = Options::default();
    let mut pace = Pace::default();
    for (key, value) in pairs {
        if let Some(control) = key.strip_prefix("control.").filter(|_| scheme == "v4l2:") {
            let value = value
                .parse()
                .map_err(|_| refuse(format!("expected a whole number for {key}, got {value:?}"), GRAMMAR))?;
            options.controls.push((control.to_owned(), value));
            continue;
        }
        if !known.contains(&key) {
            let known = known.join(", ");
            return Err(refuse(format!("a {kind} has the options {known}, got {key:?}"), GRAMMAR));
        }
        let understood =
            if key == "pace" { pace_from(value).map(|value| pace = value) } else { options.set(key, value) };
        understood.ok_or_else(|| refuse(format!("{key} cannot be {value:?}"), hint_of_value(key)))?;
    }
    let target = match scheme {
        "v4l2:" => Target::Device(name.to_owned()),
        "cmd:" => {
            let raw = options.format.is_some_and(|format| format != PixelFormat::Jpeg);
            if raw != options.size.is_some() {
                return Err(refuse("expected both format and size of raw frames, or neither".into(), RAW_LAYOUT));
            }
            Target::Command(name.to_owned())
        }
        "http:" => Target::Http(format!("http:{name}")),
        "stereo:" => Target::Stereo(Box::new(parse_pair(name, uri)?)),
        _ => Target::File(path_from(name), pace),
    };
    Ok(Request { uri: uri.to_owned(), target, options })
}

fn parse_pair(name: &str, uri: &str) -> Result<(Request, Request)> {
    let refuse = |what: &str| Error::Uri {
        what: what.to_owned(),
        uri: uri.to_owned(),
        hint: "a stereo pair is two live sources: \"stereo:v4l2:/dev/video0|v4l2:/dev/video2\"",
    };
    let (left, right) = name.split_once('|').ok_or_else(|| refuse("expected two sources with | between them"))?;
    let pair = (parse(left)?, parse(right)?);
    let live = |request: &Request| {
        matches!(request.target, Target::Device(_) | Target::Command(_) | Target::Http(_))
            && !request.options.side_by_side
    };
    if live(&pair.0) && live(&pair.1) { Ok(pair) } else { Err(refuse("expected two live sources of one picture each")) }
}

/// A plain path, or what follows `file:` or `file://`.
fn path_from(name: &str) -> PathBuf {
    Path::new(name.strip_prefix("file://").or_else(|| name.strip_prefix("file:")).unwrap_or(name)).to_path_buf()
}

/// The name and the `key=value` pairs behind the last `mark`; all of it is the name when one pair is none or its key
/// is not `acceptable`.
fn split_options(text: &str, mark: char, acceptable: impl Fn(&str) -> bool) -> (&str, Vec<(&str, &str)>) {
    let parsed = text.rsplit_once(mark).and_then(|(name, tail)| {
        let pairs: Option<Vec<_>> =
            tail.split('&').map(|pair| pair.split_once('=').filter(|(key, _)| acceptable(key))).collect();
        Some((name, pairs?))
    });
    parsed.unwrap_or((text, Vec::new()))
}

impl Options {
    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "format" => {
                self.code = code_from(value);
                self.format = Some(format_from(value).or_else(|| format_of_code(self.code?))?);
            }
            "size" => self.size = Some(size_from(value)?),
            "fps" => self.fps = Some(value.parse().ok().filter(|fps: &f64| RATES.contains(fps))?),
            "split" => self.side_by_side = (value == "side-by-side").then_some(true)?,
            "stall" => self.stall = Some(duration_from(value)?),
            "max_age" => self.max_age = Some(duration_from(value)?),
            "finite" => {
                self.finite = match value {
                    "yes" => true,
                    "no" => false,
                    _ => return None,
                }
            }
            "repeat" => self.repeat = Some(value.parse().ok().filter(|repeat| *repeat > 0)?),
            "tolerance" => self.tolerance = Some(duration_from(value)?),
            "exposure" => self.exposure = Some(setting_from(value)?),
            "focus" => self.focus = Some(setting_from(value)?),
            "white_balance" => self.white_balance = Some(setting_from(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn hint_of_value(key: &str) -> &'static str {
    match key {
        "format" => {
            "formats are a code of `parallax-edge devices`, or yuyv, uyvy, nv12, rgb8, bgr8, gray8, mjpeg, and rggb8, bggr8, grbg8, gbrg8 or the same with 10"
        }
        "size" => "a size is WIDTHxHEIGHT in pixels, such as 640x480",
        "fps" => "a rate is a number of frames per second from 0.001 to 10000, such as 30",
        "split" => "the only split is side-by-side",
        "pace" => "a pace is recorded or fastest",
        "finite" => "a command that may end is finite=yes; without it its end is the loss of a camera",
        "repeat" => "a recording is played a whole number of times, such as repeat=10",
        "exposure" | "focus" | "white_balance" => "a setting is auto or a whole number in the device's own units",
        _ => "a duration is a positive number with ms or s, such as 500ms or 2s",
    }
}

fn pace_from(value: &str) -> Option<Pace> {
    match value {
        "fastest" => Some(Pace::Fastest),
        "recorded" => Some(Pace::Recorded),
        _ => None,
    }
}

/// Our names, and what the tools call them.
fn format_from(name: &str) -> Option<PixelFormat> {
    let name = name.to_ascii_lowercase();
    PixelFormat::from_name(match name.as_str() {
        "yuy2" | "yuyv422" => "yuyv",
        "uyvy422" => "uyvy",
        "rgb24" | "rgb" => "rgb8",
        "bgr24" | "bgr" => "bgr8",
        "grey" | "gray" => "gray8",
        "jpeg" | "mjpg" => "mjpeg",
        other => other,
    })
}

fn size_from(value: &str) -> Option<(u32, u32)> {
    let (width, height) = value.split_once('x')?;
    let side = |text: &str| text.parse().ok().filter(|side| (1..=65535).contains(side));
    Some((side(width)?, side(height)?))
}

fn duration_from(value: &str) -> Option<Duration> {
    let (number, unit) = match value.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (value.strip_suffix('s')?, 1.0),
    };
    let secs = number.parse::<f64>().ok()? * unit;
    // A day: beyond that something else was meant.
    (secs > 0.0 && secs <= 86400.0).then(|| Duration::from_secs_f64(secs))
}

fn setting_from(value: &str) -> Option<Setting> {
    if value == "auto" { Some(Setting::Auto) } else { value.parse().ok().map(Setting::Fixed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Target {
        parse(uri).unwrap().target
    }

    #[test]
    fn paths_and_file_uris_name_files() {
        for (uri, path) in [
            ("drive.mcap", "drive.mcap"),
            ("a b/c", "a b/c"),
            ("what?.mcap", "what?.mcap"),
            ("what?a=b", "what?a=b"),
            ("file:drive", "drive"),
            ("file:///data/drive", "/data/drive"),
            ("file:/data/drive", "/data/drive"),
        ] {
            assert_eq!(target(uri), Target::File(path.into(), Pace::Fastest), "{uri}");
        }
        assert_eq!(parse("drive.mcap?pace=recorded&repeat=20").unwrap().options.repeat, Some(20));
        assert_eq!(target("file:drive?pace=recorded"), Target::File("drive".into(), Pace::Recorded));
    }

    #[test]
    fn devices_take_sizes_rates_formats_and_settings() {
        assert_eq!(target("/dev/video2"), Target::Device("/dev/video2".into()));
        let request =
            parse("v4l2:/dev/video0?size=640x480&fps=29.97&format=YUY2&exposure=150&focus=auto&control.gain=-3")
                .unwrap();
        assert_eq!(request.target, Target::Device("/dev/video0".into()));
        let options = request.options;
        assert_eq!((options.size, options.fps), (Some((640, 480)), Some(29.97)));
        assert_eq!(options.format, Some(PixelFormat::Yuyv));
        assert_eq!((options.exposure, options.focus), (Some(Setting::Fixed(150)), Some(Setting::Auto)));
        assert_eq!(options.controls, [("gain".to_owned(), -3)]);
        let planes = parse("v4l2:/dev/video0?format=NM12").unwrap().options;
        assert_eq!((planes.format, planes.code), (Some(PixelFormat::Nv12), Some(u32::from_le_bytes(*b"NM12"))));
    }

    #[test]
    fn a_command_keeps_its_question_marks_and_an_address_its_query() {
        assert_eq!(target("cmd:test -e a?b && cat c"), Target::Command("test -e a?b && cat c".into()));
        let raw = parse("cmd:cat a?b=c?format=gray&size=8x4").unwrap();
        assert_eq!(raw.target, Target::Command("cat a?b=c".into()));
        assert_eq!((raw.options.format, raw.options.size), (Some(PixelFormat::Gray8), Some((8, 4))));
        let film = parse("cmd:ffmpeg -i a?b.mp4 -f mjpeg -?finite=yes").unwrap();
        assert_eq!(film.target, Target::Command("ffmpeg -i a?b.mp4 -f mjpeg -".into()));
        assert!(film.options.finite && !raw.options.finite);
        let http = parse("http://cam:8080/?action=stream#stall=5s").unwrap();
        assert_eq!(http.target, Target::Http("http://cam:8080/?action=stream".into()));
        assert_eq!(http.options.stall, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_stereo_pair_is_two_sources_with_options_of_their_own() {
        let request = parse("stereo:/dev/video0|/dev/video2#tolerance=8ms").unwrap();
        assert_eq!(request.options.tolerance, Some(Duration::from_millis(8)));
        let request = parse("stereo:v4l2:/dev/video0?fps=30|v4l2:/dev/video2?fps=30").unwrap();
        let Target::Stereo(pair) = request.target else { panic!("{request:?}") };
        assert_eq!(pair.0.options.fps, Some(30.0));
        assert_eq!(pair.1.target, Target::Device("/dev/video2".into()));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_by_name_with_a_way_out() {
        for (uri, said) in [
            ("rtsp://robot/1", "rtsp:"),
            ("https://robot/1", "https:"),
            ("v4l2:", "name of a V4L2 device"),
            ("v4l2:/dev/video0?sise=640x480", "sise"),
            ("v4l2:/dev/video0?size=640", "640"),
            ("v4l2:/dev/video0?fps=0", "fps"),
            ("v4l2:/dev/video0?format=h264", "h264"),
            ("v4l2:/dev/video0?control.gain=much", "much"),
            ("cmd:cat x?format=yuyv", "both format and size"),
            ("cmd:cat x?size=2x2", "both format and size"),
            ("cmd:cat x?stall=5", "stall"),
            ("cmd:cat x?finite=maybe", "finite"),
            ("http://", "name of a network stream"),
            ("stereo:/dev/video0", "two sources"),
            ("stereo:/dev/video0|drive.mcap", "two live sources"),
            ("drive?pace=slow", "slow"),
            ("drive?repeat=0", "repeat"),
        ] {
            let error = parse(uri).unwrap_err();
            assert!(error.to_string().contains(said) && error.to_string().contains(uri), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
