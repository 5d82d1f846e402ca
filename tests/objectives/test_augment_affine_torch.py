"""Resampling, and its gradient by the image, against PyTorch's `grid_sample` and autograd.

`golden/make_affine.py` wrote the expected numbers, and says how.
"""

import functools
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.objectives.augment import affine, pipeline, supersampling

GOLDEN = pathlib.Path(__file__).parent / "golden" / "affine_torch.npz"
SHAPES = [(8, 8, 3), (7, 5, 1), (6, 9, 3), (5, 8, 1)]
RESAMPLE = {"bilinear": affine.resample, "supersampled": supersampling.resample}


def draws():
    """Three general maps of ADA's an image shape, every step of them on, for the script."""

    def warp(key, shape):
        return pipeline.warp_map(pipeline.draws_for(key, ("warp",))["warp"], 1.0, shape)

    keys = jax.random.split(jax.random.key(0), (len(SHAPES), 3))
    return {
        "{}x{}x{}".format(*shape): np.stack([warp(key, shape) for key in row])
        for shape, row in zip(SHAPES, keys, strict=True)
    }


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("resampler", RESAMPLE)
def test_values_and_gradients(resampler, shape, golden):
    name = "{}x{}x{}".format(*shape)
    weights = golden[f"{name}/weights"]

    @quick_jit
    @functools.partial(jax.vmap, in_axes=(None, 0))
    def found(image, matrix):
        def total(image):
            output = RESAMPLE[resampler](image, matrix)
            return jnp.sum(weights * output), output

        return jax.grad(total, has_aux=True)(image)

    gradients, outputs = found(golden[f"{name}/image"], golden[f"{name}/matrices"])
    for found, label in ((outputs, resampler), (gradients, f"{resampler}_gradient")):
        expected = golden[f"{name}/{label}"]
        assert found.shape == expected.shape == (7, *shape)
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=label)


def test_the_golden_maps_read_outside(golden):
    """Where the mirrors are, on each side; and beyond a second mirror."""
    for height, width, channels in SHAPES:
        matrices = golden[f"{height}x{width}x{channels}/matrices"][:, :2]
        x, y = (width - 1) / 2, (height - 1) / 2
        corners = np.array([[x, y, 1], [-x, y, 1], [x, -y, 1], [-x, -y, 1]]).T
        read = matrices @ corners / np.array([[x], [y]])  # (maps, 2, corners), 1 at the border
        assert (read > 1).any(axis=(0, 2)).all()
        assert (read < -1).any(axis=(0, 2)).all()
        assert (abs(read) > 3).any()


if __name__ == "__main__":
    np.savez(sys.argv[1], **draws())
