"""Sessions of onnxruntime that compute what a file says, on every processor.

Without VNNI onnxruntime's x86 kernels add two products u8 · s8 in 16 bits, which overflows where weights are beyond ±64
(docs/int8.md). Its graph optimisations are what brings those kernels in: without them it computes in float between
DequantizeLinear and QuantizeLinear, as the file is written.
"""
import pathlib

import numpy
import onnx
import onnxruntime


def overflows():
    """Whether this processor's kernels can overflow."""
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx2" in flags and "vnni" not in flags


def session(model):
    """For a model; on one thread, so that sums have one order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    signed = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8]
    weights = [onnx.numpy_helper.to_array(tensor).astype(int) for tensor in signed]
    if overflows() and any(numpy.abs(numbers).max(initial=0) > 64 for numbers in weights):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
