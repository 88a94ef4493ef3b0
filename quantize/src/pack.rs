//! Packing: a model with everything that is needed to run it elsewhere, and a golden frame to notice when it would give
//! wrong masks there.
//!
//! The golden mask is what the packed model itself gives for the golden frame, through the same input contract, engine and
//! argmax as on the board.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use image::{GrayImage, ImageFormat, RgbImage};
use parallax_core::bundle::{self, Arithmetic, BundleManifest, BundledModel, Golden, Training};
use parallax_core::camera::CameraIdentity;
use parallax_core::files::sha256_of_bytes;
use parallax_core::labels::{Classes, LabelMap};
use parallax_core::model_input::ModelInput;
use parallax_core::model_output::{MOST_TIES, Ties, mask_from_logits};
use parallax_core::run::{RunDescription, SegmentationSettings, Transfer};
use parallax_onnx::{ModelProto, is_quantization};
use serde::de::IgnoredAny;

use crate::foreign::contract::{Contract, given_input};
use crate::foreign::{self, Asked, ForeignError, Purpose};
use crate::origin::{Origin, OriginError, Unstated};
use crate::runner::Runner;
use crate::{QuantizeError, graph};

/// File names in a bundle.
const GOLDEN_FRAME: &str = "golden.png";
const GOLDEN_MASK: &str = "golden_mask.png";

