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
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            Self::Core(error) => return error.hint(),
            Self::Camera(error) => return error.hint(),
            Self::NotOnnx { .. } | Self::WrongInput { .. } | Self::WrongClasses { .. } | Self::WrongOutput { .. } => {
                "the bundle's parts do not belong together: pack it again with `parallax-train pack`"
            }
            Self::MissingOperator { .. } => {
                "export the model with `parallax-train export` of the same version as this program"
            }
            Self::NoFloatModel { .. } => "pack it with `parallax-train pack --float FILE`, or use --compare tract",
            Self::NoSuchModel { .. } => "`parallax-edge inspect BUNDLE` lists the models",
            Self::Engine { .. } => "export and pack the model again; `parallax-edge inspect BUNDLE` says what it holds",
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
            Self::NoRecorder { .. } => "the system is out of threads or memory: end other programs",
            Self::AllFramesLost { .. } => "check that --from names a recording or a folder of pictures",
        })
    }
}
