//! What can go wrong on the board, each with its remedy.

use std::path::PathBuf;

/// The result of a step on the board.
pub type Result<T, E = EdgeError> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// A bundle, recording, labelled set or picture is not usable.
    #[error(transparent)]
    Core(#[from] parallax_core::Error),
    /// The frames do not come.
    #[error(transparent)]
    Camera(#[from] parallax_camera::Error),
    /// A bundle's model file is not an ONNX model.
    #[error("{file} is not an ONNX model: {reason}: {}", bundle.display())]
    NotOnnx {
        /// The file in the bundle.
        file: String,
        /// What the decoder said.
        reason: String,
        /// The bundle.
        bundle: PathBuf,
    },
    /// A model needs an operator that this program does not have.
    #[error("missing operator {operator} (node {node} of {file}): {}", bundle.display())]
    MissingOperator {
        /// The operator.
        operator: String,
        /// The node that needs it.
        node: String,
        /// The file in the bundle.
        file: String,
        /// The bundle.
        bundle: PathBuf,
    },
    /// A model's input does not have the size that the bundle promises.
    #[error("wrong input size: the bundle promises {expected:?}, {file} takes {found:?}: {}", bundle.display())]
    WrongInput {
        /// `[1, 3, height, width]` from the contract.
        expected: Vec<usize>,
        /// What the model takes.
        found: Vec<usize>,
        /// The file in the bundle.
        file: String,
        /// The bundle.
        bundle: PathBuf,
    },
    /// A model gives another number of classes than the bundle names.
    #[error("wrong class count: the bundle names {expected} classes, {file} gives {found}: {}", bundle.display())]
    WrongClasses {
        /// Classes in the bundle.
        expected: usize,
        /// Channels of the model's output.
        found: usize,
        /// The file in the bundle.
        file: String,
        /// The bundle.
        bundle: PathBuf,
    },
    /// A model's output is no `[1, classes, height, width]` of the input's size.
    #[error("wrong output shape: expected {expected:?}, {file} gives {found:?}: {}", bundle.display())]
    WrongOutput {
        /// `[1, classes, height, width]` from the contract.
        expected: Vec<usize>,
        /// What the model gives.
        found: Vec<usize>,
        /// The file in the bundle.
        file: String,
        /// The bundle.
        bundle: PathBuf,
    },
    /// The bundle holds no such model.
    #[error("the bundle has no model with the role {role:?}, only {known}: {}", bundle.display())]
    NoSuchModel {
        /// What was asked for.
        role: String,
        /// What there is.
        known: String,
        /// The bundle.
        bundle: PathBuf,
    },
    /// There is no float model to compare with.
    #[error("the bundle has no float model: {}", bundle.display())]
    NoFloatModel {
        /// The bundle.
        bundle: PathBuf,
    },
    /// The golden frame gives another mask than it did when the bundle was packed, or none that tells classes apart.
    #[error("the golden frame is {found}: {}", bundle.display())]
    NotGolden {
        /// What came out.
        found: crate::golden::GoldenCheck,
        /// The bundle.
        bundle: PathBuf,
    },
    /// The inference engine failed.
    #[error("the engine cannot {doing} {file}: {reason}: {}", bundle.display())]
    Engine {
        /// `load` or `run`.
        doing: &'static str,
        /// What the engine said.
        reason: String,
        /// The file in the bundle.
        file: String,
        /// The bundle.
        bundle: PathBuf,
    },
    /// The system does not start the threads that share a frame.
    #[error("cannot start {threads} threads: {source}")]
    NoThreads {
        /// Threads asked for.
        threads: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// Threads cannot have a core each.
    #[error("expected a core for each of {threads} threads, got {cores}")]
    TooFewCores {
        /// Threads asked for.
        threads: usize,
        /// Cores that the program may use.
        cores: usize,
    },
    /// The labelled set has other classes than the bundle.
    #[error("the labelled set has other classes than the bundle: {what}: {}", path.display())]
    OtherClasses {
        /// The difference.
        what: String,
        /// The labelled set.
        path: PathBuf,
    },
    /// Nothing is left to score.
    #[error("no pictures left to score: {what}: {}", path.display())]
    NothingToScore {
        /// Why.
        what: String,
        /// The labelled set.
        path: PathBuf,
    },
    /// The region to look at is not inside the pictures.
    #[error("the region {region} reaches out of pictures of {}x{}", picture.0, picture.1)]
    RegionOutside {
        /// The region.
        region: crate::framing::Region,
        /// Width and height of the pictures.
        picture: (u32, u32),
    },
    /// The camera file to undistort with is for other pictures.
    #[error("the camera file is for pictures of {}x{}, these have {}x{}", camera.0, camera.1, picture.0, picture.1)]
    OtherCamera {
        /// Width and height in the camera file.
        camera: (u32, u32),
        /// Width and height of the pictures.
        picture: (u32, u32),
    },
    /// The temperature cannot be read.
    #[error("cannot read the temperature: {source}: {}", path.display())]
    Sensor {
        /// What the system said, or what was found.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// A configuration file, or the options together, ask for what cannot be.
    #[error("{what}{}", path.as_ref().map(|path| format!(": {}", path.display())).unwrap_or_default())]
    Settings {
        /// Expected and found.
        what: String,
        /// The file, where it came from one.
        path: Option<PathBuf>,
        /// The remedy.
        hint: &'static str,
    },
    /// Live views cannot be served.
    #[error("cannot serve {what}: {source}: {address}")]
    Serve {
        /// What was to be served.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// Where.
        address: String,
    },
    /// The output folder holds something already.
    #[error("the output folder is not empty: {}", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// There is no room for more of a recording, and nothing to throw away for it.
    #[error("recording stops: {what}: {}", path.display())]
    NoRoom {
        /// Which limit was met.
        what: String,
        /// The folder.
        path: PathBuf,
    },
    /// There is no room for more masks.
    #[error("no more masks are written: {what}: {}", path.display())]
    OutFull {
        /// Which limit was met.
        what: String,
        /// The folder.
        path: PathBuf,
    },
    /// A thread cannot be started, or ended before its time.
    #[error("the recorder's thread {what}")]
    NoRecorder {
        /// What happened to it.
        what: String,
    },
    /// No frame of a recording could be read.
    #[error("none of the {frames} frames could be read; the first: {first}")]
    AllFramesLost {
        /// Frames tried.
        frames: usize,
        /// What happened to the first.
        first: String,
    },
}

impl EdgeError {
    /// Whether the network gave no numbers for a frame. There is no mask of that frame then; the next may be well.
    pub fn is_non_finite(&self) -> bool {
        matches!(self, Self::Core(parallax_core::Error::NonFiniteLogits { .. }))
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            Self::Core(error) => return error.hint(),
            Self::Camera(error) => return error.hint(),
            Self::NotOnnx { .. } | Self::WrongInput { .. } | Self::WrongClasses { .. } | Self::WrongOutput { .. } => {
                "the bundle's parts do not belong together: pack it again with `parallax-train pack`"
            }
            Self::MissingOperator { operator, .. } if operator.starts_with("QLinear") || operator == "QGemm" => {
                "this is the older form of int8: quantize again in QDQ form (onnxruntime: QuantFormat.QDQ)"
            }
            Self::MissingOperator { .. } => {
                "export the model with `parallax-train export` of the same version as this program"
            }
            Self::NoFloatModel { .. } => "pack it with `parallax-train pack --float FILE`, or use --compare tract",
            Self::NoSuchModel { .. } => "`parallax-edge inspect BUNDLE` lists the models",
            Self::Engine { .. } => "export and pack the model again; `parallax-edge inspect BUNDLE` says what it holds",
            Self::NotGolden { .. } => {
                "the model's masks are not to be trusted here: pack it again, from a model whose answers were checked \
                 (`parallax-train quantize` compares them with the float model's); `run --no-golden` goes on all the same"
            }
            Self::RegionOutside { .. } => "`--roi x,y,width,height` is in pixels of the camera's picture",
            Self::OtherCamera { .. } => {
                "calibrate at the size that the camera gives here, or ask for that size with ?size="
            }
            Self::Sensor { .. } => {
                "`--thermal-sensor FILE` names a file with thousandths of a degree: /sys/class/thermal/thermal_zone*/temp"
            }
            Self::Settings { hint, .. } => hint,
            Self::Serve { .. } => "another program may have that port: choose one with ADDRESS:PORT",
            Self::OtherClasses { .. } => "give the classes that the bundle was trained with through --classes FILE",
            Self::NothingToScore { .. } => {
                "give other pictures, or --include-training to score those trained on as well"
            }
            Self::NoThreads { .. } => "ask for fewer threads",
            Self::TooFewCores { .. } => "ask for fewer threads, or leave --pin out",
            Self::Occupied { .. } => "choose another --out, or remove what is there",
            Self::NoRoom { .. } => {
                "free space, choose another --out, or give --budget, which throws away what is worth least"
            }
            Self::OutFull { .. } => {
                "what is there is whole; free space, choose another --out, or give --log, which keeps the newest masks"
            }
            Self::NoRecorder { .. } => "the system is out of threads or memory: end other programs",
            Self::AllFramesLost { .. } => "check that --from names a recording or a folder of pictures",
        })
    }
}
