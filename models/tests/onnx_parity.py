"""Checks an exported model: onnx.checker accepts it and onnxruntime computes the given output.

    python models/tests/onnx_parity.py FOLDER      FOLDER holds model.onnx, image.f32 and output.f32

Called by the test `onnxruntime_and_the_onnx_checker_agree` when PARALLAX_PYTHON is set.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime

folder = pathlib.Path(sys.argv[1])
model = onnx.load(folder / "model.onnx")
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
(declared,) = session.get_inputs()
image = numpy.fromfile(folder / "image.f32", numpy.float32).reshape(declared.shape)
(output,) = session.run(None, {declared.name: image})
expected = numpy.fromfile(folder / "output.f32", numpy.float32).reshape(output.shape)
difference = numpy.abs(output - expected).max() / numpy.ptp(expected)
agreement = (output.argmax(1) == expected.argmax(1)).mean()
print(f"{model.graph.name}: {declared.shape} -> {output.shape}, difference {difference:.2e} of the range, same class {agreement:.4%}")
sys.exit(0 if difference <= 1e-3 and agreement >= 0.999 else 1)
