//! The file as a tree, whichever of FileStorage's three forms it has.

use crate::formats::refusal::FORMS;
use parallax_core::camera::{CalibrationForm, CalibrationNode};
use parallax_core::{Error, Result};
use std::path::Path;

/// The file as a tree, whichever of FileStorage's three forms it has.
pub(super) fn tree(text: &str, path: &Path) -> Result<CalibrationNode> {
    let is_file_storage = CalibrationForm::of(text) == CalibrationForm::FileStorage;
    let malformed = |what: String| Error::Malformed {
        what: format!("{}: {what}", if is_file_storage { "not an OpenCV file" } else { "not a calibration" }),
        path: path.to_path_buf(),
        hint: if is_file_storage {
            "cv::FileStorage writes YAML, XML and JSON; this is none of them, or it is cut short"
        } else {
            FORMS
        },
    };
    if text.trim_start().starts_with('<') {
        let document = roxmltree::Document::parse(text).map_err(|error| malformed(error.to_string()))?;
        return tree_of_xml(document.root_element(), 0).map_err(malformed);
    }
    CalibrationNode::from_yaml(text).map_err(malformed)
}

/// Deepest nesting that is read, the same as of YAML.
const DEEPEST: usize = 64;

fn tree_of_xml(node: roxmltree::Node, depth: usize) -> std::result::Result<CalibrationNode, String> {
    if depth > DEEPEST {
        return Err(format!("its elements are nested deeper than {DEEPEST}"));
    }
    if !node.children().any(|child| child.is_element()) {
        let text: String = node.children().filter_map(|child| child.text()).collect();
        return Ok(if text.trim().is_empty() {
            CalibrationNode::Nothing
        } else {
            CalibrationNode::Text(text.trim().to_owned())
        });
    }
    let mut entries: Vec<(String, CalibrationNode)> = Vec::new();
    for child in node.children().filter(roxmltree::Node::is_element) {
        let name = child.tag_name().name();
        // `_` are the items of a list.
        if name != "_" && entries.iter().any(|(known, _)| known == name) {
            return Err(format!("{name} is there twice"));
        }
        entries.push((name.to_owned(), tree_of_xml(child, depth + 1)?));
    }
    if entries.iter().all(|(name, _)| name == "_") {
        return Ok(CalibrationNode::List(entries.into_iter().map(|(_, item)| item).collect()));
    }
    Ok(CalibrationNode::Map(entries))
}
