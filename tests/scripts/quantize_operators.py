"""Makes a small network of operators that stand between convolutions and quantizes it with onnxruntime's quantize_static.

Usage: quantize_operators.py MODEL windows|mean|gate|bilinear|chain|OPERATOR [OPTION …]
OPERATOR is one along an axis: Softmax, LogSoftmax, Hardmax, LpNormalization, LayerNormalization, CumSum, ReduceMean, ReduceMax,
ArgMax, TopK. Options: `s8` for signed activations, `per-tensor`, `QOperator` for the older form,
`no-zero-points` to leave out zero points of 0, `float` for the float model.
Writes the int8 (QDQ) model for pictures [1, 3, 64, 128] in [-2, 2] and prints one JSON object with its operators.

Or: quantize_operators.py FOLDER masks INPUT OPERATOR …
Writes FOLDER/OPERATOR-u8.onnx and FOLDER/OPERATOR-s8.onnx, and beside them as `.mask` the classes, a byte each, that
onnxruntime finds in the picture INPUT, little-endian float32.
"""
import json
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from sessions import overflows, session

HEIGHT, WIDTH, CLASSES = 64, 128, 4


class Pictures(CalibrationDataReader):
    def __init__(self, generator):
        self.pictures = iter([generator.uniform(-2, 2, (1, 3, HEIGHT, WIDTH)).astype(numpy.float32) for _ in range(4)])

    def get_next(self):
        picture = next(self.pictures, None)
        return None if picture is None else {"image": picture}


def along_an_axis(operator, read, node, constant):
    """`operator` along the channels, or along the rows where it has no choice; the result has 16 channels again."""
    if operator in ("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"):
        return node(operator, [read], "along", axis=1)
    if operator == "LayerNormalization":
        return node(operator, [read, constant("ones", numpy.ones(WIDTH, numpy.float32))], "along", axis=-1)
    if operator == "CumSum":
        return node(operator, [read, constant("axis", numpy.array(1, numpy.int64))], "along")
    if operator == "TopK":
        return node(operator, [read, constant("count", numpy.array([16], numpy.int64))], "along", axis=1)
    if operator == "ArgMax":
        place = node(operator, [read], "along", axis=1, keepdims=1)
        return node("Sub", [read, node("Cast", [place], "along_float", to=TensorProto.FLOAT)], "less")
    reduced = node(operator, [read, constant("axes", numpy.array([1], numpy.int64))], "along", keepdims=1)
    return node("Sub", [read, reduced], "less")


def quantize(model, path, pictures, options):
    signed = QuantType.QInt8 if "s8" in options else QuantType.QUInt8
    form = QuantFormat.QOperator if "QOperator" in options else QuantFormat.QDQ
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model, file.name)
        quantize_static(
            file.name, path, pictures, quant_format=form, per_channel="per-tensor" not in options,
            activation_type=signed, weight_type=QuantType.QInt8, reduce_range=overflows(),
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": "s8" in options},
        )


def leave_out_zero_points(model):
    """Zero points are optional where they are 0, of u8; a DequantizeLinear reads what the type of its input is."""
    zeros = {tensor.name for tensor in model.graph.initializer if not numpy_helper.to_array(tensor).any()}
    unsigned = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.UINT8}
    for node in model.graph.node:
        optional = node.op_type == "DequantizeLinear" or len(node.input) > 2 and node.input[2] in unsigned
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and optional and node.input[2] in zeros:
            node.input.pop()


def main():
    path, kind, options = sys.argv[1], sys.argv[2], sys.argv[3:]
    if kind != "masks":
        return print(json.dumps({"operators": [node.op_type for node in write(path, kind, options).graph.node]}))
    picture = numpy.fromfile(options[0], "<f4").reshape(1, 3, HEIGHT, WIDTH)
    for operator in options[1:]:
        for form in ("u8", "s8"):
            model = write(f"{path}/{operator}-{form}.onnx", operator, [form])
            logits = session(model).run(None, {"image": picture})[0]
            logits[0].argmax(0).astype(numpy.uint8).tofile(f"{path}/{operator}-{form}.mask")
    print(json.dumps({"operators": options[1:]}))


def write(path, kind, options):
    generator = numpy.random.default_rng(5)
    nodes, constants = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(values, name))
        return name

    def node(operator, inputs, output, **attributes):
        outputs = [output, output + "_places"] if operator == "TopK" else [output]
        nodes.append(helper.make_node(operator, inputs, outputs, name=output + "_node", **attributes))
        return output

    def convolution(read, name, outputs, inputs, size, **attributes):
        weights = generator.normal(0, (2 / (inputs * size * size)) ** 0.5, (outputs, inputs, size, size))
        bias = generator.normal(0, 0.1, outputs)
        weights = constant(name + "_w", weights.astype(numpy.float32))
        return node("Conv", [read, weights, constant(name + "_b", bias.astype(numpy.float32))], name, **attributes)

    border = constant("border", numpy.array([0, 0, 1, 1, 0, 0, 1, 1], numpy.int64))
    twice = constant("twice", numpy.array([1, 1, 2, 2], numpy.float32))
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
    elif kind[0].isupper():
        # Spread out, so that what lies along the axis differs from place to place.
        spread = constant("spread", numpy.float32([[[[3]]]]))
        deep = node("Mul", [convolution(stem, "deep", 16, 16, 3, pads=[1] * 4), spread], "wide")
        last = along_an_axis(kind, deep, node, constant)
    else:
        last = node("Resize", [stem, "", twice], "up", mode="linear", coordinate_transformation_mode="half_pixel")
    convolution(last, "logits", CLASSES, 16, 1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES, HEIGHT, WIDTH])
    graph = helper.make_graph(nodes, "operators", [image], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    if "float" in options:
        onnx.save(model, path)
    else:
        quantize(model, path, Pictures(generator), options)
    written = onnx.load(path)
    if "no-zero-points" in options:
        leave_out_zero_points(written)
        onnx.save(written, path)
    onnx.checker.check_model(written)
    return written


main()
