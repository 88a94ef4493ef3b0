//! Constants that a model keeps in files beside it: what PyTorch writes for large networks.
//!
//! They are read into the model, so that a bundle has everything. A location is the name of a file in the model's folder; a
//! path that leads elsewhere, or a file that is a link out of it, is refused: a model must not be able to read what it likes.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path};

use parallax_onnx::{DataType, ModelProto, TensorProto, model_file};

use super::error::{ForeignError, Result};

/// Reads the constants that are in files beside the model at `path`.
pub(super) fn read(model: &mut ModelProto, path: &Path) -> Result<()> {
    let Some(graph) = model.graph.as_mut() else { return Ok(()) };
    let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
    let inside = attributes.filter_map(|attribute| attribute.t.as_mut());
    let tensors = graph.initializer.iter_mut().chain(inside);
    tensors.filter(|tensor| tensor.is_external()).try_for_each(|tensor| read_tensor(tensor, path))
}

fn read_tensor(tensor: &mut TensorProto, model: &Path) -> Result<()> {
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone());
    let location = entry("location").unwrap_or_default();
    let refused = |reason: String| ForeignError::External {
        tensor: tensor.name.clone(),
        location: location.clone(),
        reason,
        path: model.to_path_buf(),
    };
    let number = |key: &str| entry(key).map(|text| text.parse::<u64>()).transpose();
    let unread = |_| refused("with a place in it that is no number".to_owned());
    let (offset, length) = (number("offset").map_err(unread)?.unwrap_or(0), number("length").map_err(unread)?);
    let bytes = bytes(tensor).map_err(&refused)?;
    if length.is_some_and(|length| length != bytes) {
        return Err(refused(format!("with {} bytes, its shape {:?} has {bytes}", length.unwrap_or(0), tensor.dims)));
    }
    let mut components = Path::new(&location).components();
    if !matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) {
        return Err(refused("which is no file name in the model's folder".to_owned()));
    }
    let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = folder.join(&location);
    let canonical =
        |path: &Path| path.canonicalize().map_err(|error| refused(format!("which cannot be read ({error})")));
    if !canonical(&file)?.starts_with(canonical(folder)?) || !file.is_file() {
        return Err(refused("which is no file in the model's folder".to_owned()));
    }
    let read = || -> std::io::Result<Vec<u8>> {
        let mut open = std::fs::File::open(&file)?;
        open.seek(SeekFrom::Start(offset))?;
        let mut values = Vec::new();
        open.take(bytes).read_to_end(&mut values)?;
        Ok(values)
    };
    let values = read().map_err(|error| refused(format!("which cannot be read ({error})")))?;
    if values.len() as u64 != bytes {
        return Err(refused(format!("which ends too early: {} of {bytes} bytes", values.len())));
    }
    tensor.raw_data = values;
    tensor.external_data.clear();
    tensor.data_location = None;
    Ok(())
}

/// Bytes of a constant by its shape and type.
fn bytes(tensor: &TensorProto) -> std::result::Result<u64, String> {
    let each = DataType::try_from(tensor.data_type).ok().and_then(DataType::bytes);
    let each = each.ok_or_else(|| format!("of ONNX data type {}, which is not read from files", tensor.data_type))?;
    Ok(each as u64 * model_file::count(&tensor.dims).map_err(|fault| format!("and {fault}"))?)
}
