//! A bundle: a model with everything that is needed to run it elsewhere and to notice when it would give wrong masks.
//!
//! ```text
//! BUNDLE/bundle.toml     the manifest: models, input contract, classes, camera, golden frame, SHA-256 of every file
//! BUNDLE/*.onnx          the models
//! BUNDLE/golden.png      a frame, and
//! BUNDLE/golden_mask.png the mask that the first model gives for it
//! ```
//! A bundle is a folder, or the same files in one `.tar`.

use crate::camera::CameraIdentity;
use crate::file_kind::{FileKind, is_tar};
use crate::files::sha256_of_bytes;
use crate::labels::Classes;
use crate::model_input::{ModelInput, malformed_input};
use crate::picture_file::decode_picture;
use crate::reading::{self, read_bytes, read_text};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Name of the manifest in a bundle.
pub const MANIFEST: &str = "bundle.toml";
/// Version of the manifest's form.
pub const SCHEMA: u32 = 1;

/// Models of a bundle: one for each arithmetic and size that a board may choose from.
pub const MOST_MODELS: usize = 16;
/// Bytes of one file of a bundle.
pub const MOST_FILE_BYTES: u64 = 1 << 29;
/// Bytes of all files that a bundle names, which are in memory together.
pub const MOST_BUNDLE_BYTES: u64 = 1 << 30;
/// Bytes of a manifest; most of it are names and hashes of labelled pictures.
const MOST_MANIFEST_BYTES: u64 = 1 << 25;
/// Entries of an archive.
const MOST_ENTRIES: usize = 1000;

/// What a bundle says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleManifest {
    /// Version of this file's form.
    pub schema: u32,
    /// Name of the bundle.
    pub name: String,
    /// Program and version that packed it.
    pub packed_by: String,
    /// The input contract of every model.
    pub input: ModelInput,
    /// The models; the first one is run unless another is asked for.
    #[serde(rename = "model")]
    pub models: Vec<BundledModel>,
    /// A frame and the mask the first model must give for it.
    pub golden: Golden,
    /// Where the models come from.
    pub training: Training,
    /// Cameras that the training pictures came from, labelled or not; empty where unknown.
    #[serde(default)]
    pub cameras: Vec<CameraIdentity>,
    /// The classes, in network order.
    pub classes: Classes,
}

/// One model of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundledModel {
    /// What it is for, such as `main`.
    pub role: String,
    /// File name in the bundle.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Arithmetic the file asks for.
    pub arithmetic: Arithmetic,
}

/// The arithmetic that a model file asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// 32-bit floating point.
    Float32,
    /// 8-bit integers, written as quantize/dequantize pairs.
    Int8Qdq,
}

/// A frame with the mask that the bundle's first model gives for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// File name of the frame.
    pub frame: String,
    /// SHA-256 of the frame.
    pub frame_sha256: String,
    /// File name of the mask, an 8-bit gray picture of class ids at the network's size.
    pub mask: String,
    /// SHA-256 of the mask.
    pub mask_sha256: String,
}

/// Where a bundle's models come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Network, such as `slim`.
    pub network: String,
    /// How the weights were transferred, such as `whole` or `none`.
    pub transfer: String,
    /// Seed of the run.
    pub seed: u64,
    /// Names of the labelled pictures that were trained on; they are left out when the bundle is scored.
    pub labelled: Vec<String>,
    /// SHA-256 of those pictures' files in the same order, so that another set's picture of the same name is not left out.
    #[serde(default)]
    pub labelled_sha256: Vec<String>,
}

impl Training {
    /// Whether a picture was trained on: the same name and, where the hashes are known, the same bytes.
    ///
    /// # Errors
    /// Whatever `image_sha256` returns.
    pub fn has_learned(&self, name: &str, image_sha256: impl FnOnce() -> Result<String>) -> Result<bool> {
        let Some(at) = self.labelled.iter().position(|learned| learned == name) else { return Ok(false) };
        self.labelled_sha256.get(at).map_or(Ok(true), |expected| Ok(image_sha256()? == *expected))
    }
}

impl BundleManifest {
    fn fault(&self) -> Option<String> {
        if self.schema != SCHEMA {
            return Some(format!("expected a bundle of schema {SCHEMA}, found schema {}", self.schema));
        }
        if self.models.is_empty() {
            return Some("the bundle names no model".to_owned());
        }
        if self.models.len() > MOST_MODELS {
            return Some(format!("the bundle names {} models, more than {MOST_MODELS}", self.models.len()));
        }
        for (index, model) in self.models.iter().enumerate() {
            let earlier = &self.models[..index];
            if earlier.iter().any(|other| other.role == model.role) {
                return Some(format!("the bundle names two models with the role {:?}", model.role));
            }
        }
        if self.classes.len() < 2 {
            return Some(format!("expected at least 2 classes, found {}", self.classes.len()));
        }
        None
    }

