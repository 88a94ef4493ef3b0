"""Runs an int8 (QDQ) ONNX model in onnxruntime and compares the integers of its layers with given ones.

Usage: compare_layers_with_onnxruntime.py MODEL INPUT LAYERS
INPUT is one picture for the model's input as little-endian float32; LAYERS is a folder with `layers.json`, a list of
{"tensor", "shape": [1, height, width, channels], "file"}, and the files of bytes that it names; signed integers with 128 added.
Prints one JSON object: for each layer the share of numbers that are equal, the share at most one step apart, and the
largest difference.
"""
import json
import pathlib
import sys

import numpy
import onnx

from sessions import session


def main():
    path, input_path, folder = sys.argv[1:]
    layers = json.loads((pathlib.Path(folder) / "layers.json").read_text())
    model = onnx.load(path)
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    writers = {node.output[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    for layer in layers:
        zero_point = writers[layer["tensor"]].input[2:]
        integers = types[zero_point[0]] if zero_point else onnx.TensorProto.UINT8
        model.graph.output.append(onnx.helper.make_tensor_value_info(layer["tensor"], integers, None))
    running = session(model)
    node = running.get_inputs()[0]
    picture = numpy.fromfile(input_path, "<f4").reshape(node.shape)
    theirs = running.run([layer["tensor"] for layer in layers], {node.name: picture})
    compared = []
    for layer, expected in zip(layers, theirs):
        ours = numpy.fromfile(pathlib.Path(folder) / layer["file"], numpy.uint8).reshape(layer["shape"])
        if expected.dtype == numpy.int8:
            expected = expected.astype(int) + 128
        apart = numpy.abs(ours.transpose(0, 3, 1, 2).astype(int) - expected.astype(int))
        compared.append({
            "tensor": layer["tensor"],
            "equal": float((apart == 0).mean()),
            "within_one": float((apart <= 1).mean()),
            "largest": int(apart.max()),
            "values": int(len(numpy.unique(expected))),
        })
    print(json.dumps({"layers": compared}))


main()
