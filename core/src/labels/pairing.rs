//! Which labels belong to which picture: by equal names, or by the endings that well-known tools and data sets give.

use super::set::Pair;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Endings of names of label pictures, the first that is there counts: Cityscapes, CamVid, and what labelling tools write.
const LABEL_ENDINGS: [&str; 20] = [
    "_gtFine_labelIds",
    "_gtCoarse_labelIds",
    "_labelIds",
    "_gtFine_labelTrainIds",
    "_gtCoarse_labelTrainIds",
    "_labelTrainIds",
    "_train_id",
    "_gtFine_color",
    "_gtCoarse_color",
    "_L",
    "_labels",
    "_label",
    "_masks",
    "_mask",
    "_segmentation",
    "_semantic",
    "_seg",
    "_gt",
    "-mask",
    "-label",
];
/// Endings of names of pictures that their labels lack.
const PICTURE_ENDINGS: [&str; 5] = ["_leftImg8bit", "_rgb", "_image", "_img", "_sat"];

/// Files by their names without extension.
pub(super) type FilesByStem = BTreeMap<String, PathBuf>;

/// Pictures with their labels, and what is left over.
#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) pairs: Vec<Pair>,
    /// Pictures without labels.
    pub(super) unlabelled: Vec<PathBuf>,
    /// Labels without a picture.
    pub(super) orphans: Vec<PathBuf>,
}

/// Pairs pictures and labels.
pub(super) fn pair(images: FilesByStem, mut labels: FilesByStem) -> Pairing {
    let (mut pairs, mut unlabelled) = (Vec::new(), Vec::new());
    for (name, image) in images {
        let found = names_of_labels(&name, &image).find_map(|name| labels.remove(&name));
        match found {
            Some(labels) => pairs.push(Pair { name, image, labels }),
            None => unlabelled.push(image),
        }
    }
    Pairing { pairs, unlabelled, orphans: labels.into_values().collect() }
}

/// What the labels of a picture may be called, without extension, the likeliest first.
fn names_of_labels(stem: &str, image: &Path) -> impl Iterator<Item = String> {
    let bare = PICTURE_ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending));
    let file_name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let plain = [stem.to_owned(), file_name].into_iter().chain(bare.map(str::to_owned));
    let bases = [Some(stem.to_owned()), bare.map(str::to_owned)];
    let with_ending = LABEL_ENDINGS.iter().flat_map(move |ending| {
        let named = bases.clone().into_iter().flatten();
        named.map(move |base| format!("{base}{ending}"))
    });
    plain.chain(with_ending)
}
