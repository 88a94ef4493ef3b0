//! The command line, as written.

use clap::{Args, Parser, Subcommand, ValueEnum};
use parallax_calib::capture::sharpness::WIDEST_PX;
use parallax_core::board::Board;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Camera files: what a camera sees where.
#[derive(Debug, Parser)]
#[command(name = "parallax-calib", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make camera.yaml (and camera_right.yaml) from another form or from numbers.
    Convert(ConvertArgs),
    /// Check a camera file and print what it says.
    Show(ShowArgs),
    /// Undistort (and, for a pair, rectify) pictures or a recording.
    Undistort(UndistortArgs),
    /// Write a board to print, as PDF or SVG at true scale.
    Board(BoardArgs),
    /// Take views of a board with a camera, guided, and find the camera from them.
    Capture(CaptureArgs),
    /// Find a camera, or a stereo pair, from pictures of a board.
    Solve(SolveArgs),
    /// Say from new pictures of a board whether a camera still is what its file says.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  parallax-calib board chessboard:9x6:25mm --out board.pdf
  parallax-calib board charuco:8x11:20mm:15mm:5x5_100 --paper letter --out board.svg
  parallax-calib board aprilgrid:6x6:88mm:0.3 --out board.pdf

Dictionaries of ChArUco boards: 4x4_50, 4x4_100, 4x4_250, 4x4_1000, the same for 5x5, 6x6 and 7x7, original, mip_36h12,
tag16h5, tag25h9, tag36h11.")]
pub(crate) struct BoardArgs {
    /// chessboard:COLUMNSxROWS:SQUARE (inner corners), charuco:COLUMNSxROWS:SQUARE:MARKER[:DICTIONARY] (squares) or
    /// aprilgrid:COLUMNSxROWS:TAG[:SPACING] (tags)
    pub(crate) board: Board,
    /// a4 to a0, letter, tabloid or WIDTHxHEIGHTmm; without it the smallest ISO sheet that holds the board
    #[arg(long)]
    pub(crate) paper: Option<String>,
    /// The file to write, .pdf or .svg
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// What is seen, and what is to be found.
#[derive(Debug, Args)]
pub(crate) struct TaskArgs {
    /// The board, such as chessboard:9x6:25mm; `solve --help` lists the kinds
    #[arg(long)]
    pub(crate) board: Board,
    /// The lens model
    #[arg(long, value_enum, default_value_t = LensName::PlumbBob)]
    pub(crate) model: LensName,
    /// Estimate how far the board is bent
    #[arg(long)]
    pub(crate) bent: bool,
    /// End with 3 unless the verdict is at least this good; the files are written either way
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = Required::Usable)]
    pub(crate) require: Required,
}

/// The verdict that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Required {
    /// Right to some pixels: enough to train depth
    Usable,
    /// Right to a fraction of a pixel all over the picture
    Good,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  parallax-calib capture --from /dev/video0 --board chessboard:9x6:25mm --out views
  parallax-calib capture --from 'v4l2:/dev/video0?size=1280x800&fps=30' --board charuco:8x11:20mm:15mm --out views --http
  parallax-calib capture --from 'stereo:/dev/video0|/dev/video2' --board aprilgrid:6x6:88mm:0.3 --out views
  parallax-calib capture --from walk.mcap --board chessboard:9x6:25mm --out views --json
  parallax-calib capture --from photographs/ --stills --board chessboard:9x6:25mm --out views
  parallax-calib capture --from /dev/video0 --board chessboard:9x6:25mm --out views --resume