/// What can go wrong while packing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The model cannot be read or run.
    #[error(transparent)]
    Model(#[from] QuantizeError),
    /// The model is not of the run.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The model is from elsewhere and cannot be taken.
    #[error("the {role} model: {why}")]
    Foreign {
        /// Which model.
        role: String,
        /// Why.
        why: Box<ForeignError>,
    },
    /// The model says other classes than the classes file.
    #[error("the {role} model gives the classes {model:?}, the classes file names {file:?}")]
    OtherClasses {
        /// Which model.
        role: String,
        /// Of the model's metadata.
        model: Vec<String>,
        /// Of the file.
        file: Vec<String>,
    },
    /// Two models of one bundle want pictures prepared differently.
    #[error("the {role} model wants another input than the main one: {found:?}, not {expected:?}")]
    OtherContract {
        /// Which model.
        role: String,
        /// The main model's contract.
        expected: Box<ModelInput>,
        /// This one's.
        found: Box<ModelInput>,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Core(#[from] parallax_core::Error),
    /// The model does not fit the contract.
    #[error("the {role} model takes {found:?}, its input contract says {expected:?}")]
    WrongInput {
        /// Which model.
        role: String,
        /// `[1, 3, height, width]` from the contract.
        expected: Vec<usize>,
        /// What the model takes.
        found: Vec<usize>,
    },
    /// The model gives another number of classes.
    #[error("the {role} model gives {found:?}, expected {expected:?} for {classes} classes")]
    WrongOutput {
        /// Which model.
        role: String,
        /// `[1, classes, height, width]`.
        expected: Vec<usize>,
        /// What the model gives.
        found: Vec<usize>,
        /// Classes of the run.
        classes: usize,
    },
    /// The model tells no classes apart on the golden frame.
    #[error(
        "the {role} model gives equal logits for {percent:.1} % of the golden frame's pixels, expected at most {most:.0} % beside those that rounding explains"
    )]
    Ties {
        /// Which model.
        role: String,
        /// Share of pixels whose largest logit two classes share, in percent.
        percent: f64,
        /// How many there may be beside those of rounding, in percent.
        most: f64,
    },
    /// A picture could not be encoded.
    #[error("cannot encode the golden pictures: {0}")]
    Encoding(#[from] image::ImageError),
}

impl PackError {
    /// Why a model from elsewhere cannot be taken, if that is it.
    #[must_use]
    pub fn foreign(&self) -> Option<&ForeignError> {
        match self {
            Self::Foreign { why, .. } => Some(why),
            _ => None,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Origin(error) => error.hint(),
            Self::Foreign { why, .. } => why.hint(),
            Self::OtherClasses { .. } => Some(
                "masks take names by the order of the network's outputs: give a classes file with the model's classes in its order",
            ),
            Self::OtherContract { .. } => {
                Some("give two forms of one network: the int8 file and the float file that it was made of")
            }
            Self::Core(error) => error.hint(),
            Self::WrongInput { .. } => Some("export the model again from the run given with --run"),
            Self::WrongOutput { .. } => {
                Some("only segmentation models are packed: export a run made by `parallax-train finetune`")
            }
            Self::Ties { .. } => Some(
                "the weights say nothing, or int8 cost everything: look at the quantiser's report, or train longer",
            ),
            Self::Encoding(_) => None,
        }
    }
}

/// What a bundle says of how the segmentation run in the folder `run` was trained.
///
/// # Errors
/// When the run's settings are not in the form that training writes.
pub fn training_of(description: &RunDescription, run: &Path) -> Result<Training, parallax_core::Error> {
    let SegmentationSettings { init, transfer, labelled, labelled_sha256, .. } =
        description.segmentation::<IgnoredAny>(run)?;
    let transfer = match (init, transfer) {
        (Some(_), transfer) => transfer.to_string(),
        // With nothing taken over: whether the encoder's random weights stayed.
        (None, Transfer::Frozen) => "none (frozen)".to_owned(),
        (None, Transfer::Whole | Transfer::Encoder) => "none".to_owned(),
    };
    let (network, seed) = (description.network.clone(), description.seed);
    Ok(Training { network, transfer, seed, labelled, labelled_sha256 })
}

/// One model to pack.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is for: `main`, `float`.
    pub role: String,
    /// The model, decoded.
    pub model: ModelProto,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

/// What the models of a bundle must agree with.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The run that they were exported from.
    Run(&'a Origin, Unstated),
    /// Models from elsewhere: their classes, what the user says of their input, and the output to take.
    Elsewhere(&'a Classes, &'a Asked, Option<&'a str>),
}

/// Models, checked and brought into the form that the board knows.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The models.
    pub parts: Vec<Part>,
    /// The input contract of all of them.
    pub input: ModelInput,
    /// What was changed in them, a line for each.
    pub notes: Vec<String>,
}

impl Parts {
    /// Reads model files, each with its role; the first is the main one.
    ///
    /// # Errors
    /// A file that is no model, is not of the run, or cannot be taken; or models with different inputs.
    pub fn read(files: &[(&str, &Path)], source: Source<'_>) -> Result<Self, PackError> {
        let mut read: Option<Self> = None;
        let mut given = None;
        for (role, path) in files {
            let foreign = |why| PackError::Foreign { role: (*role).to_owned(), why: Box::new(why) };
            let model = foreign::read_model(path).map_err(foreign)?;
            let own = given_input(&model).map_err(foreign)?;
            let (part, input, notes) = Part::check(role, path, model, source, given.as_ref())?;
            given = given.or(own);
            match &mut read {
                None => read = Some(Self { parts: vec![part], input, notes }),
                Some(read) if read.input == input => {
                    read.parts.push(part);
                    read.notes.extend(notes);
                }
                Some(read) => {
                    let (expected, found) = (Box::new(read.input), Box::new(input));
                    return Err(PackError::OtherContract { role: (*role).to_owned(), expected, found });
                }
            }
        }
        read.ok_or_else(|| QuantizeError::Unsupported("no model is given".to_owned()).into())
    }
}

impl Part {
    /// A model that agrees with its source, in the form that the board knows; with its input contract and what was changed.
    fn check(
        role: &str,
        path: &Path,
        model: ModelProto,
        source: Source<'_>,
        given: Option<&ModelInput>,
    ) -> Result<(Self, ModelInput, Vec<String>), PackError> {
        let foreign = |why| PackError::Foreign { role: role.to_owned(), why: Box::new(why) };
        let nothing = Asked::default();
        let (otherwise, asked, output, classes) = match source {
            Source::Run(origin, unstated) => {
                origin.check(role, &model, unstated)?;
                (Some(&origin.input), &nothing, None, origin.classes.as_ref().map_or(0, Vec::len))
            }
            Source::Elsewhere(classes, asked, output) => {
                let file: Vec<String> = classes.names().map(str::to_owned).collect();
                let count = file.len();
                match graph::class_names(&model)? {
                    Some(stated) if stated != file => {
                        return Err(PackError::OtherClasses { role: role.to_owned(), model: stated, file });
                    }
                    _ => (given, asked, output, count),
                }
            }
        };
        let contract = Contract::of(&model, otherwise, asked).map_err(foreign)?;
        let purpose = Purpose::Masks(classes);
        let size = contract.size.or(asked.size);
        let adopted = foreign::adopt(&model, &contract.normalisation, size, output, purpose).map_err(foreign)?;
        let bytes = if adopted.changed {
            adopted.model.to_bytes()
        } else {
            std::fs::read(path).map_err(parallax_core::Error::io("read", path))?
        };
        let notes = adopted.notes.into_iter().map(|note| format!("{role} model: {note}")).collect();
        Ok((Self { role: role.to_owned(), model: adopted.model, bytes }, adopted.input, notes))
    }

    fn arithmetic(&self) -> Arithmetic {
        let mut nodes = self.model.graph.iter().flat_map(|graph| &graph.node);
        if nodes.any(|node| is_quantization(&node.op_type)) { Arithmetic::Int8Qdq } else { Arithmetic::Float32 }
    }

    /// `main.int8.onnx`, `float.onnx`, …
    fn file_name(&self) -> String {
        match self.arithmetic() {
            Arithmetic::Int8Qdq => format!("{}.int8.onnx", self.role),
            Arithmetic::Float32 => format!("{}.onnx", self.role),
        }
    }
}

/// Everything that goes into a bundle.
#[derive(Debug)]
pub struct PackRequest<'a> {
    /// The bundle's name.
    pub name: String,
    /// The models; the first is run by default and makes the golden mask.
    pub parts: Vec<Part>,
    /// The input contract of all of them.
    pub input: ModelInput,
    /// The classes, in network order.
    pub classes: Classes,
    /// Where the models come from.
    pub training: Training,
    /// Cameras that the training pictures came from.
    pub cameras: Vec<CameraIdentity>,
    /// The golden frame.
    pub golden: &'a RgbImage,
}

