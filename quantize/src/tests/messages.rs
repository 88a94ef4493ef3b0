//! That the messages of `parallax_onnx` are those of the standard as tract writes them down: nothing is lost on the way there.

use parallax_onnx::{
    AttributeProto, DataLocation, DimensionValue, FunctionProto, GraphProto, ModelProto, SparseTensorProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TensorSegment, TrainingInfoProto, TypeProto, ValueInfoProto,
};
use prost::Message as _;
use tract_onnx::prelude::Framework as _;

use super::unet;

fn entry(key: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: key.to_owned(), value: "value".to_owned() }
}

/// A constant with something in every field.
fn full_tensor() -> TensorProto {
    TensorProto {
        segment: Some(TensorSegment { begin: 1, end: 2 }),
        float_data: vec![1.5],
        int32_data: vec![-3],
        string_data: vec![b"text".to_vec()],
        int64_data: vec![-4],
        double_data: vec![2.5],
        uint64_data: vec![5],
        doc_string: "a constant".to_owned(),
        external_data: vec![entry("location")],
        data_location: Some(DataLocation::External as i32),
        ..TensorProto::of_signed_bytes("full", &[2], &[1, 2])
    }
}

/// An attribute with something in every field.
fn full_attribute(graph: &GraphProto, value: TypeProto) -> AttributeProto {
    let tensor = full_tensor();
    let sparse = SparseTensorProto { values: Some(tensor.clone()), indices: Some(tensor.clone()), dims: vec![6] };
    AttributeProto {
        f: 0.5,
        i: 7,
        s: b"text".to_vec(),
        t: Some(tensor.clone()),
        g: Some(graph.clone()),
        floats: vec![0.25],
        strings: vec![b"one".to_vec(), b"two".to_vec()],
        tensors: vec![tensor],
        graphs: vec![graph.clone()],
        doc_string: "an attribute".to_owned(),
        type_protos: vec![value],
        ref_attr_name: "other".to_owned(),
        sparse_tensor: Some(sparse.clone()),
        sparse_tensors: vec![sparse],
        ..AttributeProto::integers("full", &[8, 9])
    }
}

/// A model with something in every field.
fn full_model() -> ModelProto {
    let mut model = unet();
    let inner = model.graph.clone().unwrap();
    let mut open = ValueInfoProto { doc_string: "an input".to_owned(), ..ValueInfoProto::of_floats("open", &[1, 2]) };
    let dimension = &mut open.tensor_mut().unwrap().shape.as_mut().unwrap().dim[1];
    dimension.value = Some(DimensionValue::Named("width".to_owned()));
    dimension.denotation = "DATA_FEATURE".to_owned();
    open.r#type.as_mut().unwrap().denotation = "IMAGE".to_owned();
    let graph = model.graph.as_mut().unwrap();
    let value = open.r#type.clone().unwrap();
    let (node, annotated) = (&mut graph.node[0], Some("r1".to_owned()));
    node.domain = "other.domain".to_owned();
    node.doc_string = "an operator".to_owned();
    node.attribute.push(full_attribute(&inner, value));
    graph.doc_string = "a graph".to_owned();
    graph.value_info = vec![open];
    graph.quantization_annotation =
        vec![TensorAnnotation { tensor_name: annotated, quant_parameter_tensor_names: vec![entry("SCALE_TENSOR")] }];
    graph.sparse_initializer = vec![SparseTensorProto { values: Some(full_tensor()), indices: None, dims: vec![3] }];
    model.producer_name = "a test".to_owned();
    model.producer_version = "1".to_owned();
    model.domain = "some.domain".to_owned();
    model.model_version = 3;
    model.doc_string = "a model".to_owned();
    model.metadata_props = vec![entry("key")];
    model.training_info = vec![TrainingInfoProto {
        initialization: Some(inner.clone()),
        algorithm: Some(inner.clone()),
        initialization_binding: vec![entry("a")],
        update_binding: vec![entry("b")],
    }];
    model.functions = vec![FunctionProto {
        name: Some("function".to_owned()),
        input: vec!["in".to_owned()],
        output: vec!["out".to_owned()],
        attribute: vec!["axis".to_owned()],
        node: inner.node,
        doc_string: Some("a function".to_owned()),
        opset_import: model.opset_import.clone(),
        domain: Some("some.domain".to_owned()),
    }];
    model
}

#[test]
fn a_model_with_every_field_reaches_tract_and_comes_back_byte_for_byte() {
    let model = full_model();
    let bytes = model.to_bytes();
    assert_eq!(ModelProto::from_bytes(&bytes).unwrap(), model);
    let theirs = tract_onnx::onnx().proto_model_for_read(&mut bytes.as_slice()).unwrap();
    assert_eq!(theirs.encode_to_vec(), bytes);
}
