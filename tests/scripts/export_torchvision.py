"""Exports one of torchvision's segmentation networks to ONNX, as a newcomer would.

    python tests/scripts/export_torchvision.py OUT.onnx [NETWORK] [CLASSES] [OPSET] [WIDTHxHEIGHT] [fixed|dynamic]

NETWORK is lraspp_mobilenet_v3_large (default), fcn_resnet50, deeplabv3_mobilenet_v3_large, ... Weights are random
(nothing is downloaded) with batch norms that have seen pictures. Prints one JSON object. docs/foreign_models.md begins
with what this does.
"""

import inspect
import json
import sys

import torch
import torchvision

out = sys.argv[1]
network = sys.argv[2] if len(sys.argv) > 2 else "lraspp_mobilenet_v3_large"
classes = int(sys.argv[3]) if len(sys.argv) > 3 else 4
opset = int(sys.argv[4]) if len(sys.argv) > 4 else 13
width, height = (int(side) for side in (sys.argv[5] if len(sys.argv) > 5 else "128x96").split("x"))
dynamic = len(sys.argv) > 6 and sys.argv[6] == "dynamic"

torch.manual_seed(3)
model = getattr(torchvision.models.segmentation, network)(weights=None, weights_backbone=None, num_classes=classes)
model.train()
with torch.no_grad():
    for _ in range(3):
        model(torch.rand(4, 3, height, width) * 4 - 2)
model.eval()


class Masks(torch.nn.Module):
    """Only the logits: torchvision's networks give a dictionary."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return self.network(image)["out"]


options = {"input_names": ["image"], "output_names": ["logits"], "opset_version": opset}
if dynamic:
    options["dynamic_axes"] = {"image": {0: "batch", 2: "height", 3: "width"}, "logits": {0: "batch"}}
# The exporter of today's PyTorch by default; --dynamo=False is the older one, which needs no further package.
if "dynamo" in inspect.signature(torch.onnx.export).parameters:
    options["dynamo"] = False
torch.onnx.export(Masks(model), torch.zeros(1, 3, height, width), out, **options)
print(json.dumps({"network": network, "torch": torch.__version__, "opset": opset}))