/// Writes a bundle to `out`, a folder or a `.tar`, whole or not at all, and opens it again to verify it.
///
/// # Errors
/// A model that does not fit the contract or the classes, or a bundle that cannot be written.
pub fn pack(out: &Path, request: &PackRequest<'_>) -> Result<BundleManifest, PackError> {
    let masks = request.parts.iter().map(|part| mask_of(part, request)).collect::<Result<Vec<_>, _>>()?;
    let frame = png(request.golden)?;
    let mask = png(&ids(&masks[0], &request.classes))?;
    let golden = Golden {
        frame: GOLDEN_FRAME.to_owned(),
        frame_sha256: sha256_of_bytes(&frame),
        mask: GOLDEN_MASK.to_owned(),
        mask_sha256: sha256_of_bytes(&mask),
    };
    let models = request.parts.iter().map(|part| BundledModel {
        role: part.role.clone(),
        file: part.file_name(),
        sha256: sha256_of_bytes(&part.bytes),
        arithmetic: part.arithmetic(),
    });
    let manifest = BundleManifest {
        schema: bundle::SCHEMA,
        name: request.name.clone(),
        packed_by: concat!("parallax-train ", env!("CARGO_PKG_VERSION")).to_owned(),
        input: request.input,
        models: models.collect(),
        golden,
        training: request.training.clone(),
        cameras: request.cameras.clone(),
        classes: request.classes.clone(),
    };
    let mut files = BTreeMap::from([(GOLDEN_FRAME.to_owned(), frame), (GOLDEN_MASK.to_owned(), mask)]);
    files.extend(request.parts.iter().map(|part| (part.file_name(), part.bytes.clone())));
    bundle::write(out, &manifest, &files)?;
    bundle::Bundle::open(out)?;
    Ok(manifest)
}