Move the board about. A view is kept when the board is still for a moment, sharp, and held as in no view before; what is
missing is said in words. Ctrl-C ends, and so do --views views with which the verdict is good, or twice as many; then the
camera is solved as by `solve`. Every view is written at once, without loss, to OUT/left (and OUT/right for a pair):
OUT/capture.json says how to solve them again.
Exit code 3: done, but pictures were lost or did not belong, or the views do not determine the camera (or not as well as
--require asks); the files are written either way, and say so.")]
pub(crate) struct CaptureArgs {
    /// A camera (v4l2:DEVICE, cmd:COMMAND, http://HOST/PATH, stereo:LEFT|RIGHT), a recording or a folder of pictures; see
    /// docs/cameras.md
    #[arg(long, value_name = "URI")]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) task: TaskArgs,
    /// The folder for the views and camera.yaml
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Go on with the views that are in the folder
    #[arg(long)]
    pub(crate) resume: bool,
    /// Views to take at least
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(3..=500))]
    pub(crate) views: u32,
    /// The pictures are single photographs, not a film: whether the board moves does not follow from the picture before
    #[arg(long)]
    pub(crate) stills: bool,
    /// The widest edges (10 to 90 %) between the board's fields that are sharp, pixels
    #[arg(long, value_name = "PX", default_value_t = WIDEST_PX, value_parser = edge_width)]
    pub(crate) edge_width: f64,
    /// Serve a page with the live picture and what to do next
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = HTTP)]
    pub(crate) http: Option<SocketAddr>,
    /// The file with the token that --http asks visitors for; needed where others can reach it
    #[arg(long, value_name = "FILE", requires = "http")]
    pub(crate) token_file: Option<PathBuf>,
    /// Write a page to look at in the end: residuals, coverage, uncertainty, views
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Print one JSON object for every picture, every solution and the end
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the page is when nothing else is said.
const HTTP: &str = "127.0.0.1:8090";

