"""Makes a small network of operators that stand between convolutions and quantizes it with onnxruntime's quantize_static.

Usage: quantize_operators.py MODEL windows|mean|gate|bilinear|chain
Writes the int8 (QDQ) model for pictures [1, 3, 64, 128] in [-2, 2] and prints one JSON object with its operators.
"""
import json
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

HEIGHT, WIDTH, CLASSES = 64, 128, 4


class Pictures(CalibrationDataReader):
    def __init__(self, generator):
        self.pictures = iter([generator.uniform(-2, 2, (1, 3, HEIGHT, WIDTH)).astype(numpy.float32) for _ in range(4)])

    def get_next(self):
        picture = next(self.pictures, None)
        return None if picture is None else {"image": picture}


def main():
    generator = numpy.random.default_rng(5)
    nodes, constants = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(values, name))
        return name

    def node(operator, inputs, output, **attributes):
        nodes.append(helper.make_node(operator, inputs, [output], name=output + "_node", **attributes))
        return output

    def convolution(read, name, outputs, inputs, size, **attributes):
        weights = generator.normal(0, (2 / (inputs * size * size)) ** 0.5, (outputs, inputs, size, size))
        bias = generator.normal(0, 0.1, outputs)
        weights = constant(name + "_w", weights.astype(numpy.float32))
        return node("Conv", [read, weights, constant(name + "_b", bias.astype(numpy.float32))], name, **attributes)

    border = constant("border", numpy.array([0, 0, 1, 1, 0, 0, 1, 1], numpy.int64))
    twice = constant("twice", numpy.array([1, 1, 2, 2], numpy.float32))
    kind = sys.argv[2]
    half = {"strides": [2, 2]} if kind == "bilinear" else {}
    stem = node("Pad", ["image", border], "stem_pad", mode="reflect")
    stem = node("Relu", [convolution(stem, "stem", 16, 3, 3, **half)], "stem_relu")
    if kind == "windows":
        deep = node("Elu", [convolution(stem, "deep", 24, 16, 5, pads=[4] * 4, dilations=[2, 2])], "deep_elu")
        wide = convolution(deep, "wide", 24, 1, 7, pads=[3] * 4, group=24)
        joined = node("Concat", [wide, stem], "joined", axis=1)
        edge = node("Pad", [joined, border], "edge_pad", mode="edge")
        last = node("Relu", [convolution(edge, "mixed", 16, 40, 3)], "mixed_relu")
    elif kind == "mean":
        last = node("AveragePool", [stem], "mean", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    elif kind == "gate":
        last = node("Mul", [stem, node("Sigmoid", [stem], "gate")], "gated")
    elif kind == "chain":
        mean = node("AveragePool", [stem], "mean", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        deep = node("Relu", [convolution(mean, "deep", 24, 16, 3, pads=[1] * 4, strides=[2, 2])], "deep_relu")
        up = node("Resize", [deep, "", twice], "up", mode="linear", coordinate_transformation_mode="half_pixel")
        joined = node("Concat", [convolution(up, "wide", 24, 1, 3, pads=[1] * 4, group=24), mean], "joined", axis=1)
        gated = node("Mul", [joined, node("Sigmoid", [joined], "gate")], "gated")
        mixed = node("Relu", [convolution(gated, "mixed", 16, 40, 3, pads=[1] * 4)], "mixed_relu")
        small = node(
            "AveragePool", [mixed], "small", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0], count_include_pad=1)
        back = node("Resize", [small, "", twice], "back", mode="linear", coordinate_transformation_mode="align_corners")
        late = node("Elu", [convolution(back, "late", 16, 16, 3, pads=[1] * 4)], "late_elu")
        last = node("Add", [late, mixed], "residual")
    else:
        last = node("Resize", [stem, "", twice], "up", mode="linear", coordinate_transformation_mode="half_pixel")
    convolution(last, "logits", CLASSES, 16, 1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES, HEIGHT, WIDTH])
    graph = helper.make_graph(nodes, "operators", [image], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model, file.name)
        quantize_static(
            file.name, sys.argv[1], Pictures(generator), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False},
        )
    written = onnx.load(sys.argv[1])
    onnx.checker.check_model(written)
    print(json.dumps({"operators": [node.op_type for node in written.graph.node]}))


main()
