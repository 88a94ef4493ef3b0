"""Fits OpenCV's calibration to the corners that `parallax-calib solve --json` used, and compares the numbers.

Usage: python compare_with_opencv.py SOLVE.json   (made with `solve … --corners --json > SOLVE.json`)
Needs opencv-python and numpy. Exit code 1 when a number differs by more than one σ.
"""

import json
import sys

import cv2
import numpy as np

MODELS = {"plumb_bob": 0, "rational_polynomial": cv2.CALIB_RATIONAL_MODEL}


def fit(camera, views, eye, board):
    points, pixels = [], []
    for view in views:
        corners = [corner for corner in view["corners_used"] if corner[0] == eye]
        if corners:
            points.append(np.array([board[corner[1]] for corner in corners], np.float32))
            pixels.append(np.array([corner[2:4] for corner in corners], np.float32))
    size = (camera["width"], camera["height"])
    if camera["distortion_model"] == "equidistant":
        flags = cv2.fisheye.CALIB_RECOMPUTE_EXTRINSIC | cv2.fisheye.CALIB_FIX_SKEW
        points = [p.reshape(-1, 1, 3).astype(np.float64) for p in points]
        pixels = [p.reshape(-1, 1, 2).astype(np.float64) for p in pixels]
        k = np.array([[camera["fx"], 0, camera["cx"]], [0, camera["fy"], camera["cy"]], [0, 0, 1.0]])
        rms, k, d, _, _ = cv2.fisheye.calibrate(
            points, pixels, size, k, np.zeros(4), flags=flags | cv2.fisheye.CALIB_USE_INTRINSIC_GUESS,
            criteria=(3, 500, 1e-14))
    else:
        rms, k, d, _, _ = cv2.calibrateCamera(
            points, pixels, size, None, None, flags=MODELS[camera["distortion_model"]], criteria=(3, 500, 1e-14))
    return rms, k, d


NAMES = {
    "plumb_bob": ["fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3"],
    "rational_polynomial": ["fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"],
    "equidistant": ["fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"],
}


def compare(name, camera, rms, k, d):
    ours = [camera["fx"], camera["fy"], camera["cx"], camera["cy"], *camera["distortion_coefficients"]]
    theirs = [k[0, 0], k[1, 1], k[0, 2], k[1, 2], *d.flatten()[: len(ours) - 4]]
    print(f"{name}: rms {camera['rms_px']:.4f} px, OpenCV {rms:.4f} px")
    worst = 0.0
    for number, a, b in zip(NAMES[camera["distortion_model"]], ours, theirs):
        sigma = camera["sigma"][number]
        apart = abs(a - b) / sigma
        worst = max(worst, apart)
        print(f"  {number:3} {a:12.5f} ± {sigma:8.5f}   OpenCV {b:12.5f}   {apart:.3f} σ apart")
    return worst


def main(path):
    result = json.load(open(path))
    board, views = result["board_corners_m"], result["views"]
    worst, fits = 0.0, []
    for eye, camera in enumerate(result["cameras"]):
        rms, k, d = fit(camera, views, eye, board)
        fits.append((k, d))
        # The cameras of a pair are fitted together, so they are compared with OpenCV's pair below.
        if not result["stereo"]:
            worst = compare(camera["name"], camera, rms, k, d)
    if result["stereo"]:
        points, left, right = [], [], []
        for view in views:
            by_eye = [{corner[1]: corner[2:4] for corner in view["corners_used"] if corner[0] == eye} for eye in (0, 1)]
            common = sorted(set(by_eye[0]) & set(by_eye[1]))
            if common:
                points.append(np.array([board[number] for number in common], np.float32))
                left.append(np.array([by_eye[0][number] for number in common], np.float32))
                right.append(np.array([by_eye[1][number] for number in common], np.float32))
        size = (result["width"], result["height"])
        flags = cv2.CALIB_USE_INTRINSIC_GUESS | MODELS[result["distortion_model"]]
        rms, k1, d1, k2, d2, _, t, _, _ = cv2.stereoCalibrate(
            points, left, right, *fits[0], *fits[1], size, flags=flags, criteria=(3, 500, 1e-14))
        baseline, ours = float(np.linalg.norm(t)), result["stereo"]
        apart = abs(baseline - ours["baseline_m"]) / ours["baseline_sigma_m"]
        print(f"pair: rms {result['rms_px']:.4f} px, OpenCV {rms:.4f} px; baseline {ours['baseline_m'] * 1e3:.3f} ± "
              f"{ours['baseline_sigma_m'] * 1e3:.3f} mm, OpenCV {baseline * 1e3:.3f} mm, {apart:.3f} σ apart")
        worst = max(apart, compare("left of the pair", result["cameras"][0], rms, k1, d1),
                    compare("right of the pair", result["cameras"][1], rms, k2, d2))
    print(f"the worst number is {worst:.3f} σ apart")
    return 1 if worst > 1.0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