/// The mask a model gives for the golden frame, at the network's size.
fn mask_of(part: &Part, request: &PackRequest<'_>) -> Result<LabelMap, PackError> {
    let (input, classes) = (&request.input, request.classes.len());
    let (width, height) = (input.width as usize, input.height as usize);
    let runner = Runner::new(&part.model)?;
    let (expected, found) = (vec![1, 3, height, width], runner.input_shape().to_vec());
    if expected != found {
        return Err(PackError::WrongInput { role: part.role.clone(), expected, found });
    }
    let mut values = vec![0.0; input.len()];
    input.prepare(request.golden, &mut values);
    let outputs = runner.run(&values)?;
    let (expected, found) = (vec![1, classes, height, width], outputs[0].shape().to_vec());
    if expected != found {
        return Err(PackError::WrongOutput { role: part.role.clone(), expected, found, classes });
    }
    let mut mask = LabelMap { width: input.width, height: input.height, indices: vec![0; width * height] };
    mask_from_logits(outputs[0].values()?, classes, &mut mask)?;
    let ties = Ties::of_planes(outputs[0].values()?, classes);
    if ties.unexplained > MOST_TIES {
        let (percent, most) = (100.0 * ties.share, 100.0 * MOST_TIES);
        return Err(PackError::Ties { role: part.role.clone(), percent, most });
    }
    Ok(mask)
}

/// The class ids of a mask as a gray picture.
fn ids(mask: &LabelMap, classes: &Classes) -> GrayImage {
    GrayImage::from_fn(mask.width, mask.height, |x, y| {
        let index = mask.indices[(y * mask.width + x) as usize];
        image::Luma([classes.picture_value(index)])
    })
}

