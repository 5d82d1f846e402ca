"""Writes augment_affine.npz: SciPy's bilinear affine resampling, mirrored at the borders.

python tests/objectives/golden/make_augment.py    # SciPy 1.17.1, NumPy 2.4.6
"""

import pathlib

import numpy as np
from scipy import ndimage

# What a point (x, y) of the output, from the centre, reads: a shear with a shift, a rotation, an
# enlargement, a map that reads far outside, a flip.
MATRICES = np.float32(
    [
        [[1.0, 0.3, 0.4], [-0.2, 0.9, -1.7], [0, 0, 1]],
        [[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0, 0, 1]],
        [[0.45, 0.0, 0.0], [0.0, 0.45, 0.0], [0, 0, 1]],
        [[2.5, 1.1, 13.3], [-0.7, 3.1, -21.9], [0, 0, 1]],
        [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0, 0, 1]],
    ]
)
SIZES = [(8, 8), (7, 5), (6, 9)]


def resample(image, matrix):
    height, width = image.shape
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    linear = matrix[:2, :2][::-1, ::-1]  # from (x, y) to SciPy's (y, x)
    offset = matrix[:2, 2][::-1] + centre - linear @ centre
    return ndimage.affine_transform(image, linear, offset, order=1, mode="mirror")


def main():
    random = np.random.default_rng(0)
    arrays = {"matrices": MATRICES}
    for size in SIZES:
        name = "{}x{}".format(*size)
        image = random.uniform(-1, 1, size).astype(np.float32)
        arrays[f"image_{name}"] = image
        outputs = [resample(image.astype(np.float64), m.astype(np.float64)) for m in MATRICES]
        arrays[f"output_{name}"] = np.float32(outputs)
    np.savez(pathlib.Path(__file__).with_name("augment_affine.npz"), **arrays)


if __name__ == "__main__":
    main()
