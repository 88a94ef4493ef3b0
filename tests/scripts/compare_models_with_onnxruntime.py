"""Runs a float model and its int8 form in onnxruntime and says how far the second is from the first.

Usage: compare_models_with_onnxruntime.py FLOAT INT8 INPUTS
INPUTS are little-endian float32, as many pictures as fit the models' static shape.
Prints one JSON object: the signal-to-noise ratio of the output in dB, and the share of pixels whose largest class is the same.
"""
import json
import sys

import numpy
import onnx

from sessions import session


def main():
    float_path, int8_path, inputs_path = sys.argv[1:]
    signal, noise, same, pixels = 0.0, 0.0, 0, 0
    running = [session(onnx.load(path)) for path in (float_path, int8_path)]
    node = running[0].get_inputs()[0]
    for picture in numpy.fromfile(inputs_path, "<f4").reshape(-1, *node.shape[1:]):
        exact, rounded = [one.run(None, {node.name: picture[None]})[0].astype(float) for one in running]
        signal += float((exact**2).sum())
        noise += float(((exact - rounded) ** 2).sum())
        same += int((exact.argmax(1) == rounded.argmax(1)).sum())
        pixels += exact[0, 0].size
    print(json.dumps({"snr_db": 10 * float(numpy.log10(signal / noise)), "agreement": same / pixels}))


main()