fn png<P>(picture: &image::ImageBuffer<P, Vec<u8>>) -> Result<Vec<u8>, image::ImageError>
where
    P: image::PixelWithColorType<Subpixel = u8>,
{
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{HEIGHT, WIDTH, quantized, unet};
    use parallax_core::bundle::Bundle;
    use parallax_core::model_input::Channels;
    use parallax_onnx::TensorProto;

    fn part(role: &str, model: ModelProto) -> Part {
        Part { role: role.to_owned(), bytes: model.to_bytes(), model }
    }

    fn request(golden: &RgbImage) -> PackRequest<'_> {
        let int8 = quantized(&unet(), None).model;
        PackRequest {
            name: "tiny".to_owned(),
            parts: vec![part("main", int8), part("float", unet())],
            input: ModelInput::imagenet(WIDTH as u32, HEIGHT as u32),
            classes: Classes::dense(&[("a", [0; 3]), ("b", [9; 3]), ("c", [200; 3])]),
            training: Training {
                network: "tiny".to_owned(),
                transfer: "whole".to_owned(),
                seed: 3,
                labelled: vec!["000".to_owned()],
                labelled_sha256: Vec::new(),
            },
            cameras: Vec::new(),
            golden,
        }
    }

    fn frame() -> RgbImage {
        RgbImage::from_fn(40, 30, |x, y| image::Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8]))
    }

    #[test]
    fn a_packed_bundle_opens_and_its_golden_mask_is_what_its_first_model_gives() {
        let folder = tempfile::tempdir().unwrap();
        let golden = frame();
        let mut request = request(&golden);
        request.classes.entries.iter_mut().for_each(|class| class.id += 70);
        for name in ["bundle", "bundle.tar"] {
            let path = folder.path().join(name);
            pack(&path, &request).unwrap();
            let bundle = Bundle::open(&path).unwrap();
            let models = &bundle.manifest().models;
            assert_eq!((models[0].arithmetic, models[0].file.as_str()), (Arithmetic::Int8Qdq, "main.int8.onnx"));
            assert_eq!((models[1].arithmetic, models[1].file.as_str()), (Arithmetic::Float32, "float.onnx"));
            assert_eq!(bundle.golden_frame().unwrap(), golden);
            let expected = ids(&mask_of(&request.parts[0], &request).unwrap(), &request.classes);
            assert_eq!(bundle.golden_mask().unwrap(), expected);
            assert!(expected.iter().all(|id| (70..73).contains(id)), "the mask holds class ids, not positions");
        }
    }

    #[test]
    fn a_model_that_does_not_fit_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        let golden = frame();
        let mut fewer = request(&golden);
        fewer.classes.entries.pop();
        assert!(matches!(pack(&path, &fewer), Err(PackError::WrongOutput { classes: 2, .. })));
        let mut larger = request(&golden);
        larger.input = ModelInput::imagenet(32, 32);
        assert!(matches!(pack(&path, &larger), Err(PackError::WrongInput { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        pack(&path, &request(&golden)).unwrap();
        assert!(pack(&path, &request(&golden)).is_err(), "a bundle is not overwritten");
    }

    #[test]
    fn a_model_that_gives_no_numbers_or_tells_no_classes_apart_is_not_packed() {
        let (folder, golden) = (tempfile::tempdir().unwrap(), frame());
        let path = folder.path().join("bundle");
        let packed = |value: f32| {
            let mut model = unet();
            for tensor in model.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
                if let Ok(values) = graph::floats(tensor)
                    && tensor.name != "scales"
                {
                    let shape: Vec<usize> = tensor.dims.iter().map(|size| *size as usize).collect();
                    *tensor = TensorProto::of_floats(&tensor.name, &shape, &vec![value; values.len()]);
                }
            }
            let mut request = request(&golden);
            request.parts = vec![part("main", model)];
            pack(&path, &request).unwrap_err().to_string()
        };
        assert!(packed(f32::NAN).contains("holds NaN"), "{}", packed(f32::NAN));
        // Weights that are numbers, whose sums are none.
        assert!(packed(f32::MAX).contains("where numbers are expected"), "{}", packed(f32::MAX));
        assert!(packed(0.0).contains("equal logits for 100.0 %"), "{}", packed(0.0));
        assert!(!path.exists());
    }

    fn origin() -> Origin {
        Origin {
            classes: Some(["road", "car", "sky"].map(str::to_owned).to_vec()),
            input: ModelInput::imagenet(WIDTH as u32, HEIGHT as u32),
            network: "slim".to_owned(),
            weights_sha256: "5eed".to_owned(),
            run: "runs/slim".into(),
        }
    }

    /// A file with the small network and what `write` writes into it.
    fn written(folder: &Path, name: &str, write: impl FnOnce(&mut ModelProto)) -> std::path::PathBuf {
        let mut model = unet();
        write(&mut model);
        let path = folder.join(name);
        std::fs::write(&path, model.to_bytes()).unwrap();
        path
    }

    #[test]
    fn a_model_is_packed_with_the_run_that_it_says_and_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let ours = written(folder.path(), "ours.onnx", |model| origin().write(model).unwrap());
        let read = |origin: &Origin| Parts::read(&[("main", &ours)], Source::Run(origin, Unstated::Refuse));
        let parts = read(&origin()).unwrap();
        assert_eq!((parts.parts[0].bytes.clone(), parts.input), (std::fs::read(&ours).unwrap(), origin().input));
        // The classes exchanged, which no shape and no golden frame would ever show.
        let others = [
            (Origin { classes: Some(["car", "road", "sky"].map(str::to_owned).to_vec()), ..origin() }, "classes are"),
            (Origin { input: ModelInput { mean: [0.5; 3], ..origin().input }, ..origin() }, "input contract is"),
            (
                Origin { input: ModelInput { channels: Channels::Bgr, ..origin().input }, ..origin() },
                "input contract is",
            ),
            (Origin { network: "resnet18".to_owned(), ..origin() }, "network is slim, the run's resnet18"),
            (Origin { weights_sha256: "0dd".to_owned(), ..origin() }, "weights have the SHA-256 5eed, the run's 0dd"),
        ];
        for (other, expected) in others {
            for unstated in [Unstated::Refuse, Unstated::Take] {
                let refused = Parts::read(&[("main", &ours)], Source::Run(&other, unstated)).unwrap_err();
                assert!(matches!(&refused, PackError::Origin(OriginError::Other { .. })), "{refused}");
                assert!(refused.to_string().contains(expected) && refused.hint().is_some(), "{refused}");
            }
        }
        // The float model beside it is looked at as well.
        let other = written(folder.path(), "other.onnx", |model| {
            Origin { weights_sha256: "0dd".to_owned(), ..origin() }.write(model).unwrap();
        });
        let refused = Parts::read(&[("main", &ours), ("float", &other)], Source::Run(&origin(), Unstated::Refuse));
        assert!(refused.unwrap_err().to_string().contains("the float model is not of this run"));
    }

    #[test]
    fn a_model_that_does_not_say_where_it_comes_from_is_taken_on_request_only() {
        let folder = tempfile::tempdir().unwrap();
        let silent = written(folder.path(), "silent.onnx", |_| {});
        let refused = Parts::read(&[("main", &silent)], Source::Run(&origin(), Unstated::Refuse)).unwrap_err();
        for missing in ["its classes", "its input contract", "its network", "the weights it was made of"] {
            assert!(refused.to_string().contains(missing), "{refused}");
        }
        assert!(refused.hint().unwrap().contains("--any-model"));
        assert_eq!(
            Parts::read(&[("main", &silent)], Source::Run(&origin(), Unstated::Take)).unwrap().input,
            origin().input
        );
        // Its shapes are compared all the same.
        let fewer = Origin { classes: Some(vec!["road".to_owned(), "car".to_owned()]), ..origin() };
        let refused = Parts::read(&[("main", &silent)], Source::Run(&fewer, Unstated::Take)).unwrap_err();
        assert!(refused.to_string().contains("names 2 classes, the model gives 3"), "{refused}");
        let larger = Origin { input: ModelInput::imagenet(64, 64), ..origin() };
        assert!(Parts::read(&[("main", &silent)], Source::Run(&larger, Unstated::Take)).is_err());
    }

    #[test]
    fn quantizing_carries_on_where_a_model_comes_from() {
        let mut float = unet();
        origin().write(&mut float).unwrap();
        let int8 = quantized(&float, None).model;
        assert_eq!(origin().check("main", &int8, Unstated::Refuse).map_err(|error| error.to_string()), Ok(()));
    }

    #[test]
    fn a_model_from_elsewhere_takes_its_classes_and_its_input_from_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let classes = Classes::dense(&[("road", [0; 3]), ("car", [9; 3]), ("sky", [200; 3])]);
        let asked = Asked { size: None, mean: Some([0.5; 3]), std: Some([0.25; 3]), channels: Some(Channels::Bgr) };
        let source = Source::Elsewhere(&classes, &asked, None);
        let silent = written(folder.path(), "silent.onnx", |_| {});
        let parts = Parts::read(&[("main", &silent), ("float", &silent)], source).unwrap();
        assert_eq!((parts.input.mean, parts.input.channels, parts.parts.len()), ([0.5; 3], Channels::Bgr, 2));
        // What the model itself says goes before.
        let ours = written(folder.path(), "ours.onnx", |model| origin().write(model).unwrap());
        let refused = Parts::read(&[("main", &ours)], source).unwrap_err();
        assert!(refused.to_string().contains("--mean says [0.5, 0.5, 0.5], the model's metadata say"), "{refused}");
        let nothing = Asked::default();
        let exchanged = Classes::dense(&[("car", [0; 3]), ("road", [9; 3]), ("sky", [200; 3])]);
        let refused = Parts::read(&[("main", &ours)], Source::Elsewhere(&exchanged, &nothing, None)).unwrap_err();
        assert!(matches!(&refused, PackError::OtherClasses { .. }) && refused.hint().is_some(), "{refused}");
        assert_eq!(
            Parts::read(&[("main", &ours)], Source::Elsewhere(&classes, &nothing, None)).unwrap().input,
            origin().input
        );
    }
}
