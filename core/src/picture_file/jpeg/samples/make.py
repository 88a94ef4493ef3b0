#!/usr/bin/env python3
"""Makes the JPEGs beside it, by libjpeg-turbo (Pillow 13): forms that our own encoder does not write.

baseline.jpg, progressive.jpg, restarts.jpg, progressive_restarts.jpg  the same coefficients, coded differently
cmyk.jpg                                                               four components, inverted as Adobe writes them
"""
from pathlib import Path

from PIL import Image

here = Path(__file__).parent
picture = Image.new("RGB", (83, 45))
picture.putdata([((3 * x) % 256, (5 * y) % 256, (x * y) % 256) for y in range(45) for x in range(83)])
options = {"quality": 70, "subsampling": "4:2:0"}
picture.save(here / "baseline.jpg", **options)
picture.save(here / "progressive.jpg", progressive=True, **options)
picture.save(here / "restarts.jpg", restart_marker_blocks=2, **options)
picture.save(here / "progressive_restarts.jpg", progressive=True, restart_marker_rows=1, **options)
flat = Image.new("CMYK", (16, 16), (0, 200, 100, 30))
flat.save(here / "cmyk.jpg", quality=95)
