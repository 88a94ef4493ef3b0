"""Compares predicted depth maps with OpenCV's semi-global block matching on a rectified stereo pair.

Usage: compare_with_sgbm.py DEPTH LEFT RIGHT FX BASELINE_M
DEPTH: the folder `depth/` that `parallax-train predict` wrote for LEFT (16-bit PNG, metres x 256).
LEFT, RIGHT: folders of rectified pictures in the same order. FX: focal length in pixels of those pictures.

SGBM is no truth: only pixels count where left-to-right and right-to-left matches agree within one pixel. Beside the
network stand priors that need none, fitted to SGBM itself on these very pictures (so they are harder to beat than they
would be in use): the median of each row, and one constant.
Prints one JSON object; errors are mean |difference of disparities| in pixels and the share above 3 pixels.
Needs opencv-python and numpy.
"""
import json
import sys
from pathlib import Path

import cv2
import numpy


def matched(left, right):
    """Disparity of the left picture where both directions agree, else not a number."""
    disparities, block = 96, 5
    matcher = cv2.StereoSGBM_create(0, disparities, block, P1=8 * block * block, P2=32 * block * block, disp12MaxDiff=1,
                                    uniquenessRatio=10, speckleWindowSize=100, speckleRange=2,
                                    mode=cv2.STEREO_SGBM_MODE_HH)
    # Mirrored pictures with the eyes exchanged give the disparity of the right one.
    forth = matcher.compute(left, right).astype("f4") / 16
    back = matcher.compute(right[:, ::-1].copy(), left[:, ::-1].copy())[:, ::-1].astype("f4") / 16
    rows, columns = numpy.indices(forth.shape)
    partner = numpy.clip(columns - numpy.round(forth).astype(int), 0, forth.shape[1] - 1)
    agree = (forth > 0) & (numpy.abs(forth - back[rows, partner]) <= 1)
    return numpy.where(agree, forth, numpy.nan)


def main():
    depth, left, right = (sorted(Path(folder).glob("*.*")) for folder in sys.argv[1:4])
    scale = float(sys.argv[4]) * float(sys.argv[5])
    truths, predictions = [], []
    for path in depth:
        index = int(path.stem)
        pair = [cv2.imread(str(eye[index]), cv2.IMREAD_GRAYSCALE) for eye in (left, right)]
        inverse = 256 / numpy.maximum(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype("f4"), 1)
        height, width = pair[0].shape
        predictions.append(scale * cv2.resize(inverse, (width, height), interpolation=cv2.INTER_LINEAR))
        truths.append(matched(*pair))
    truth, predicted = numpy.stack(truths), numpy.stack(predictions)
    known = ~numpy.isnan(truth)
    rows = numpy.nanmedian(numpy.where(known.any((0, 2))[None, :, None], truth, 0), axis=(0, 2))[None, :, None]

    def errors(guess):
        difference = numpy.abs(numpy.broadcast_to(guess, truth.shape) - truth)[known]
        return {"mean_px": float(difference.mean()), "above_3px_percent": float(100 * (difference > 3).mean())}

    print(json.dumps({
        "frames": len(truth),
        "confident_percent": float(100 * known.mean()),
        "network": errors(predicted),
        "row_median": errors(rows),
        "constant": errors(numpy.nanmedian(truth)),
    }))


main()