    /// Every file named, with its hash.
    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let golden = &self.golden;
        let models = self.models.iter().map(|model| (model.file.as_str(), model.sha256.as_str()));
        models.chain([
            (golden.frame.as_str(), golden.frame_sha256.as_str()),
            (golden.mask.as_str(), golden.mask_sha256.as_str()),
        ])
    }
}

/// An opened bundle: every file read, every hash verified.
#[derive(Clone, Debug)]
pub struct Bundle {
    path: PathBuf,
    manifest: BundleManifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// Opens a bundle folder or `.tar` and verifies it.
    ///
    /// # Errors
    /// [`Error::Bundle`] that names the fault: no manifest, unknown schema, a file that is missing, truncated or altered.
    pub fn open(path: &Path) -> Result<Self> {
        let contents = contents_of(path)?;
        let manifest = read_manifest(path, &contents)?;
        let mut files = BTreeMap::new();
        let mut room = MOST_BUNDLE_BYTES;
        for (name, expected) in manifest.files() {
            if files.contains_key(name) && manifest.files().all(|(other, hash)| other != name || hash == expected) {
                continue;
            }
            let bytes = contents.read(path, name, room.min(MOST_FILE_BYTES))?;
            room = room.saturating_sub(bytes.len() as u64);
            let found = sha256_of_bytes(&bytes);
            if found != expected {
                return Err(Error::Bundle {
                    what: format!("wrong hash of {name}: the manifest says {expected}, the file has {found}"),
                    path: path.to_path_buf(),
                    hint: "the file was altered or cut short: copy or pack the bundle again",
                });
            }
            files.insert(name.to_owned(), bytes);
        }
        Ok(Self { path: path.to_path_buf(), manifest, files })
    }

    /// Where the bundle was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &BundleManifest {
        &self.manifest
    }

    /// The verified bytes of a file that the manifest names.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The verified bytes of a model.
    ///
    /// # Panics
    /// When `model` is not of this bundle.
    pub fn model_bytes(&self, model: &BundledModel) -> &[u8] {
        &self.files[&model.file]
    }

    /// The golden frame, decoded.
    ///
    /// # Errors
    /// It is not a picture.
    pub fn golden_frame(&self) -> Result<image::RgbImage> {
        let name = &self.manifest.golden.frame;
        let picture = decode_picture(&self.files[name]).map_err(|fault| fault.at(self.path.join(name)))?;
        Ok(picture.into_rgb8())
    }

    /// The golden mask: class ids at the network's size, as stored.
    ///
    /// # Errors
    /// It is not a picture.
    pub fn golden_mask(&self) -> Result<image::GrayImage> {
        let name = &self.manifest.golden.mask;
        let picture = decode_picture(&self.files[name]).map_err(|fault| fault.at(self.path.join(name)))?;
        Ok(picture.into_luma8())
    }
}

/// What is at a path that is to be a bundle.
///
/// # Errors
/// Nothing is there, or something else: that is named.
fn contents_of(path: &Path) -> Result<Contents> {
    let metadata = std::fs::metadata(path).map_err(Error::io("open bundle", path))?;
    if !metadata.is_dir() && !metadata.is_file() {
        // A pipe or a device: named by whoever opens it, and not waited for.
        return Ok(Contents::Archive(read_archive(path)?));
    }
    let is_bundle = if metadata.is_dir() { path.join(MANIFEST).exists() } else { metadata.is_file() && is_tar(path) };
    if !is_bundle {
        let FileKind { what, hint } = FileKind::of(path);
        let missing = if metadata.is_dir() { format!("no {MANIFEST}: ") } else { String::new() };
        return Err(Error::Bundle {
            what: format!("{missing}not a bundle but {what}"),
            path: path.to_path_buf(),
            hint,
        });
    }
    if metadata.is_dir() { Ok(Contents::Folder) } else { Ok(Contents::Archive(read_archive(path)?)) }
}

enum Contents {
    Folder,
    Archive(BTreeMap<String, Vec<u8>>),
}

impl Contents {
    fn read(&self, bundle: &Path, name: &str, most: u64) -> Result<Vec<u8>> {
        let mut components = Path::new(name).components();
        if !matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) {
            return Err(Error::Bundle {
                what: format!("expected a plain file name in the manifest, found {name:?}"),
                path: bundle.to_path_buf(),
                hint: "the manifest was altered: pack the bundle again",
            });
        }
        let missing = || Error::Bundle {
            what: format!("the file {name} is missing"),
            path: bundle.to_path_buf(),
            hint: "copy the whole bundle, or pack it again",
        };
        match self {
            Self::Folder => {
                let path = bundle.join(name);
                if path.exists() { read_bytes(&path, most) } else { Err(missing()) }
            }
            Self::Archive(files) => files.get(name).cloned().ok_or_else(missing),
        }
    }
}

