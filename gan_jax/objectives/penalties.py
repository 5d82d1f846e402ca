"""Penalties on the discriminator, one value an example.

A penalty is `penalty(discriminate, real, fake, keys) -> (B,)`: `discriminate` maps images
(B, H, W, C) to logits (B,), with the augmentation inside, so that gradients are taken at the image
before it. `keys` (B,) are for penalties that draw. The mean over the batch and the weight (the
papers' gamma or lambda) are the caller's. LeCam's, which remembers, is an `Adaptive`; that of
latent consistency, which makes fakes of its own, is `OfLatents`, and that of mixtures, which reads
what is said of pixels, `OfOutputs`: see `gan_jax.objectives.cutmix`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from gan_jax.objectives.adaptive import Adaptive, Controls, OfLatents, OfOutputs
from gan_jax.objectives.augment import flip, shift
from gan_jax.objectives.cutmix import CUTMIX
from gan_jax.rng import normal, substream, uniform

Array = jax.Array
Discriminate = Callable[[Array], Array]
Penalty = Callable[[Discriminate, Array, Array, Array], Array]


# ---- gradients -----------------------------------------------------------------------------------


def squared_gradient(discriminate: Discriminate, images: Array) -> Array:
    """The squared norm of each logit's gradient at its image: |grad_x D(x)|^2, shape (B,)."""
    # One backward pass serves the batch: logit i depends on image i alone.
    gradient = jax.grad(lambda images: discriminate(images).sum())(images)
    return jnp.sum(jnp.square(gradient), axis=range(1, images.ndim))


def gradient_norm(discriminate: Discriminate, images: Array) -> Array:
    """The norm of each logit's gradient at its image: |grad_x D(x)|, shape (B,)."""
    return norm(squared_gradient(discriminate, images))


def norm(square: Array) -> Array:
    """The root of squared norms, which at 0 has the derivative 0."""
    # The root has no derivative at 0, and XLA would make NaN of it; 0 is a subgradient.
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def r1(discriminate: Discriminate, real: Array, fake: Array, keys: Array) -> Array:
    """Half the squared gradient norm of the discriminator at the reals: 1/2 |grad_x D(x)|^2.

    Reference: Mescheder et al. 2018, "Which training methods for GANs do actually converge?",
    equation 9, whose gamma is the weight.
    """
    del fake, keys
    return 0.5 * squared_gradient(discriminate, real)


def r2(discriminate: Discriminate, real: Array, fake: Array, keys: Array) -> Array:
    """Half the squared gradient norm of the discriminator at the fakes: 1/2 |grad_x D(G(z))|^2.

    Reference: Mescheder et al. 2018, equation 10. With R1 it is what makes the relativistic pairing
    loss converge (Huang et al. 2024, section 2.2).
    """
    del real, keys
    return 0.5 * squared_gradient(discriminate, fake)


def wgan_gp(discriminate: Discriminate, real: Array, fake: Array, keys: Array) -> Array:
    """(|grad D(x')| - 1)^2 at a point x' = e x + (1 - e) G(z), e uniform in [0, 1] for each row.

    Reference: Gulrajani et al. 2017, "Improved training of Wasserstein GANs", equation 3, with
    lambda = 10.
    """
    points = _between(real, fake, substream(keys, "between"))
    return jnp.square(gradient_norm(discriminate, points) - 1)


def one_sided_gp(discriminate: Discriminate, real: Array, fake: Array, keys: Array) -> Array:
    """max(0, |grad D(x')| - 1)^2 at the points of `wgan_gp`: slopes below 1 are free.

    Reference: Petzka et al. 2018, "On the regularization of Wasserstein GANs" (WGAN-LP).
    """
    points = _between(real, fake, substream(keys, "between"))
    return jnp.square(jax.nn.relu(gradient_norm(discriminate, points) - 1))


def dragan(discriminate: Discriminate, real: Array, fake: Array, keys: Array) -> Array:
    """(|grad D(x + d)| - 1)^2 around the reals: d = s u / 2, u uniform in [0, 1) for each pixel.

    In the paper d is normal noise; the authors' code draws it uniformly, by the deviation of the
    batch's pixels. Here s is that of the row's own pixels, so that no example sees another.

    Reference: Kodali et al. 2017, "On convergence and stability of GANs", with lambda = 10.
    """
    del fake
    noise = jax.vmap(lambda key: jax.random.uniform(key, real.shape[1:]))(substream(keys, "around"))
    deviation = jnp.std(real, axis=range(1, real.ndim), keepdims=True)
    return jnp.square(gradient_norm(discriminate, real + 0.5 * deviation * noise) - 1)


def _between(real: Array, fake: Array, keys: Array) -> Array:
    share = uniform(keys).reshape(-1, *[1] * (real.ndim - 1))
    return share * real + (1 - share) * fake


# ---- logits --------------------------------------------------------------------------------------


