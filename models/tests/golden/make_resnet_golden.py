"""Writes resnet_golden.json: what torchvision's ResNets compute from weights that a formula gives.

Both sides draw every weight from its name, so no weight file is needed:

    bits(name, i) = splitmix64(fnv1a64(name) + i)
    unit(name, i) = (bits >> 40) / 2^24                      in [0, 1), exact in 32-bit floats

The network runs in 64-bit floats; `rounding` is how far PyTorch itself, in 32-bit floats, is from that (largest
difference over the map's deviation), so that a test knows what exactness to ask for.

Run by hand in a throw-away environment with CPU torch and torchvision:

    python models/tests/golden/make_resnet_golden.py [--pth DIR]

`--pth DIR` also writes the two state dictionaries, to try the reader of torchvision files on.
"""

import argparse
import copy
import json
import pathlib

import numpy
import torch
import torchvision

SAMPLES = 48
MASK = (1 << 64) - 1


def fnv1a64(text):
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    return state


def unit(name, count):
    state = numpy.uint64(fnv1a64(name)) + numpy.arange(count, dtype=numpy.uint64)
    state = state + numpy.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    state = state ^ (state >> numpy.uint64(31))
    return (state >> numpy.uint64(40)).astype(numpy.float32) / numpy.float32(1 << 24)


def draw(name, shape):
    values = unit(name, int(numpy.prod(shape)))
    if len(shape) == 4:
        # Uniform with He's variance 2 / fan_in: half width sqrt(6 / fan_in).
        half_width = numpy.float32(numpy.sqrt(6.0 / (shape[1] * shape[2] * shape[3])))
        values = (2 * values - 1) * half_width
    elif name.endswith("running_var") or name.endswith("weight"):
        values = values + numpy.float32(0.5)
    else:
        values = (values - numpy.float32(0.5)) * numpy.float32(0.2)
    return torch.from_numpy(values.reshape(shape))


def fill(network):
    state = network.state_dict()
    for name, tensor in state.items():
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked"):
            tensor.copy_(draw(name, tuple(tensor.shape)))
    network.load_state_dict(state)


def features(network, image):
    outputs = [network.relu(network.bn1(network.conv1(image)))]
    outputs.append(network.layer1(network.maxpool(outputs[0])))
    for layer in (network.layer2, network.layer3, network.layer4):
        outputs.append(layer(outputs[-1]))
    return outputs


def summary(tensor, single=None):
    rounding = 0.0 if single is None else ((tensor - single.double()).abs().max() / tensor.std()).item()
    values = tensor.detach().flatten().double().numpy()
    step = max(1, len(values) // SAMPLES)
    return {
        "count": len(values),
        "mean": values.mean(),
        "deviation": values.std(),
        "rounding": rounding,
        "step": step,
        "samples": [float(numpy.float32(value)) for value in values[::step][:SAMPLES]],
    }


def golden(network):
    fill(network)
    double = copy.deepcopy(network).double()
    image = torch.from_numpy(2 * unit("image", 2 * 3 * 64 * 96).reshape(2, 3, 64, 96) - 1)
    result = {}
    for mode, training in (("eval", False), ("train", True)):
        network.train(training)
        double.train(training)
        with torch.no_grad():
            pairs = zip(features(double, image.double()), features(network, image))
            result[mode] = [summary(exact, single) for exact, single in pairs]
    kept = ("bn1.running", "layer4.1.bn2.running", "layer2.0.downsample.1.running")
    state = double.state_dict()
    result["running"] = {name: summary(state[name]) for name in state if name.startswith(kept)}
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pth", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = {}
    for name in ("resnet18", "resnet50"):
        network = getattr(torchvision.models, name)(weights=None)
        result[name] = golden(network)
        if arguments.pth:
            fill(network)
            torch.save(network.state_dict(), arguments.pth / f"{name}.pth")
    path = pathlib.Path(__file__).with_name("resnet_golden.json")
    path.write_text(json.dumps(result, indent=0) + "\n")
    print(f"{path} {path.stat().st_size} bytes, torch {torch.__version__}, torchvision {torchvision.__version__}")


main()