fn read_manifest(path: &Path, contents: &Contents) -> Result<BundleManifest> {
    let fault = |what: String| Error::Bundle {
        what,
        path: path.to_path_buf(),
        hint: "a bundle is a folder or .tar made by `parallax-train pack`",
    };
    let text = match contents {
        Contents::Folder => read_text(&path.join(MANIFEST), MOST_MANIFEST_BYTES)?,
        Contents::Archive(files) => {
            let bytes = files.get(MANIFEST).ok_or_else(|| fault(format!("no {MANIFEST}: not a bundle")))?;
            if bytes.len() as u64 > MOST_MANIFEST_BYTES {
                return Err(fault(format!("{MANIFEST} has {} bytes, more than {MOST_MANIFEST_BYTES}", bytes.len())));
            }
            String::from_utf8(bytes.clone()).map_err(|_| fault(format!("{MANIFEST} is not text")))?
        }
    };
    let manifest: BundleManifest =
        toml::from_str(&text).map_err(|error| fault(format!("{MANIFEST} is malformed: {error}")))?;
    if let Some(what) = manifest.fault() {
        return Err(fault(what));
    }
    manifest.input.validate().map_err(malformed_input(&path.join(MANIFEST)))?;
    Ok(manifest)
}

fn read_archive(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let file = reading::open(path)?;
    let refused = |what: String| Error::Bundle {
        what,
        path: path.to_path_buf(),
        hint: "a bundle is a folder or .tar made by `parallax-train pack`; this one is damaged or something else",
    };
    // What the reader of archives says repeats raw bytes of the file, for which a terminal is no place.
    let damaged = |error: std::io::Error| {
        let said = error.to_string();
        let readable = said.chars().all(|letter| (' '..='~').contains(&letter));
        refused(format!("cannot read the archive: {}", if readable { said.as_str() } else { "a header is damaged" }))
    };
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    // Headers and padding take 1 KiB an entry; longer ones, which are read as a whole, are no longer than the file.
    let most = MOST_BUNDLE_BYTES + ((MOST_ENTRIES as u64) << 10);
    if size > most {
        return Err(refused(format!("the archive has {size} bytes, more than {most}")));
    }
    let mut files = BTreeMap::new();
    let mut room = MOST_BUNDLE_BYTES;
    for (index, entry) in tar::Archive::new(file).entries().map_err(damaged)?.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if index >= MOST_ENTRIES {
            return Err(refused(format!("the archive has more than {MOST_ENTRIES} entries")));
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(damaged)?.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let most = room.min(MOST_FILE_BYTES);
        if entry.size() > most {
            return Err(refused(format!(
                "{name} has {} bytes, more than the {most} that a bundle may hold",
                entry.size()
            )));
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(most).read_to_end(&mut bytes).map_err(damaged)?;
        room -= bytes.len() as u64;
        files.insert(name, bytes);
    }
    Ok(files)
}

/// Writes a bundle, as a folder or, when `path` ends in `.tar`, as one file; whole or not at all. `files` are the
/// contents of every file that the manifest names.
///
/// # Errors
/// The bundle exists already, or cannot be written.
pub fn write(path: &Path, manifest: &BundleManifest, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let text = toml::to_string(manifest).expect("a manifest is plain values");
    if path.extension().is_some_and(|extension| extension == "tar") {
        crate::files::check_output(path, crate::files::OutputKind::Bundle, &[])?;
        return crate::files::write_atomically(path, |file| {
            let mut archive = tar::Builder::new(file);
            append(&mut archive, MANIFEST, text.as_bytes())?;
            files.iter().try_for_each(|(name, bytes)| append(&mut archive, name, bytes))?;
            archive.finish()
        });
    }
    let folder = crate::files::AtomicFolder::create(path)?;
    crate::files::write_bytes(&folder.partial().join(MANIFEST), text.as_bytes())?;
    for (name, bytes) in files {
        crate::files::write_bytes(&folder.partial().join(name), bytes)?;
    }
    folder.finish()?;
    Ok(())
}

fn append(archive: &mut tar::Builder<impl std::io::Write>, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (BundleManifest, BTreeMap<String, Vec<u8>>) {
        let mut picture = std::io::Cursor::new(Vec::new());
        image::GrayImage::new(4, 4).write_to(&mut picture, image::ImageFormat::Png).unwrap();
        let picture = picture.into_inner();
        let files = BTreeMap::from([
            ("model.onnx".to_owned(), b"model".to_vec()),
            ("golden.png".to_owned(), picture.clone()),
            ("golden_mask.png".to_owned(), picture.clone()),
        ]);
        let model = BundledModel {
            role: "main".to_owned(),
            file: "model.onnx".to_owned(),
            sha256: sha256_of_bytes(b"model"),
            arithmetic: Arithmetic::Float32,
        };
        let golden = Golden {
            frame: "golden.png".to_owned(),
            frame_sha256: sha256_of_bytes(&picture),
            mask: "golden_mask.png".to_owned(),
            mask_sha256: sha256_of_bytes(&picture),
        };
        let training = Training {
            network: "slim".to_owned(),
            transfer: "whole".to_owned(),
            seed: 1,
            labelled: vec!["a".to_owned()],
            labelled_sha256: vec!["0".to_owned()],
        };
        let manifest = BundleManifest {
            schema: SCHEMA,
            name: "test".to_owned(),
            packed_by: "test".to_owned(),
            input: ModelInput::imagenet(4, 4),
            models: vec![model],
            golden,
            training,
            cameras: Vec::new(),
            classes: Classes::dense(&[("a", [0; 3]), ("b", [255; 3])]),
        };
        (manifest, files)
    }

    #[test]
    fn folder_and_archive_give_back_what_was_packed() {
        let parent = tempfile::tempdir().unwrap();
        let (manifest, files) = example();
        for name in ["bundle", "bundle.tar"] {
            let path = parent.path().join(name);
            write(&path, &manifest, &files).unwrap();
            let bundle = Bundle::open(&path).unwrap();
            assert_eq!(bundle.manifest(), &manifest);
            assert_eq!(bundle.model_bytes(&manifest.models[0]), b"model");
            assert_eq!(bundle.golden_frame().unwrap().dimensions(), (4, 4));
        }
    }

    #[test]
    fn every_damage_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let (manifest, files) = example();
        let path = parent.path().join("bundle");
        write(&path, &manifest, &files).unwrap();
        let message = || Bundle::open(&path).unwrap_err().to_string();
        std::fs::write(path.join("model.onnx"), "mode").unwrap();
        assert!(message().contains("wrong hash of model.onnx"), "{}", message());
        std::fs::remove_file(path.join("model.onnx")).unwrap();
        assert!(message().contains("model.onnx is missing"), "{}", message());
        let text = std::fs::read_to_string(path.join(MANIFEST)).unwrap();
        std::fs::write(path.join(MANIFEST), text.replace("schema = 1", "schema = 7")).unwrap();
        assert!(message().contains("schema 7"), "{}", message());
        std::fs::write(path.join(MANIFEST), &text[..text.len() / 2]).unwrap();
        assert!(message().contains("malformed"), "{}", message());
        std::fs::remove_file(path.join(MANIFEST)).unwrap();
        assert!(message().contains("not a bundle"), "{}", message());
    }

    #[test]
    fn a_truncated_archive_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let (manifest, files) = example();
        let path = parent.path().join("bundle.tar");
        write(&path, &manifest, &files).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 100, 600, bytes.len() / 2] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let refused = Bundle::open(&path).unwrap_err();
            assert!(matches!(refused, Error::Bundle { .. }), "{length} bytes opened");
            assert!(!refused.to_string().contains(char::is_control), "{refused}");
        }
    }

    #[test]
    fn what_is_no_bundle_is_named_and_its_bytes_are_not_printed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("given");
        let garbage: Vec<u8> = (0..4096_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let pickle = [b"\x80\x02".as_slice(), &garbage].concat();
        for (bytes, expected) in [(&garbage, "a file of unknown kind"), (&pickle, "PyTorch checkpoint")] {
            std::fs::write(&path, bytes).unwrap();
            let refused = Bundle::open(&path).unwrap_err();
            assert!(refused.to_string().contains(expected), "{refused}");
            assert!(!refused.to_string().contains(char::is_control) && refused.hint().is_some());
        }
        let run = parent.path().join("run");
        std::fs::create_dir(&run).unwrap();
        for name in ["run.toml", "model.safetensors"] {
            std::fs::write(run.join(name), "").unwrap();
        }
        let refused = Bundle::open(&run).unwrap_err().to_string();
        assert!(refused.contains("no bundle.toml") && refused.contains("a run folder"), "{refused}");
        assert!(matches!(Bundle::open(&parent.path().join("nothing")), Err(Error::Io { .. })));
    }

    #[test]
    fn a_manifest_cannot_reach_outside_its_bundle() {
        let parent = tempfile::tempdir().unwrap();
        let (mut manifest, files) = example();
        manifest.models[0].file = "../model.onnx".to_owned();
        std::fs::write(parent.path().join("model.onnx"), "model").unwrap();
        let path = parent.path().join("bundle");
        write(&path, &manifest, &files).unwrap();
        assert!(Bundle::open(&path).unwrap_err().to_string().contains("plain file name"));
    }
}
