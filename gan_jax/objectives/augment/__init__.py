"""Augmentations: pure functions `augment(images, keys, ...) -> images` that know no network.

Images (B, H, W, C) are float32 in [-1, 1]; `keys` (B,) are typed keys, and row i depends on
`keys[i]` alone. All are differentiable by the images, twice too. Values may leave [-1, 1].

By the number of channels C: 1 is grey, 2 grey and alpha, 3 colour, 4 colour and alpha. Grey counts
as a colour of three equal channels, so that hue and saturation leave it as it is. Alpha moves with
the geometry and is filtered and cut out like the rest; colour operations and noise leave it alone.
"""

from gan_jax.objectives.augment.diffaugment import OPERATIONS, diff_augment
from gan_jax.objectives.augment.pipeline import (
    POLICIES,
    STRENGTHS,
    ada,
    adaptive,
    adjust_probability,
    scheduled,
)
from gan_jax.objectives.augment.plain import PLAIN, crop, flip, noise, plain, rotate, scale, shift
from gan_jax.objectives.augment.pseudo import adaptive_pseudo, pseudo_augment

__all__ = [
    "OPERATIONS",
    "PLAIN",
    "POLICIES",
    "STRENGTHS",
    "ada",
    "adaptive",
    "adaptive_pseudo",
    "adjust_probability",
    "crop",
    "diff_augment",
    "flip",
    "noise",
    "plain",
    "pseudo_augment",
    "rotate",
    "scale",
    "scheduled",
    "shift",
]
