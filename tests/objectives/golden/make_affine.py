"""Writes affine_torch.npz: affine resampling, mirrored at the borders, by PyTorch.

The outputs, and the gradients by the image of their weighted sums, in float64 from float32 inputs.
Bilinear is `grid_sample`'s. Its bicubic kernel has a = -3/4, so here is one for any a, which is
compared with `grid_sample` where they agree. The maps of `pipeline.warp_map` come from JAX, by the
test; all else is made here:

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


def points(matrix, shape):
    """The point (x, y) that each output pixel reads, (H, W) each, from the first pixel's centre."""
    height, width, _ = shape
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64) - (height - 1) / 2,
        torch.arange(width, dtype=torch.float64) - (width - 1) / 2,
        indexing="ij",
    )
    read = torch.einsum("ij,jhw->ihw", matrix, torch.stack([x, y, torch.ones_like(x)]))
    return read[0] + (width - 1) / 2, read[1] + (height - 1) / 2


def grid_sample(image, matrix, mode):
    """PyTorch's, whose coordinates go from -1 to 1 between the outermost pixels' centres."""
    height, width, _ = image.shape
    unit = torch.diag(torch.tensor([(width - 1) / 2, (height - 1) / 2, 1], dtype=torch.float64))
    theta = (torch.linalg.inv(unit) @ matrix @ unit)[None, :2]
    batch = image.permute(2, 0, 1)[None]  # (1, C, H, W)
    grid = functional.affine_grid(theta, list(batch.shape), align_corners=True)
    options = {"mode": mode, "padding_mode": "reflection", "align_corners": True}
    return functional.grid_sample(batch, grid, **options)[0].permute(1, 2, 0)


def cubic(image, matrix, a=-0.5):
    """Cubic convolution of the 4 x 4 pixels around a point."""

    def kernel(t):
        near = (a + 2) * t**3 - (a + 3) * t**2 + 1
        far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
        return torch.where(t <= 1, near, far)

    def mirror(index, size):
        index = index.abs() % (2 * size - 2)
        return torch.minimum(index, 2 * size - 2 - index)

    height, width, _ = image.shape
    x, y = points(matrix, image.shape)
    output = 0
    for row in (y.floor().long() + tap for tap in (-1, 0, 1, 2)):
        for column in (x.floor().long() + tap for tap in (-1, 0, 1, 2)):
            weight = kernel((y - row).abs()) * kernel((x - column).abs())
            output = output + weight[..., None] * image[mirror(row, height), mirror(column, width)]
    return output


def bilinear(image, matrix):
    return grid_sample(image, matrix, "bilinear")


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
        for kernel, resample in {"linear": bilinear, "cubic": cubic}.items():
            outputs, slopes = [], []
            for matrix in torch.tensor(matrices, dtype=torch.float64):
                theirs = grid_sample(leaf, matrix, "bicubic")
                torch.testing.assert_close(cubic(leaf, matrix, -0.75), theirs, rtol=0, atol=1e-9)
                outputs.append(resample(leaf, matrix))
                total = (outputs[-1] * torch.tensor(weights)).sum()
                slopes.append(torch.autograd.grad(total, leaf, retain_graph=True)[0])
            arrays[f"{name}/{kernel}"] = np.float32(torch.stack(outputs).detach())
            arrays[f"{name}/{kernel}_gradient"] = np.float32(torch.stack(slopes))
    np.savez_compressed(pathlib.Path(__file__).with_name("affine_torch.npz"), **arrays)


if __name__ == "__main__":
    main()
