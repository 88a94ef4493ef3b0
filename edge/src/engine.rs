//! A bundle's model in tract, checked against what the bundle promises before the first frame.
//!
//! int8 (QDQ) files run in integers, in operators of our own (`crate::int8`, `parallax-kernels`) inside tract's plan. tract
//! itself computes such files in float: the answers of the int8 file at less than the speed of the float file.

use std::sync::Arc;

use parallax_core::bundle::{Bundle, BundledModel};
use parallax_core::labels::Classes;
use parallax_core::model_input::ModelInput;
use parallax_kernels::Isa;
use parallax_kernels::shape::PictureShape;
use parallax_kernels::team::Team;
use parallax_onnx::{ModelProto, model_file};
use tract_onnx::prelude::*;

use crate::cores::{self, Placement};
use crate::int8::{self, Fused, Left};
use crate::{EdgeError, Result};

/// How models are run.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// How int8 files are computed.
    pub int8: Int8Files,
    /// The instructions that integers are computed with.
    pub isa: Isa,
    /// Threads that share each int8 operator of a frame.
    pub threads: usize,
    /// Where those run.
    pub placement: Placement,
}

/// How int8 (QDQ) files are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Int8Files {
    /// In integers, by our own operators, as far as they are recognised.
    InIntegers,
    /// In float, by tract.
    InFloat,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { int8: Int8Files::InIntegers, isa: Isa::best(), threads: 1, placement: Placement::Anywhere }
    }
}

/// A model ready to run, with the contract it runs under. Cheap to clone; shared by all workers.
#[derive(Debug, Clone)]
pub struct Engine {
    plan: Arc<TypedRunnableModel>,
    input: ModelInput,
    classes: Classes,
    place: Place,
    left: Arc<[Left]>,
    kept: Arc<[String]>,
    logits: Logits,
    placement: Placement,
}

/// What a model gives.
#[derive(Debug, Clone)]
pub(crate) enum Logits {
    /// f32 `[1, classes, height, width]`.
    Float,
    /// u8 `[1, height, width, classes]`, and the threads that share the work on them.
    Integers(PictureShape, Arc<Team>),
}

/// Where a model is, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: String,
    bundle: std::path::PathBuf,
}

impl Engine {
    /// Loads a bundle's model: the one with the role `role`, else the first.
    ///
    /// # Errors
    /// A missing operator, an input or output that is not what the manifest promises, another number of classes, a file
    /// that is no model.
    pub fn load(bundle: &Bundle, role: Option<&str>) -> Result<Self> {
        Self::load_with(bundle, role, EngineConfig::default())
    }

    /// The same, run as `config` says.
    ///
    /// # Errors
    /// As [`Self::load`]; or the system does not start the threads, or has too few cores to pin them to.
    pub fn load_with(bundle: &Bundle, role: Option<&str>, config: EngineConfig) -> Result<Self> {
        let model = find_model(bundle, role)?;
        let place = Place { file: model.file.clone(), bundle: bundle.path().to_path_buf() };
        let TypedFile { model: typed, left, kept, logits } = typed_model(bundle, model, config)?;
        let manifest = bundle.manifest();
        place.check_shapes(&typed, &logits, &manifest.input, manifest.classes.len())?;
        let plan = place.engine("load", || typed.into_optimized()?.into_runnable())?;
        let (input, classes) = (manifest.input, manifest.classes.clone());
        let (left, kept, placement) = (left.into(), kept.into(), config.placement);
        Ok(Self { plan, input, classes, place, left, kept, logits, placement })
    }

    /// The contract between a picture and the model's numbers.
    pub fn input(&self) -> &ModelInput {
        &self.input
    }

    /// The classes, in the order of the model's output.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Puts the calling thread where the engine's threads are meant to be: to be called once by a thread that is going to
    /// run frames, and by one thread only if they are pinned.
    pub fn place_caller(&self) {
        cores::place_caller(self.placement);
    }

    pub(crate) fn plan(&self) -> &Arc<TypedRunnableModel> {
        &self.plan
    }

    /// What the model gives.
    pub(crate) fn logits(&self) -> &Logits {
        &self.logits
    }

    /// What the file quantises and tract computes in float all the same.
    pub(crate) fn left(&self) -> &[Left] {
        &self.left
    }

    /// What a user must know of an int8 file that does not run in integers as its maker meant it to; none where all of it
    /// does.
    pub fn float_warning(&self) -> Option<String> {
        let first = self.left.first()?;
        let (count, convolutions) = (self.left.len(), self.left.iter().filter(|left| left.is_convolution()).count());
        let Place { file, .. } = &self.place;
        Some(format!(
            "{count} operator(s) that {file} quantises run in float here, {convolutions} of them convolutions: int8 answers \
             at the speed of float. The first: {} {}: {}. `parallax-edge inspect --kernels` lists all",
            first.operator, first.node, first.reason
        ))
    }

    /// The convolutions that the file itself keeps in float.
    pub(crate) fn kept(&self) -> &[String] {
        &self.kept
    }

    /// Lets tract run the model; a panic becomes an error.
    pub(crate) fn run<T>(&self, what: impl FnOnce() -> TractResult<T>) -> Result<T> {
        self.place.engine("run", what)
    }

    pub(crate) fn run_error(&self, error: &TractError) -> EdgeError {
        self.place.engine_error("run", error)
    }
}