def flip_and_shift(images: Array, keys: Array) -> Array:
    """What consistency is asked under: a mirror image or not, moved by up to an eighth."""
    pixels = max(1, min(images.shape[1:3]) // 8)
    return shift(flip(images, substream(keys, "flip")), substream(keys, "shift"), pixels)


def consistency(
    discriminate: Discriminate,
    real: Array,
    fake: Array,
    keys: Array,
    *,
    transform: Callable[[Array, Array], Array] = flip_and_shift,
) -> Array:
    """(D(x) - D(T(x)))^2: the discriminator shall not see a transformation T of the reals.

    `transform` is `(images, keys) -> images`.

    Reference: Zhang et al. 2020, "Consistency regularization for generative adversarial networks",
    equation 4 (CR-GAN), with lambda = 10.
    """
    del fake
    transformed = transform(real, substream(keys, "transform"))
    return jnp.square(discriminate(real) - discriminate(transformed))


def balanced_consistency(
    discriminate: Discriminate,
    real: Array,
    fake: Array,
    keys: Array,
    *,
    transform: Callable[[Array, Array], Array] = flip_and_shift,
) -> Array:
    """(D(x) - D(T(x)))^2 + (D(G(z)) - D(T(G(z))))^2: `consistency` of the fakes as well.

    Reference: Zhao et al. 2021, "Improved consistency regularization for GANs", section 3.1
    (bCR-GAN), with lambda = 10 for both.
    """
    of_reals = consistency(discriminate, real, fake, keys, transform=transform)
    return of_reals + consistency(discriminate, fake, real, keys, transform=transform)


def perturb(z: Array, keys: Array, deviation: float) -> Array:
    """Moves latents (B, Z) by noise: z + d, d ~ N(0, deviation^2) for each of their components."""
    return z + deviation * normal(substream(keys, "perturbation"), z.shape[1:])


def latent_consistency(
    discriminate: Discriminate,
    real: Array,
    fake: Array,
    keys: Array,
    *,
    generate: Callable[[Array], Array],
    z: Array,
    deviation: float = 0.03,
) -> Array:
    """(D(G(z)) - D(G(z + d)))^2, d ~ N(0, deviation^2): D shall not see a small move of the latent.

    The discriminator's side of zCR; the generator's is `latent_diversity`, of
    `gan_jax.generator_penalties`. One pass of the generator and of the discriminator more.

    Reference: Zhao et al. 2021, "Improved consistency regularization for GANs" (zCR-GAN), with
    lambda_dis = 5 and sigma_noise = 0.03. In the comparison of Karras et al. 2020, "Training
    generative adversarial networks with limited data", the deviation is 0.1 and the weight 0.2.
    """
    del real
    moved = generate(perturb(z, keys, deviation))
    return jnp.square(discriminate(fake) - discriminate(moved))


LATENT_CONSISTENCY = OfLatents(latent_consistency)
"""`latent_consistency` for who has a generator to give it."""


def lecam(
    discriminate: Discriminate, real: Array, fake: Array, keys: Array, *, controls: Controls
) -> Array:
    """(D(x) - a_F)^2 + (D(G(z)) - a_R)^2: keeps reals near past fakes, and fakes near past reals.

    a_R and a_F are moving averages of the mean logits, `controls["lecam_real"]` and
    `controls["lecam_fake"]`. This is the paper's form; the authors' code counts D(x) above a_F and
    D(G(z)) below a_R alone.

    Reference: Tseng et al. 2021, "Regularizing generative adversarial networks under limited data".
    """
    del keys
    of_reals = jnp.square(discriminate(real) - controls["lecam_fake"])
    return of_reals + jnp.square(discriminate(fake) - controls["lecam_real"])


def _follow_logits(controls: Controls, metrics: Mapping[str, Array]) -> dict[str, Array]:
    """The averages after an update: 0.99 a + 0.01 mean logit."""
    return {
        f"lecam_{side}": 0.99 * controls[f"lecam_{side}"] + 0.01 * metrics[f"{side}_logits"]
        for side in ("real", "fake")
    }


LECAM = Adaptive(lecam, {"lecam_real": 0.0, "lecam_fake": 0.0}, _follow_logits)
"""`lecam` with its averages, which begin at 0 and forget half in 69 updates (decay 0.99)."""


OF_REALS: frozenset[Callable[..., Array]] = frozenset({r1, dragan, consistency})
"""Penalties that look at the reals alone."""

PENALTIES: Mapping[str, Penalty | Adaptive | OfLatents | OfOutputs] = MappingProxyType(
    {
        "r1": r1,
        "r2": r2,
        "wgan_gp": wgan_gp,
        "one_sided_gp": one_sided_gp,
        "dragan": dragan,
        "lecam": LECAM,
        "consistency": consistency,
        "balanced_consistency": balanced_consistency,
        "latent_consistency": LATENT_CONSISTENCY,
        "cutmix": CUTMIX,
    }
)
