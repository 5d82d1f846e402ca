"""ADA: a pipeline of augmentations, each applied with a probability p, which may adapt.

Every transformation happens to an image with probability p times a multiplier in [0, 1] of its own:
below, the keyword of its name. As long as p stays below about 0.8, the generator does not learn the
augmentations. At p = 0 the pipeline is the identity, bit for bit.

Reference: Karras et al. 2020, "Training generative adversarial networks with limited data";
sections 2.2, 2.3 and 3, and appendix B for the distributions.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import Adaptive, Controls, OfStep
from gan_jax.objectives.augment import affine, bands, colour, supersampling
from gan_jax.objectives.augment.rows import add_noise, cut_out, on_colour, per_image

Array = jax.Array
Probability = Array | float


class Draws(NamedTuple):
    """The random numbers of one stage on one image, independent of each other.

    Attributes:
      uniform: (10,) in [0, 1); the first ones say which transformations happen.
      normal: (4,) standard normal.
      key: for draws as large as the image.
    """

    uniform: Array
    normal: Array
    key: Array


def draws_for(key: Array, stages: Sequence[str]) -> dict[str, Draws]:
    """Draws the numbers of all stages on an image from its key ()."""
    # All at once and flat: the random bits take a CPU's compiler longer than all that follows, and
    # three times as long where they are a matrix.
    evenly, normally, *keys = jax.random.split(key, 2 + len(stages))
    uniform = jax.random.uniform(evenly, (10 * len(stages),)).reshape(-1, 10)
    normal = jax.random.normal(normally, (4 * len(stages),)).reshape(-1, 4)
    return {name: Draws(*of) for name, *of in zip(stages, uniform, normal, keys, strict=True)}


def _chain_some(draws: Draws, *steps: tuple[Probability, Array]) -> Array:
    """Chains the matrices of steps (p, matrix), each of which happens with its own probability."""
    happens = draws.uniform[: len(steps)] < jnp.array([p for p, _ in steps])
    matrices = jnp.stack([matrix for _, matrix in steps])
    identity = jnp.eye(matrices.shape[-1])
    return affine.chain(*jnp.where(happens[:, None, None], matrices, identity))


def blit_map(
    draws: Draws,
    p: Probability,
    shape: Sequence[int],
    *,
    flip: float = 1.0,
    turn: float = 1.0,
    move: float = 1.0,
    reach: float = 0.125,
) -> Array:
    """Draws an affine map that copies pixels: a flip, quarter turns, a move by whole pixels.

        x -> r x, r ~ U{-1, 1};    90 i degrees, i ~ U{0, ..., 3};
        (round(t W), round(t' H)), t and t' ~ U(-reach, reach)

    Where one of height and width is even and the other odd, odd quarter turns blend pixels.

    Returns:
      A matrix (3, 3), see `affine`.
    """
    height, width, _ = shape
    side, turns, x, y = draws.uniform[3:7]
    x, y = reach * (2.0 * x - 1.0), reach * (2.0 * y - 1.0)
    return _chain_some(
        draws,
        (flip * p, affine.scaling(_sign(side), 1.0)),
        (turn * p, affine.quarter_turns(jnp.floor(4.0 * turns).astype(jnp.int32))),
        (move * p, affine.translation(jnp.round(x * width), jnp.round(y * height))),
    )


def warp_map(
    draws: Draws,
    p: Probability,
    shape: Sequence[int],
    *,
    scale: float = 1.0,
    rotate: float = 1.0,
    stretch: float = 1.0,
    move: float = 1.0,
    scale_octaves: float = 0.2,
    degrees: float = 180.0,
    stretch_octaves: float = 0.2,
    reach: float = 0.125,
) -> Array:
    """Draws a general affine map: scaling, rotation, stretching, rotation, translation.

        (s, s), log2 s ~ N(0, scale_octaves^2);         angle ~ U(-degrees, degrees);
        (s, 1/s), log2 s ~ N(0, stretch_octaves^2);     angle ~ U(-degrees, degrees);
        (t W, t' H), t and t' ~ N(0, reach^2)

    Each of the rotations has the probability 1 - sqrt(1 - p), so that p is that of any.

    Returns:
      A matrix (3, 3), see `affine`.
    """
    height, width, _ = shape
    before, after = math.radians(degrees) * (2.0 * draws.uniform[5:7] - 1.0)
    size, wide, x, y = draws.normal
    size, wide = jnp.exp2(scale_octaves * size), jnp.exp2(stretch_octaves * wide)
    p_rotate = 1.0 - jnp.sqrt(1.0 - rotate * p)
    return _chain_some(
        draws,
        (scale * p, affine.scaling(size, size)),
        (p_rotate, affine.rotation(before)),
        (stretch * p, affine.scaling(wide, 1.0 / wide)),
        (p_rotate, affine.rotation(after)),
        (move * p, affine.translation(reach * x * width, reach * y * height)),
    )


def colour_map(
    draws: Draws,
    p: Probability,
    *,
    brightness: float = 1.0,
    contrast: float = 1.0,
    luma: float = 1.0,
    hue: float = 1.0,
    saturation: float = 1.0,
    brightness_sigma: float = 0.2,
    contrast_octaves: float = 0.5,
    hue_degrees: float = 180.0,
    saturation_octaves: float = 1.0,
) -> Array:
    """Draws a map of colours: brightness, contrast, luma flip, hue rotation, saturation.

        b ~ N(0, brightness_sigma^2);    log2 c ~ N(0, contrast_octaves^2);    r ~ U{-1, 1};
        angle ~ U(-hue_degrees, hue_degrees);    log2 s ~ N(0, saturation_octaves^2)

    Returns:
      A matrix (4, 4) for `colour.recolour`.
    """
    side, angle = draws.uniform[5:7]
    b, c, s = draws.normal[:3]
    return _chain_some(
        draws,
        (brightness * p, colour.brightness(brightness_sigma * b)),
        (contrast * p, colour.contrast(jnp.exp2(contrast_octaves * c))),
        (luma * p, colour.luma(_sign(side))),
        (hue * p, colour.hue(math.radians(hue_degrees) * (2.0 * angle - 1.0))),
        (saturation * p, colour.saturation(jnp.exp2(saturation_octaves * s))),
    )


def recolour(image: Array, draws: Draws, p: Probability, **strengths: float) -> Array:
    """Maps the colours of an image (H, W, C) by a `colour_map`, whose keywords it takes.

    A grey image is a colour of three equal channels: of the five, brightness, contrast and the luma
    flip, which negates it, have an effect.
    """
    matrix = colour_map(draws, p, **strengths)
    return on_colour(lambda pixels: colour.recolour(pixels, matrix), image)


def filter_bands(
    image: Array, draws: Draws, p: Probability, *, band: float = 1.0, octaves: float = 1.0
) -> Array:
    """Amplifies each of the four frequency bands of an image (H, W, C), with probability p each.

    Amplifying band i sets t_i, log2 t_i ~ N(0, octaves^2), leaves the other t_j at 1, and divides
    all by sqrt(sum_j POWER_j t_j^2), which keeps the power of a natural image. Gains multiply up.
    """
    happens = draws.uniform[: bands.BANDS] < band * p
    amplified = jnp.exp2(octaves * draws.normal)
    t = jnp.where(jnp.eye(bands.BANDS, dtype=bool), amplified, 1.0)  # row i amplifies band i
    t /= jnp.sqrt(jnp.sum(bands.POWER * t**2, axis=1, keepdims=True))
    return bands.equalize(image, jnp.where(happens[:, None], t, 1.0).prod(axis=0))


def noise(
    image: Array, draws: Draws, p: Probability, *, noise: float = 1.0, sigma: float = 0.1
) -> Array:
    """Adds noise N(0, s^2) to an image (H, W, C), with s = |n|, n ~ N(0, sigma^2), of its own."""
    strength = jnp.where(draws.uniform[0] < noise * p, sigma * abs(draws.normal[0]), 0.0)
    return add_noise(image, draws.key, strength)


def cutout(
    image: Array, draws: Draws, p: Probability, *, cutout: float = 1.0, size: float = 0.5
) -> Array:
    """Sets a rectangle of `size` times height and width to 0 in an image (H, W, C).

    Its centre is uniform over the image, so part of it may lie outside. In [-1, 1], 0 is mid-grey.
    """
    shape, centre = jnp.array(image.shape[:2]), draws.uniform[1:3]
    start = jnp.round((centre - size / 2) * shape)
    stop = jnp.round((centre + size / 2) * shape)
    return jnp.where(draws.uniform[0] < cutout * p, cut_out(image, start, stop), image)


def _sign(uniform: Array) -> Array:
    """Returns -1 or 1 by the toss of a uniform number of [0, 1)."""
    return jnp.where(uniform < 0.5, -1.0, 1.0)


GEOMETRY: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {"blit": blit_map, "warp": warp_map}
)
PIXELS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {"colour": recolour, "filter": filter_bands, "noise": noise, "cutout": cutout}
)
_STAGES = (*GEOMETRY, *PIXELS)

Strengths = Mapping[str, Mapping[str, float]]

POLICIES: Mapping[str, Sequence[str]] = MappingProxyType(
    {"bgcfnc"[:length]: _STAGES[:length] for length in range(1, len(_STAGES) + 1)}
    | {"r3gan": ("blit", "warp", "colour", "cutout")}
)
"""Sets of stages: ADA's b, bg, bgc, bgcf, bgcfn and bgcfnc, of which the paper settles on bgc
(section 2.3); and that of R3GAN (Huang et al. 2024, by the authors' code), with `STRENGTHS`."""

STRENGTHS: Mapping[str, Strengths] = MappingProxyType(
    {
        "r3gan": {
            "colour": dict.fromkeys(("brightness", "contrast", "luma", "hue", "saturation"), 0.5)
        }
    }
)
"""The `strengths` that belong to a policy, where there are any."""


def ada(
    images: Array,
    keys: Array,
    p: Probability,
    policy: Sequence[str] = POLICIES["bgc"],
    *,
    strengths: Strengths = MappingProxyType({}),
) -> Array:
    """Applies the stages of a policy, in the pipeline's order; each transformation by its chance.

    The maps of "blit" and "warp" are multiplied, and resampled once, as in `supersampling`; outside
    the image is mirrored. A map that moves whole pixels copies them, bit for bit; the authors'
    implementation takes them too through its filters, which are not quite symmetric.

    Args:
      images: (B, H, W, C) in [-1, 1].
      keys: (B,).
      p: () in [0, 1]; the probability of each transformation of an image.
      policy: names of stages, of `GEOMETRY` and `PIXELS`; see `POLICIES`.
      strengths: by stage, the keywords of its function: multipliers of p and widths of
        distributions. `{"blit": {"turn": 0.0}}` is ADA without quarter turns.

    Returns:
      Images (B, H, W, C), not clipped.

    Raises:
      ValueError: for a name in `policy` or `strengths` that is no stage.
    """
    if unknown := {*policy, *strengths} - set(_STAGES):
        raise ValueError(f"no stage of ADA: {sorted(unknown)}; there are {list(_STAGES)}")
    return _pipeline(images, keys, p, policy, strengths)


@per_image
def _pipeline(
    image: Array,
    key: Array,
    /,
    p: Probability,
    policy: Sequence[str],
    strengths: Mapping[str, Mapping[str, Any]],
) -> Array:
    draws = draws_for(key, _STAGES)  # all, so that no stage's depend on which others there are
    maps = [
        draw_map(draws[name], p, image.shape, **strengths.get(name, {}))
        for name, draw_map in GEOMETRY.items()
        if name in policy
    ]
    if maps:
        image = _moved(image, affine.chain(*maps), copies="warp" not in policy)
    for name, change in PIXELS.items():
        if name in policy:
            image = change(image, draws[name], p, **strengths.get(name, {}))
    return image


def _moved(image: Array, matrix: Array, *, copies: bool) -> Array:
    """Moves an image by a map, of which may be known that it `copies` whole pixels."""
    copied = affine.resample(image, matrix)
    if copies:
        return copied
    whole = jnp.all(matrix == jnp.round(matrix))
    if (image.shape[0] - image.shape[1]) % 2:  # what turns to the side falls between the pixels
        whole &= matrix[0, 0] != 0
    return jnp.where(whole, copied, supersampling.resample(image, matrix))


def adjust_probability(
    p: Array,
    real_signs_mean: Array,
    images: Array | int,
    target: float = 0.6,
    speed_images: int = 500_000,
) -> Array:
    """Moves p by how much the discriminator overfits, r = E[sign(D(real))] (equation 1).

        p <- clip(p + sign(r - target) * images / speed_images, 0, 1)

    r = 1 stands for complete overfitting, 0 for none. The paper moves p every 4 minibatches, by
    the mean over these.

    Args:
      p: () in [0, 1].
      real_signs_mean: (), r, the mean over the reals since the last move.
      images: the number of these reals.
      target: r above it moves p up, below it down.
      speed_images: the number of images that take p from 0 to 1, at the fastest.

    Returns:
      The next p, ().
    """
    step = jnp.sign(real_signs_mean - target) * images / speed_images
    return jnp.clip(p + step, 0.0, 1.0)


def steering(
    name: str, *, images: int, target: float, speed_images: int
) -> Callable[[Controls, Mapping[str, Array]], dict[str, Array]]:
    """Returns the update of an `Adaptive` whose probability `controls[name]` is so adjusted.

    Raises:
      InputError: (the update) no signs are known, those of a Wasserstein critic having no meaning.
    """

    def update(controls: Controls, metrics: Mapping[str, Array]) -> dict[str, Array]:
        if "real_signs" not in metrics:
            raise InputError("what steers by the signs of logits needs a loss that has them")
        signs = metrics["real_signs"]
        return {name: adjust_probability(controls[name], signs, images, target, speed_images)}

    return update


def scheduled(
    policy: Sequence[str] = POLICIES["bgc"],
    *,
    probability: Callable[[Array], Probability],
    strengths: Strengths = MappingProxyType({}),
) -> OfStep:
    """Returns `ada` whose probability is a function of the step.

    Args:
      policy: as for `ada`.
      probability: from the generator's updates so far, int32 (), to p.
      strengths: as for `ada`.
    """

    def augment(images: Array, keys: Array, *, step: Array) -> Array:
        return ada(images, keys, probability(step), policy, strengths=strengths)

    return OfStep(augment)


def adaptive(
    policy: Sequence[str] = POLICIES["bgc"],
    *,
    images: int,
    target: float = 0.6,
    speed_images: int = 500_000,
    strengths: Strengths = MappingProxyType({}),
) -> Adaptive:
    """Returns `ada` whose probability follows the training: `controls["ada_probability"]`.

    It begins at 0, and moves after every update of the discriminator by the sign rate of that
    update's reals.

    Args:
      policy: as for `ada`.
      images: reals that one update sees.
      target: as for `adjust_probability`.
      speed_images: likewise.
      strengths: as for `ada`.
    """

    def augment(images: Array, keys: Array, *, controls: Controls) -> Array:
        return ada(images, keys, controls["ada_probability"], policy, strengths=strengths)

    name = "ada_probability"
    update = steering(name, images=images, target=target, speed_images=speed_images)
    return Adaptive(augment, {name: 0.0}, update)
