"""Writes dictionaries.txt: the marker codes that OpenCV and AprilTag define, as OpenCV 5 prints them (its AprilTag
families stand upright; those of OpenCV 4 are turned by 180 degrees).

One line for each family: name, bits along a side, then the codes in hexadecimal, the most significant bit first in
reading order, 1 = white. Usage: python dictionaries.py > dictionaries.txt (needs opencv-python 5)
"""

import cv2

FAMILIES = [
    ("4x4", cv2.aruco.DICT_4X4_1000), ("5x5", cv2.aruco.DICT_5X5_1000), ("6x6", cv2.aruco.DICT_6X6_1000),
    ("7x7", cv2.aruco.DICT_7X7_1000), ("original", cv2.aruco.DICT_ARUCO_ORIGINAL),
    ("mip_36h12", cv2.aruco.DICT_ARUCO_MIP_36h12), ("tag16h5", cv2.aruco.DICT_APRILTAG_16h5),
    ("tag25h9", cv2.aruco.DICT_APRILTAG_25h9), ("tag36h11", cv2.aruco.DICT_APRILTAG_36h11),
]
for name, key in FAMILIES:
    dictionary = cv2.aruco.getPredefinedDictionary(key)
    side = dictionary.markerSize
    codes = []
    for id in range(len(dictionary.bytesList)):
        picture = cv2.aruco.generateImageMarker(dictionary, id, side + 2)[1:-1, 1:-1]
        codes.append(f"{int(''.join('1' if bit else '0' for bit in picture.flatten()), 2):x}")
    print(name, side, *codes)
