"""Linear maps of colours, as 4x4 matrices to be chained.

A colour stands in homogeneous coordinates as a row, (r, g, b, 1) in [-1, 1], and a map is
`row @ matrix`, so that the product of matrices in the order of their application is their chain.

References: Karras et al. 2020, "Training generative adversarial networks with limited data",
appendix B, where colours are columns; Haeberli 1993, "Matrix operations for image processing".
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
Scalar = Array | float

# Any colour is the sum of its part along the grey axis v = (1, 1, 1) / sqrt(3) and of its chroma.
# The first two matrices are projections; the row c @ TURN is the cross product v x c.
GREY = np.full((3, 3), 1 / 3, np.float32)  # v' v
CHROMA = np.eye(3, dtype=np.float32) - GREY
TURN = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]], np.float32) / np.float32(math.sqrt(3))


def brightness(amount: Scalar) -> Array:
    """Adds an amount to each channel."""
    return jnp.eye(4).at[3, :3].set(amount)


def contrast(factor: Scalar) -> Array:
    """Multiplies each channel by a factor."""
    return _linear(factor * jnp.eye(3))


def luma(factor: Scalar) -> Array:
    """Multiplies the part along the grey axis by a factor; -1 flips dark and light."""
    return _linear(factor * GREY + CHROMA)


def hue(angle: Scalar) -> Array:
    """Turns the chroma about the grey axis by an angle in radians: red to green at 2 pi / 3."""
    return _linear(GREY + jnp.cos(angle) * CHROMA + jnp.sin(angle) * TURN)


def saturation(factor: Scalar) -> Array:
    """Multiplies the chroma by a factor; 0 leaves grey."""
    return _linear(GREY + factor * CHROMA)


def recolour(colour: Array, matrix: Array) -> Array:
    """Maps each pixel of `colour` (H, W, 3) by a matrix (4, 4).

    Grey (H, W, 1) is mapped as the colour of three equal channels, which stays grey under all of
    the above.
    """
    rgb = jnp.broadcast_to(colour, (*colour.shape[:2], 3))
    rgb = jnp.matmul(rgb, matrix[:3, :3], precision="highest") + matrix[3, :3]
    return rgb[..., : colour.shape[-1]]


def _linear(matrix: Array | np.ndarray) -> Array:
    return jnp.eye(4).at[:3, :3].set(matrix)
