"""Makes a small segmentation network as another program might write it, and the mask that onnxruntime gets from it.

    python tests/scripts/foreign_network.py KIND PICTURE.rgb WIDTH HEIGHT OUT

PICTURE.rgb holds height x width x 3 bytes. Writes OUT/model.onnx and OUT/mask.bytes (a class a pixel) and prints one
JSON object with the flags that `parallax-train pack` needs. KIND:

| old        | operator set 9, constants among the inputs, Upsample, Clip and Pad by attributes, batch norms |
| dynamic    | batch, height and width are symbols; sizes by Shape, Slice and Concat |
| normalised | takes bytes, blue first; swaps, subtracts and divides itself |
| quarter    | logits at a quarter of the size |
| argmax     | ends in ArgMax, cast to a byte |
| softmax    | channels last at the end, Softmax over them |
| external   | its weights are in a file beside it |
| two        | a second output, for training |
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

KIND, PICTURE, WIDTH, HEIGHT, OUT = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), pathlib.Path(sys.argv[5])
CLASSES = 4
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
random = numpy.random.default_rng(11)
nodes, constants = [], []


def constant(name, values, dtype=numpy.float32):
    constants.append(numpy_helper.from_array(numpy.asarray(values, dtype), name))
    return name


def node(operator, inputs, output, **attributes):
    nodes.append(helper.make_node(operator, inputs, [output] if isinstance(output, str) else output, **attributes))
    return output if isinstance(output, str) else output[0]


def conv(x, name, inputs, outputs, size=3, stride=1):
    spread = (2 / (inputs * size * size)) ** 0.5
    weights = constant(name + "_w", random.normal(0, spread, (outputs, inputs, size, size)))
    pads = [size // 2] * 4
    return node("Conv", [x, weights, constant(name + "_b", random.normal(0, 0.1, outputs))], name, strides=[stride] * 2, pads=pads)


def batch_norm(x, name, channels):
    inputs = [x]
    inputs += [constant(name + "_scale", random.uniform(0.5, 1.5, channels)), constant(name + "_bias", random.normal(0, 0.2, channels))]
    inputs += [constant(name + "_mean", random.normal(0, 0.3, channels)), constant(name + "_var", random.uniform(0.3, 1.2, channels))]
    return node("BatchNormalization", inputs, name)


def enlarge(x, like, name):
    """To the size of the picture, which is computed from its shape."""
    axes = [constant(name + end, [value], numpy.int64) for end, value in (("_0", 0), ("_2", 2), ("_4", 4))]
    front = node("Slice", [node("Shape", [x], name + "_small"), axes[0], axes[1], axes[0]], name + "_front")
    sides = node("Slice", [node("Shape", [like], name + "_whole"), axes[1], axes[2], axes[0]], name + "_sides")
    sizes = node("Concat", [front, sides], name + "_sizes", axis=0)
    return node("Resize", [x, "", "", sizes], name, mode="linear", coordinate_transformation_mode="half_pixel")


opset = {"old": 9}.get(KIND, 13)
x = "image"
if KIND == "normalised":
    x = node("Gather", [x, constant("order", [2, 1, 0], numpy.int64)], "rgb", axis=1)
    x = node("Sub", [x, constant("mean", numpy.reshape(MEAN, (1, 3, 1, 1)) * 255)], "centred")
    x = node("Div", [x, constant("std", numpy.reshape(STD, (1, 3, 1, 1)) * 255)], "ready")
x = node("Relu", [batch_norm(conv(x, "c1", 3, 12, stride=2), "b1", 12)], "r1")
if KIND == "old":
    x = node("Clip", [batch_norm(conv(x, "c2", 12, 16), "b2", 16)], "r2", min=0.0, max=6.0)
    x = node("Pad", [x], "padded", pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant", value=0.0)
    x = node("MaxPool", [x], "pooled", kernel_shape=[3, 3], strides=[2, 2])
    x = node("Upsample", [x, constant("twice", [1, 1, 2, 2])], "up", mode="nearest")
else:
    x = node("Relu", [batch_norm(conv(x, "c2", 12, 16, stride=2), "b2", 16)], "r2")
    x = node("Relu", [batch_norm(conv(x, "c2b", 16, 16), "b2b", 16)], "r2b")
if KIND not in ("quarter",):
    if KIND == "old":
        x = node("Upsample", [x, constant("whole", [1, 1, 2, 2])], "whole_up", mode="linear")
    else:
        x = enlarge(x, "image", "enlarged")
features = node("Relu", [batch_norm(conv(x, "c3", 16, 16), "b3", 16)], "r3")
logits = conv(features, "logits", 16, CLASSES, size=1)

value = lambda name, shape, kind=TensorProto.FLOAT: helper.make_tensor_value_info(name, kind, shape)
sides = ["batch", 3, "height", "width"] if KIND == "dynamic" else [1, 3, HEIGHT, WIDTH]


def model(outputs):
    inputs = [value("image", sides)]
    if KIND == "old":
        inputs += [value(tensor.name, list(tensor.dims), tensor.data_type) for tensor in constants]
    graph = helper.make_graph(nodes, "network", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3 if KIND == "old" else 8)
    made.producer_name = "foreign_network.py"
    return made


def run(made, picture):
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": picture})


picture = numpy.fromfile(PICTURE, numpy.uint8).reshape(HEIGHT, WIDTH, 3).astype(numpy.float32)
if KIND == "normalised":
    prepared = picture[:, :, ::-1]
    flags = ["--values", "0..255", "--mean", "0", "--std", "1", "--channels", "bgr"]
else:
    prepared = (picture / 255 - numpy.float32(MEAN)) / numpy.float32(STD)
    flags = ["--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)), "--channels", "rgb"]
prepared = numpy.ascontiguousarray(prepared.transpose(2, 0, 1))[None].astype(numpy.float32)

# A last layer whose classes are about as frequent as each other: of what is the same everywhere nothing could be told.
raw = run(model([value("logits", ["n", "c", "h", "w"])]), prepared)[0]
weights = next(tensor for tensor in constants if tensor.name == "logits_w")
bias = next(tensor for tensor in constants if tensor.name == "logits_b")
spread = raw.std((0, 2, 3))
scaled = numpy_helper.to_array(weights) / spread[:, None, None, None]
shifted = (numpy_helper.to_array(bias) - raw.mean((0, 2, 3))) / spread
weights.CopyFrom(numpy_helper.from_array(scaled.astype(numpy.float32), "logits_w"))
bias.CopyFrom(numpy_helper.from_array(shifted.astype(numpy.float32), "logits_b"))

output = value("logits", ["n", "c", "h", "w"])
if KIND == "argmax":
    best = node("ArgMax", ["logits"], "best", axis=1, keepdims=0)
    output = value(node("Cast", [best], "mask", to=TensorProto.UINT8), [1, HEIGHT, WIDTH], TensorProto.UINT8)
if KIND == "softmax":
    last = node("Transpose", ["logits"], "last", perm=[0, 2, 3, 1])
    output = value(node("Softmax", [last], "chances", axis=-1), [1, HEIGHT, WIDTH, CLASSES])
outputs = [output]
if KIND == "two":
    outputs.append(value(conv(features, "aux", 16, 2, size=1), ["n", "c", "h", "w"]))
    flags += ["--output", "logits"]
made = model(outputs)
onnx.checker.check_model(made)
answer = run(made, prepared)[0]
if KIND == "quarter":
    # Linear between the centres of the pixels.
    for axis, size in ((2, HEIGHT), (3, WIDTH)):
        small = answer.shape[axis]
        places = ((numpy.arange(size) + 0.5) * small / size - 0.5).clip(0, small - 1)
        first = numpy.minimum(places.astype(int), small - 2)
        part = (places - first).reshape([-1 if at == axis else 1 for at in range(4)])
        answer = answer.take(first, axis) * (1 - part) + answer.take(first + 1, axis) * part
mask = answer if KIND == "argmax" else answer.argmax(3 if KIND == "softmax" else 1)
mask.astype(numpy.uint8).tofile(OUT / "mask.bytes")
if KIND == "external":
    onnx.save(made, OUT / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)
else:
    onnx.save(made, OUT / "model.onnx")
if KIND == "dynamic":
    flags += ["--size", f"{WIDTH}x{HEIGHT}"]
counts = numpy.bincount(mask.ravel().astype(int), minlength=CLASSES)
print(json.dumps({"flags": flags, "classes": CLASSES, "rarest": counts.min() / counts.sum(), "operators": sorted({n.op_type for n in made.graph.node})}))
