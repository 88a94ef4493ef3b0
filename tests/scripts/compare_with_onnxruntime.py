"""Runs an ONNX model in onnxruntime on given inputs and compares its outputs with given ones.

Usage: compare_with_onnxruntime.py MODEL INPUTS OUTPUTS
INPUTS and OUTPUTS are little-endian float32 files of as many runs as fit the model's static shapes.
Prints one JSON object: whether onnx.checker passes, the largest difference as a share of the outputs' range, and the
share of pixels whose largest class is the same.
"""
import json
import sys

import numpy
import onnx

from sessions import session


def main():
    path, inputs_path, outputs_path = sys.argv[1:]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    running = session(model)
    node = running.get_inputs()[0]
    inputs = numpy.fromfile(inputs_path, "<f4").reshape(-1, *node.shape[1:])
    runs = [running.run(None, {node.name: picture[None]})[0][0] for picture in inputs]
    ours = numpy.fromfile(outputs_path, "<f4").reshape(len(runs), *runs[0].shape)
    theirs = numpy.stack(runs)
    spread = float(theirs.max() - theirs.min())
    print(json.dumps({
        "checker": True,
        "opset": max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        "domains": sorted({node.domain for node in model.graph.node}),
        "operators": sorted({node.op_type for node in model.graph.node}),
        "max_difference_of_range": float(numpy.abs(ours - theirs).max()) / spread,
        "argmax_agreement": float((ours.argmax(1) == theirs.argmax(1)).mean()),
    }))


main()