fn edge_width(text: &str) -> Result<f64, String> {
    let width = text.parse().ok().filter(|width| (1.0..=40.0).contains(width));
    width.ok_or_else(|| "expected pixels from 1 to 40".to_owned())
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  parallax-calib solve pictures/ --board chessboard:9x6:25mm --out camera.yaml
  parallax-calib solve 'left*.jpg' --right 'right*.jpg' --board chessboard:9x6:25mm --out camera.yaml
  parallax-calib solve pictures/ --board chessboard:9x6:25mm --out camera.yaml --report report.html
  parallax-calib solve fisheye/ --board aprilgrid:6x6:88mm:0.3 --model equidistant --out camera.yaml --json

Boards: chessboard:COLUMNSxROWS:SQUARE (inner corners), charuco:COLUMNSxROWS:SQUARE:MARKER[:DICTIONARY] (squares),
aprilgrid:COLUMNSxROWS:TAG[:SPACING] (tags; spacing is the gap as a part of a tag).
With --right, the right camera goes to NAME_right.yaml beside --out, and both files hold the rectification.
The verdict (good, usable, not determined) stands in a comment at the head of the file.
Exit code 3: done, but pictures were unreadable or did not belong (they are named), or the views do not determine the
camera (or not as well as --require asks); the files are written either way, and say so.")]
pub(crate) struct SolveArgs {
    /// Pictures of the board: files, folders, quoted patterns such as 'left*.jpg', or recordings
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Pictures of the right camera of a pair, taken at the same moments, in the same order
    #[arg(long, value_name = "IMAGES", num_args = 1..)]
    pub(crate) right: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) task: TaskArgs,
    /// The camera file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Write a page to look at: residuals, coverage, uncertainty, views
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Add every corner that was used to the JSON object
    #[arg(long, requires = "json")]
    pub(crate) corners: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  parallax-calib check camera.yaml new/ --board chessboard:9x6:25mm
  parallax-calib check camera.yaml 'left*.jpg' --right 'right*.jpg' --board chessboard:9x6:25mm --json

With --right the camera file is the left one; the right one is NAME_right beside it.
Exit code 0: unchanged; 3: changed, or the pictures cannot tell.")]
pub(crate) struct CheckArgs {
    /// The camera file, in any form that `convert` reads
    pub(crate) camera: PathBuf,
    /// Pictures of the board: files, folders, quoted patterns such as 'left*.jpg', or recordings
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Pictures of the right camera of a pair, taken at the same moments, in the same order
    #[arg(long, value_name = "IMAGES", num_args = 1..)]
    pub(crate) right: Vec<PathBuf>,
    /// The board, such as chessboard:9x6:25mm
    #[arg(long)]
    pub(crate) board: Board,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl LensName {
    /// ROS's name.
    pub(crate) const fn ros_name(self) -> &'static str {
        match self {
            Self::PlumbBob => "plumb_bob",
            Self::RationalPolynomial => "rational_polynomial",
            Self::Equidistant => "equidistant",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum LensName {
    /// k1, k2, p1, p2, k3: ordinary lenses
    PlumbBob,
    /// k1, k2, p1, p2, k3 to k6: wide lenses up to about 120 degrees
    RationalPolynomial,
    /// k1 to k4 of the angle: fisheye lenses
    Equidistant,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A file with `fx fy cx cy [baseline_m]`, size taken from the images:
    parallax-calib convert drive/intrinsics.txt --images drive --out camera.yaml
  KITTI, for images that were resized to 640x192:
    parallax-calib convert calib_cam_to_cam.txt --resize 640x192 --out camera.yaml
    parallax-calib convert calib.txt --size 1241x376 --pair gray --resize 640x192 --out camera.yaml
  Numbers from a data sheet:
    parallax-calib convert --fx 500 --fy 500 --cx 319.5 --cy 239.5 --size 640x480 --baseline 0.12 --out camera.yaml
  Kalibr, OpenCV and Foxglove, in and out:
    parallax-calib convert camchain.yaml --out camera.yaml
    parallax-calib convert stereo_calib.yml --size 640x480 --unit mm --out camera.yaml
    parallax-calib convert intrinsics.yml --extrinsics extrinsics.yml --size 640x480 --unit mm --out camera.yaml
    parallax-calib convert fisheye.yml --model equidistant --size 640x480 --out camera.yaml
    parallax-calib convert camera.yaml --format kalibr --out camchain.yaml
    parallax-calib convert camera.yaml --format opencv --out camera.xml
  Two files of one pair (ROS, EuRoC, mrcal, OpenCV):
    parallax-calib convert left.yaml --right right.yaml --out camera.yaml
    parallax-calib convert mav0/cam0/sensor.yaml --right mav0/cam1/sensor.yaml --out camera.yaml
  What `ros2 topic echo` says, and a bare camera matrix:
    ros2 topic echo --once /camera/camera_info > info.txt && parallax-calib convert info.txt --out camera.yaml
    parallax-calib convert K.txt --size 640x480 --out camera.yaml
  The calibration in a recording:
    parallax-calib convert drive.mcap --out camera.yaml
  A camera file for smaller pictures:
    parallax-calib convert camera.yaml --resize 320x240 --out camera_small.yaml

The forms of ROS and Foxglove hold one camera: the right camera of a pair goes to NAME_right beside --out, and is read
from there. A key that is not understood is refused, because it may be the lens.")]
pub(crate) struct ConvertArgs {
    /// ROS camera_info, `ros2 topic echo` or ost.txt, Kalibr or OpenVINS camchain, OpenCV FileStorage (YAML, XML, JSON),
    /// Foxglove CameraCalibration (JSON), EuRoC sensor.yaml, mrcal .cameramodel, KITTI calib.txt or calib_cam_to_cam.txt, a 3x3
    /// matrix (text, .npy), a file with `fx fy cx cy [baseline_m]`, or a recording
    #[arg(required_unless_present = "fx", conflicts_with_all = ["fx", "fy", "cx", "cy", "baseline"])]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) numbers: Option<Numbers>,
    /// Size of the pictures that the numbers belong to
    #[arg(long, value_name = "WxH")]
    pub(crate) size: Option<Size>,
    /// A recording, folder of images or image that has this size
    #[arg(long, value_name = "PATH", conflicts_with = "size")]
    pub(crate) images: Option<PathBuf>,
    /// Which of KITTI's two stereo pairs
    #[arg(long, value_enum, default_value_t = PairName::Color)]
    pub(crate) pair: PairName,
    /// The right camera's file, where each camera of a pair has its own
    #[arg(long, value_name = "FILE", requires = "input")]
    pub(crate) right: Option<PathBuf>,
    /// The file that says where the right camera is (R and T), where the cameras' own do not
    #[arg(long, value_name = "FILE", requires = "input")]
    pub(crate) extrinsics: Option<PathBuf>,
    /// The lens model, where the file has coefficients but does not say of which
    #[arg(long, value_enum, requires = "input")]
    pub(crate) model: Option<LensName>,
    /// Pass over this key, which says nothing about how the camera sees; may be given several times
    #[arg(long, value_name = "KEY", requires = "input")]
    pub(crate) ignore: Vec<String>,
    /// Unit of the lengths in an OpenCV file: that of the board's squares
    #[arg(long, value_enum)]
    pub(crate) unit: Option<Unit>,
    /// Make the file for pictures resized to this size
    #[arg(long, value_name = "WxH")]
    pub(crate) resize: Option<Size>,
    /// The form to write
    #[arg(long, value_enum, default_value_t = FormatName::Ros)]
    pub(crate) format: FormatName,
    /// The camera file to write; with --format opencv, a name in .xml makes it XML
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[group(requires_all = ["fx", "fy", "cx", "cy"], multiple = true)]
pub(crate) struct Numbers {
    /// Horizontal focal length in pixels
    #[arg(long, required = false)]
    pub(crate) fx: f64,
    /// Vertical focal length in pixels
    #[arg(long, required = false)]
    pub(crate) fy: f64,
    /// Column of the principal point, pixel centres at integers
    #[arg(long, required = false)]
    pub(crate) cx: f64,
    /// Row of the principal point
    #[arg(long, required = false)]
    pub(crate) cy: f64,
    /// Distance to the right camera in metres
    #[arg(long, value_name = "METRES")]
    pub(crate) baseline: Option<f64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  parallax-calib show camera.yaml
  parallax-calib show camera_right.yaml --json")]
pub(crate) struct ShowArgs {
    /// ROS camera_info YAML
    pub(crate) file: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatName {
    /// camera_info YAML, which everything else here reads
    Ros,
    /// Camchain YAML
    Kalibr,
    /// FileStorage, YAML or XML
    Opencv,
    /// CameraCalibration as JSON
    Foxglove,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Unit {
    /// Millimetres
    Mm,
    /// Centimetres
    Cm,
    /// Metres
    M,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PairName {
    /// Cameras 2 and 3
    Color,
    /// Cameras 0 and 1
    Gray,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  parallax-calib undistort drive.mcap --out plain.mcap
  parallax-calib undistort pictures/ --camera camera.yaml --out plain/
  parallax-calib undistort stereo/ --camera camera.yaml --out rectified.mcap      # with camera_right.yaml beside it

The camera comes from the recording or folder itself, or from --camera. Depth, poses and ranges of a recording are turned
with the pictures.")]
pub(crate) struct UndistortArgs {
    /// A recording, a folder of pictures or a picture
    pub(crate) input: PathBuf,
    /// The calibration, in any form that `convert` reads
    #[arg(long, value_name = "FILE")]
    pub(crate) camera: Option<PathBuf>,
    /// A recording (NAME.mcap) or a new folder of PNG pictures with their camera.yaml
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Width and height as in `640x480`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        match parts {
            Some((width, height)) if width > 0 && height > 0 => Ok(Self { width, height }),
            _ => Err("expected WIDTHxHEIGHT, such as 640x480".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Flags of other programs that hints of these rooms name: of `parallax-edge`, `parallax-train`, cargo and ROS.
    const OF_OTHERS: [&str; 5] = ["--any-camera", "--count", "--release", "--features", "--once"];

    #[test]
    fn flags_that_hints_name_are_there() {
        let mut known: Vec<String> = OF_OTHERS.iter().map(ToString::to_string).collect();
        for command in Cli::command().get_subcommands() {
            known.extend(command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?))));
        }
        known.push("--help".to_owned());
        let mut looked_at = 0;
        for room in ["core", "calib"] {
            for source in sources(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(room).join("src")) {
                let text = std::fs::read_to_string(&source).unwrap();
                let program = text.split("#[cfg(test)]").next().unwrap_or_default();
                // Of what core says, hints that name this program.
                let is_ours = |line: &&str| room == "calib" || line.contains("parallax-calib");
                let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
                for line in lines.filter(is_ours) {
                    for flag in flags_in(line) {
                        looked_at += 1;
                        assert!(known.contains(&flag), "{flag} in {}: {line}", source.display());
                    }
                }
            }
        }
        assert!(looked_at > 50, "{looked_at}");
    }

    fn flags_in(line: &str) -> Vec<String> {
        let begins = line.match_indices("--").filter(|(place, _)| {
            !line[..*place].ends_with(|before: char| before.is_alphanumeric() || before == '-' || before == '{')
        });
        let names = begins.map(|(place, _)| {
            let is_of_flag = |letter: &char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || *letter == '-';
            line[place + 2..].chars().take_while(is_of_flag).collect::<String>()
        });
        let flags = names.filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase()));
        flags.map(|name| format!("--{}", name.trim_end_matches('-'))).collect()
    }

    fn sources(folder: &std::path::Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.ends_with("tests") {
                found.extend(sources(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") && !name.ends_with("tests.rs") {
                found.push(path);
            }
        }
        found
    }

    #[test]
    fn sizes_need_two_positive_numbers() {
        assert_eq!("640x192".parse(), Ok(Size { width: 640, height: 192 }));
        for wrong in ["640", "640x", "0x192", "640X192", "640x-1"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
