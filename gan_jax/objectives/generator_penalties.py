"""Penalties on the generator, one value an example.

A penalty is `penalty(generate, z, keys) -> (B,)`: `generate` maps latents (B, Z) to images
(B, H, W, C), with all else inside: labels, keys, variables; that of a generator with a mapping
network is `Halves`. `keys` (B,) are for what the penalty draws. The mean over the batch and the
weight are the caller's. It may instead return a pair, `((B,), {name: (B,)})`: what else it found,
for the metrics. Path length's, which remembers, is an `Adaptive`; orthogonal regularization, which
sees no example, is `OfParameters`.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.objectives.adaptive import Adaptive, Controls, OfParameters
from gan_jax.objectives.penalties import norm, perturb
from gan_jax.rng import normal, substream

Array = jax.Array


class Halves(NamedTuple):
    """A generator in two halves: called, `synthesis(mapping(z))`.

    Attributes:
      mapping: latents (B, Z) to styles (B, L, W), one for each of L layers.
      synthesis: styles to images (B, H, W, C).
    """

    mapping: Callable[[Array], Array]
    synthesis: Callable[[Array], Array]

    def __call__(self, z: Array) -> Array:
        """Returns images (B, H, W, C)."""
        return self.synthesis(self.mapping(z))


Generate = Callable[[Array], Array] | Halves
GeneratorPenalty = Callable[[Generate, Array, Array], Array | tuple[Array, dict[str, Array]]]


def path_length(
    generate: Generate, z: Array, keys: Array, *, controls: Controls
) -> tuple[Array, dict[str, Array]]:
    """(|J' y| - a)^2: equal steps of the latent shall change the image equally, from anywhere.

    J = dG/dz, y ~ N(0, 1 / (H W)) for each value of an image, and a is a moving average of the
    lengths |J' y|: `controls["path_length_average"]`. They are returned too, as "path_lengths". Of
    `Halves` the latents are the styles w: J = dG/dw, and |J' y|^2 is the mean over their layers.

    Reference: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN",
    equation 4, where y ~ N(0, 1) and the weight is gamma = ln 2 / (r^2 (ln r - ln 2)) at r x r
    pixels, for the latents w of all 2 log2(r) - 2 layers together. The authors' code scales y and
    averages over the layers as it is done here: so the same weight is 2. It takes the penalty at
    every 4th update of the generator, of half a batch.
    """
    if isinstance(generate, Halves):
        z, generate = generate.mapping(z), generate.synthesis
    images, pullback = jax.vjp(generate, z)
    height, width = images.shape[1:3]
    y = normal(substream(keys, "direction"), images.shape[1:]) / math.sqrt(height * width)
    # One backward pass serves the batch: image i depends on latent i alone.
    (gradient,) = pullback(y.astype(images.dtype))
    squares = jnp.sum(jnp.square(gradient), axis=-1)
    lengths = norm(squares.mean(range(1, squares.ndim)))
    return jnp.square(lengths - controls["path_length_average"]), {"path_lengths": lengths}


def _follow_lengths(controls: Controls, metrics: Mapping[str, Array]) -> dict[str, Array]:
    """The average after an update: a + 0.01 (mean length - a)."""
    average = controls["path_length_average"]
    return {"path_length_average": average + 0.01 * (metrics["path_lengths"] - average)}


PATH_LENGTH = Adaptive(path_length, {"path_length_average": 0.0}, _follow_lengths)
"""`path_length` with its average, which begins at 0 and forgets half in 69 updates (decay 0.99).

It moves after an update. The authors' code moves it before, so that there the penalty already knows
a hundredth of its own lengths.
"""


def latent_diversity(
    generate: Generate, z: Array, keys: Array, *, deviation: float = 0.03
) -> Array:
    """-|G(z) - G(z + d)|^2, d ~ N(0, deviation^2): the generator shall not ignore a small move.

    The generator's side of zCR; the discriminator's is `latent_consistency`, of
    `gan_jax.penalties`. A reward: it is at most 0, and has no bound below unless the images have.

    Reference: Zhao et al. 2021, "Improved consistency regularization for GANs" (zCR-GAN), with
    lambda_gen = 0.5 and sigma_noise = 0.03. Karras et al. 2020, "Training generative adversarial
    networks with limited data", compare with a mean over the H W C values in place of the norm's
    sum, a deviation of 0.1 and a weight of 0.02, which here is 0.02 / (H W C).
    """
    change = generate(z) - generate(perturb(z, keys, deviation))
    return -jnp.sum(jnp.square(change), axis=range(1, change.ndim))


def orthogonal(params: Any) -> Array:
    """sum_W |W^T W (.) (1 - I)|_F^2, shape (): filters of a layer shall not resemble each other.

    W are the kernels, as matrices (inputs, outputs): all parameters that are called "kernel", and
    so neither embeddings nor biases, with all axes but the last in one. (The kernel of a transposed
    convolution is that of the convolution whose transpose it is.) Their lengths are free. They are
    as they are stored, not as spectral normalization divides them; those with an equalized learning
    rate are stored far too large for this penalty.

    Reference: Brock et al. 2019, "Large scale GAN training for high fidelity natural image
    synthesis", equation 3, with beta = 1e-4, of the generator. The authors' PyTorch code adds half
    of its gradient, so that 1e-4 there is a weight of 5e-5 here.
    """
    total = jnp.float32(0)
    for path, kernel in jax.tree_util.tree_leaves_with_path(params):
        if path[-1] == jax.tree_util.DictKey("kernel"):
            matrix = kernel.reshape(-1, kernel.shape[-1])
            others = matrix.T @ matrix * (1 - jnp.eye(matrix.shape[-1]))
            total = total + jnp.sum(jnp.square(others))
    return total


ORTHOGONAL = OfParameters(orthogonal)
"""`orthogonal`, of the parameters that are trained."""


GENERATOR_PENALTIES: Mapping[str, GeneratorPenalty | Adaptive | OfParameters] = MappingProxyType(
    {"path_length": PATH_LENGTH, "latent_diversity": latent_diversity, "orthogonal": ORTHOGONAL}
)