/// The model with a role, or the first.
///
/// # Errors
/// No such role.
pub(crate) fn find_model<'a>(bundle: &'a Bundle, role: Option<&str>) -> Result<&'a BundledModel> {
    let models = &bundle.manifest().models;
    let found = role.map_or_else(|| models.first(), |role| models.iter().find(|model| model.role == role));
    found.ok_or_else(|| EdgeError::NoSuchModel {
        role: role.unwrap_or_default().to_owned(),
        known: models.iter().map(|model| model.role.as_str()).collect::<Vec<_>>().join(", "),
        bundle: bundle.path().to_path_buf(),
    })
}

/// Decodes a model file.
///
/// # Errors
/// It is no ONNX model, or one that asks for nonsense.
pub(crate) fn read_proto(bundle: &Bundle, model: &BundledModel) -> Result<ModelProto> {
    let not_onnx =
        |reason: String| EdgeError::NotOnnx { file: model.file.clone(), reason, bundle: bundle.path().to_path_buf() };
    let proto = ModelProto::from_bytes(bundle.model_bytes(model)).map_err(not_onnx)?;
    model_file::check_model(&proto).map_err(not_onnx)?;
    Ok(proto)
}

/// A model before optimisation, with every operator known and every shape fixed.
#[derive(Debug)]
pub(crate) struct TypedFile {
    pub(crate) model: TypedModel,
    pub(crate) left: Vec<Left>,
    /// The convolutions that the file itself keeps in float.
    pub(crate) kept: Vec<String>,
    pub(crate) logits: Logits,
}

/// Loads a model file.
///
/// # Errors
/// A missing operator, or anything else tract cannot load; or the system does not start the threads.
pub(crate) fn typed_model(bundle: &Bundle, model: &BundledModel, config: EngineConfig) -> Result<TypedFile> {
    let mut proto = read_proto(bundle, model)?;
    let place = Place { file: model.file.clone(), bundle: bundle.path().to_path_buf() };
    let onnx = int8::onnx();
    if let Some(graph) = proto.graph.as_mut() {
        let missing = graph.node.iter().find(|node| !onnx.op_register.0.contains_key(&node.op_type));
        if let Some(node) = missing {
            return Err(EdgeError::MissingOperator {
                operator: node.op_type.clone(),
                node: node.name.clone(),
                file: place.file,
                bundle: place.bundle,
            });
        }
        // Shapes of inner tensors are tract's to derive.
        graph.value_info.clear();
    }
    if config.int8 == Int8Files::InFloat {
        let model = place.engine("load", || int8::analysed(&onnx, &proto)?.into_typed())?;
        return Ok(TypedFile { model, left: Vec::new(), kept: Vec::new(), logits: Logits::Float });
    }
    let team = Arc::new(cores::team(config.threads, config.placement)?);
    place.engine("load", || {
        let mut fused = int8::load(&proto, config.isa, &team)?;
        let logits = fused.give_integers()?.map_or(Logits::Float, |shape| Logits::Integers(shape, team));
        let Fused { model, left, kept, .. } = fused;
        Ok(TypedFile { model: model.into_typed()?, left, kept, logits })
    })
}

impl Place {
    fn check_shapes(&self, model: &TypedModel, logits: &Logits, input: &ModelInput, classes: usize) -> Result<()> {
        let load = |error: TractError| self.engine_error("load", &error);
        let (width, height) = (input.width as usize, input.height as usize);
        let expected = vec![1, 3, height, width];
        let found = shape(model.input_fact(0).map_err(load)?);
        let (file, bundle) = (self.file.clone(), self.bundle.clone());
        if found != expected {
            return Err(EdgeError::WrongInput { expected, found, file, bundle });
        }
        let expected = vec![1, classes, height, width];
        let found = match logits {
            Logits::Float => shape(model.output_fact(0).map_err(load)?),
            Logits::Integers(PictureShape { height, width, channels }, _) => vec![1, *channels, *height, *width],
        };
        match found.as_slice() {
            _ if found == expected => Ok(()),
            [1, channels, h, w] if (*h, *w) == (height, width) => {
                Err(EdgeError::WrongClasses { expected: classes, found: *channels, file, bundle })
            }
            _ => Err(EdgeError::WrongOutput { expected, found, file, bundle }),
        }
    }

    /// Lets tract do something; a panic is an error of the file.
    fn engine<T>(&self, doing: &'static str, what: impl FnOnce() -> TractResult<T>) -> Result<T> {
        let result = model_file::caught(what);
        let result = result.unwrap_or_else(|panic| Err(TractError::msg(format!("tract panicked: {panic}"))));
        result.map_err(|error| match error.downcast::<parallax_core::Error>() {
            // Ours: an operator of our own found a number that is none.
            Ok(ours) => ours.into(),
            Err(error) => self.engine_error(doing, &error),
        })
    }

    fn engine_error(&self, doing: &'static str, error: &TractError) -> EdgeError {
        EdgeError::Engine { doing, reason: one_line(error), file: self.file.clone(), bundle: self.bundle.clone() }
    }
}

/// A shape as numbers; a size that is not fixed becomes 0.
fn shape(fact: &TypedFact) -> Vec<usize> {
    fact.shape.iter().map(|size| size.to_i64().map_or(0, |size| size as usize)).collect()
}

/// tract's chain of reasons on one line.
fn one_line(error: &TractError) -> String {
    let text = format!("{error:#}");
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
