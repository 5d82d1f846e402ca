"""Writes affine_torch.npz: affine resampling, mirrored at the borders, by PyTorch.

The outputs, and the gradients by the image of their weighted sums, in float64 from float32 inputs.
Bilinear is `grid_sample`'s, at the image's own resolution and between two filters at twice that.
The maps of `pipeline.warp_map` come from JAX, by the test; all else is made here:

python -m tests.objectives.test_augment_affine_torch /tmp/draws.npz    # in JAX's environment
python tests/objectives/golden/make_affine.py /tmp/draws.npz           # PyTorch 2.13.0, NumPy 2.4.6
"""

import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional

SHAPES = [(8, 8, 3), (7, 5, 1), (6, 9, 3), (5, 8, 1)]

# What a point (x, y) of the output, from the centre, reads: a rotation by 0.7, a stretch, a move by
# fractions of a pixel, and a chain of the three that shrinks and so reads far outside.
COS, SIN = np.cos(0.7), np.sin(0.7)
ROTATION = np.array([[COS, -SIN, 0], [SIN, COS, 0], [0, 0, 1]])
STRETCH = np.array([[1 / 1.4, 0, 0], [0, 1.4, 0], [0, 0, 1]])
MOVE = np.array([[1, 0, -1.3], [0, 1, 2.6], [0, 0, 1]])
SHRINK = np.diag([3.1, 2.7, 1])
MATRICES = np.float32([ROTATION, STRETCH, MOVE, SHRINK @ ROTATION @ STRETCH @ MOVE])


PAD = 80  # how many pixels beyond the image the maps may read
CENTRE = 5  # the tap that lies on the pixel
SYM6 = torch.tensor(
    [
        *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057),
        *(-0.048311742585633, 0.4910559419267466, 0.787641141030194),
        *(0.3379294217276218, -0.07263752278646252, -0.021060292512300564),
        *(0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ],
    dtype=torch.float64,
)


def bilinear(image, matrix):
    """PyTorch's, whose coordinates go from -1 to 1 between the outermost pixels' centres."""
    height, width, _ = image.shape
    unit = torch.diag(torch.tensor([(width - 1) / 2, (height - 1) / 2, 1], dtype=torch.float64))
    theta = (torch.linalg.inv(unit) @ matrix @ unit)[None, :2]
    batch = image.permute(2, 0, 1)[None]  # (1, C, H, W)
    grid = functional.affine_grid(theta, list(batch.shape), align_corners=True)
    options = {"mode": "bilinear", "padding_mode": "reflection", "align_corners": True}
    return functional.grid_sample(batch, grid, **options)[0].permute(1, 2, 0)


def supersampled(image, matrix):
    """Transposed convolution of the padded image, `grid_sample`, convolution, both of stride 2."""
    height, width, channels = image.shape
    rows, columns = (np.pad(np.arange(n), PAD, mode="reflect") for n in (height, width))
    canvas = image[rows][:, columns].permute(2, 0, 1)[:, None]  # (C, 1, H', W')
    kernel = torch.outer(SYM6, SYM6)[None, None]
    fine = functional.conv_transpose2d(canvas, 2 * kernel, stride=2)
    y, x = (torch.arange(2 * n + 10, dtype=torch.float64) for n in (height, width))
    y, x = ((y - CENTRE) / 2 - (height - 1) / 2, (x - CENTRE) / 2 - (width - 1) / 2)
    y, x = torch.meshgrid(y, x, indexing="ij")
    read = torch.einsum("ij,jhw->ihw", matrix, torch.stack([x, y, torch.ones_like(x)]))[:2]
    for axis, size in enumerate((width, height)):
        read[axis] = 2 * (read[axis] + (size - 1) / 2 + PAD) + CENTRE
        last = fine.shape[3 - axis] - 1
        assert read[axis].min() > 12
        assert read[axis].max() < last - 12
        read[axis] = 2 * read[axis] / last - 1
    grid = read.permute(1, 2, 0).expand(channels, -1, -1, -1)
    moved = functional.grid_sample(fine, grid, mode="bilinear", align_corners=True)
    return functional.conv2d(moved, kernel / 2, stride=2)[:, 0].permute(1, 2, 0)


def main():
    random = np.random.default_rng(0)
    with np.load(sys.argv[1]) as draws:
        warps = dict(draws)
    arrays = {}
    for shape in SHAPES:
        name = "{}x{}x{}".format(*shape)
        matrices = np.concatenate([MATRICES, warps[name]])
        image, weights = np.float32(random.uniform(-1, 1, (2, *shape)))
        arrays |= {f"{name}/matrices": matrices, f"{name}/image": image, f"{name}/weights": weights}
        leaf = torch.tensor(image, dtype=torch.float64, requires_grad=True)
        for resample in (bilinear, supersampled):
            outputs, slopes = [], []
            for matrix in torch.tensor(matrices, dtype=torch.float64):
                outputs.append(resample(leaf, matrix))
                total = (outputs[-1] * torch.tensor(weights)).sum()
                slopes.append(torch.autograd.grad(total, leaf, retain_graph=True)[0])
            arrays[f"{name}/{resample.__name__}"] = np.float32(torch.stack(outputs).detach())
            arrays[f"{name}/{resample.__name__}_gradient"] = np.float32(torch.stack(slopes))
    np.savez_compressed(pathlib.Path(__file__).with_name("affine_torch.npz"), **arrays)


if __name__ == "__main__":
    main()
