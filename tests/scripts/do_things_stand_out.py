"""Do things stand out of predicted depth maps? Asks labels where the things are, and the maps whether they are nearer there.

Usage: do_things_stand_out.py DEPTH LABELS
DEPTH: the folder `depth/` that `parallax-train predict` wrote for the pictures of LABELS, in the same order (16-bit PNG; the unit
does not matter). LABELS: 8-bit PNG with the ids of Cityscapes.

For every connected thing, the inverse depth inside is compared with that beside it *in the same rows*, from 3 to 10 pixels
beyond its left and right edge: whatever says depth by the row alone (a ground plane, row medians) has the ratio 1 there, a car in
front of a street or a wall has more. `stand_out_percent` is the share of things with a ratio above 1.1; `nearer_percent` above 1.
Things that touch the left or right border, whose outside is another thing, or that are smaller than 40 pixels do not count.
Compare runs with one another, not with 100 %: what is beside a thing may be as near as it is, and a thing narrower than a pixel or two
of the map cannot stand out at all.
Prints one JSON object. Needs opencv-python and numpy.
"""
import json
import sys
from pathlib import Path

import cv2
import numpy

THINGS = {"car": (26, 27, 28), "pole": (17,), "sign": (19, 20), "person": (24, 25)}
BACKGROUND = (7, 8, 9, 11, 12, 13, 21, 22, 23)
SMALLEST, GAP, REACH, STANDS_OUT = 40, 3, 10, 1.1
# Things by their height in the picture: what is low is far away.
HEIGHTS = ((0, 20, "low"), (20, 40, "middle"), (40, 1000, "high"))


def ratios(inverse, labels, ids):
    """Height in pixels, and inverse depth inside over beside, of each thing."""
    mask = numpy.isin(labels, ids).astype("u1")
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    background = numpy.isin(labels, BACKGROUND)
    width = labels.shape[1]
    for part in range(1, count):
        left, _, across, height, area = stats[part]
        if area < SMALLEST or left == 0 or left + across == width:
            continue
        inside, beside = [], []
        for row in numpy.flatnonzero((parts == part).any(1)):
            columns = numpy.flatnonzero(parts[row] == part)
            around = [columns[0] - offset for offset in range(GAP, REACH)] + [columns[-1] + offset for offset in range(GAP, REACH)]
            around = [column for column in around if 0 <= column < width and background[row, column]]
            if around:
                inside.append(numpy.median(inverse[row, columns]))
                beside.append(numpy.median(inverse[row, around]))
        if len(inside) >= 5:
            yield height, float(numpy.median(numpy.array(inside) / numpy.array(beside)))


def summary(found):
    values = numpy.array(found)
    return {
        "things": len(found),
        "median_ratio": float(numpy.median(values)) if found else None,
        "nearer_percent": float(100 * (values > 1).mean()) if found else None,
        "stand_out_percent": float(100 * (values > STANDS_OUT).mean()) if found else None,
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    label_files = sorted(Path(sys.argv[2]).glob("*.png"))
    depth_files = sorted(Path(sys.argv[1]).glob("*.png"))
    if not depth_files or int(depth_files[-1].stem) >= len(label_files):
        sys.exit(f"error: {len(depth_files)} depth maps do not go with {len(label_files)} labels: predict on the pictures of these labels")
    found = {name: [] for name in THINGS}
    for path in depth_files:
        labels = cv2.imread(str(label_files[int(path.stem)]), cv2.IMREAD_UNCHANGED)
        depth = numpy.maximum(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype("f4"), 1)
        inverse = cv2.resize(1 / depth, labels.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for name, ids in THINGS.items():
            found[name] += ratios(inverse, labels, ids)
    result = {name: summary([ratio for _, ratio in of_name]) for name, of_name in found.items()}
    for low, high, name in HEIGHTS:
        result[f"car, {name} ({low} to {high} px)"] = summary([ratio for height, ratio in found["car"] if low <= height < high])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
