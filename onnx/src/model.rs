//! A model: from bytes and back, and what it says of itself.

use prost::Message as _;

use crate::{GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto};

/// The version of the file format that models made here are written in.
const IR_VERSION: i64 = 8;

impl ModelProto {
    /// A model of one graph, in the standard's operator set `operator_set`.
    #[must_use]
    pub fn new(graph: GraphProto, operator_set: i64) -> Self {
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: operator_set }];
        Self { ir_version: IR_VERSION, opset_import, graph: Some(graph), ..Self::default() }
    }

    /// Decodes the bytes of an ONNX file.
    ///
    /// # Errors
    /// Why they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::decode(bytes).map_err(|error| error.to_string())
    }

    /// The bytes of an ONNX file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The metadata entry `key`.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// Sets the metadata entry `key`.
    pub fn set_metadata(&mut self, key: &str, value: &str) {
        self.metadata_props.retain(|entry| entry.key != key);
        self.metadata_props.push(StringStringEntryProto { key: key.to_owned(), value: value.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_comes_back_from_its_bytes() {
        let mut model = ModelProto::new(GraphProto { name: "tiny".to_owned(), ..GraphProto::default() }, 18);
        model.set_metadata("key", "first");
        model.set_metadata("key", "second");
        let back = ModelProto::from_bytes(&model.to_bytes()).unwrap();
        assert_eq!((back.metadata("key"), back.metadata("other")), (Some("second"), None));
        assert_eq!(back, model);
        assert!(ModelProto::from_bytes(b"no model").is_err());
    }
}
