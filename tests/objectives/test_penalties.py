"""Every penalty against its closed form for a quadratic discriminator, and finite differences."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import Outputs, rng
from gan_jax.objectives.adaptive import Adaptive, OfLatents, OfOutputs
from gan_jax.objectives.augment import flip, shift
from gan_jax.objectives.penalties import LECAM, OF_REALS, PENALTIES

RANDOM = np.random.default_rng(0)
REAL, FAKE = RANDOM.normal(size=(2, 5, 2, 3, 1))
MATRIX = RANDOM.normal(size=(6, 6)) / 2
MATRIX = MATRIX + MATRIX.T
KEYS = jax.random.split(jax.random.key(0), 5)
ANCHORS = {"lecam_real": 0.7, "lecam_fake": -0.4}
LATENTS = RANDOM.normal(size=(5, 4))
GENERATOR = RANDOM.normal(size=(4, 6))


def function_of(penalty):
    return penalty.function if isinstance(penalty, Adaptive | OfLatents | OfOutputs) else penalty


def bound(name, latents=LATENTS):
    """The penalty as `(discriminate, real, fake, keys)`, given its controls or its generator."""
    penalty = PENALTIES[name]

    def generate(z):
        return (z @ jnp.asarray(GENERATOR, z.dtype)).reshape(-1, 2, 3, 1)

    def of_latents(discriminate, real, fake, keys):
        z = jnp.asarray(latents, fake.dtype)
        return penalty.function(discriminate, real, fake, keys, generate=generate, z=z)

    def of_outputs(discriminate, real, fake, keys):
        def judge(images):
            found = discriminate(images)
            return Outputs(found, None, pixel_logits=images[..., 0] * found[:, None, None])

        return penalty.function(judge, real, fake, keys)

    if isinstance(penalty, OfOutputs):
        return of_outputs
    if isinstance(penalty, OfLatents):
        return of_latents
    if isinstance(penalty, Adaptive):
        return lambda *arguments: penalty.function(*arguments, controls=ANCHORS)
    return penalty


def quadratic(images):
    """D(x) = x' M x / 2, whose gradient at x is M x."""
    flat = images.reshape(images.shape[0], -1)
    return 0.5 * jnp.einsum("bi,ij,bj->b", flat, jnp.asarray(MATRIX, flat.dtype), flat)


def logits(images):
    flat = images.reshape(5, 6)
    return 0.5 * np.einsum("bi,ij,bj->b", flat, MATRIX, flat)


def norm(images):
    return np.linalg.norm(images.reshape(5, 6) @ MATRIX, axis=-1)


def drawn(stream, shape=()):
    keys = rng.substream(KEYS, stream)
    return np.float64(jax.vmap(lambda key: jax.random.uniform(key, shape))(keys))


SHARE = drawn("between").reshape(5, 1, 1, 1)
BETWEEN = SHARE * REAL + (1 - SHARE) * FAKE
AROUND = REAL + 0.5 * REAL.std((1, 2, 3), keepdims=True) * drawn("around", REAL.shape[1:])


def transformed(images):
    """Mirrored or not, and moved by up to one pixel."""
    keys = rng.substream(KEYS, "transform")
    flipped = flip(jnp.float32(images), rng.substream(keys, "flip"))
    return np.float64(shift(flipped, rng.substream(keys, "shift"), 1))


MOVES = 0.03 * np.float64(rng.normal(rng.substream(KEYS, "perturbation"), (4,)))
MOVED = (LATENTS + MOVES) @ GENERATOR


def inconsistency(images):
    return (logits(images) - logits(transformed(images))) ** 2


def masks(keys, height, width):
    """As the authors of the U-Net discriminator draw boxes, from uniform numbers of a row's own."""
    found = []
    for share, row, column, reverse in np.array(
        [jax.random.uniform(key, (4,)) for key in rng.substream(keys, "boxes")]
    ):
        h, w = int(height * np.sqrt(share)) // 2, int(width * np.sqrt(share)) // 2
        row, column = int(height * row), int(width * column)
        mask = np.zeros((height, width))
        mask[max(row - h, 0) : row + h, max(column - w, 0) : column + w] = 1
        found.append(1 - mask if reverse < 0.5 else mask)
    return np.array(found)


def of_mixtures(real, fake, logits):
    """Where the logit of a pixel is its value times the image's logit."""

    def pixels(images):
        return images[..., 0] * logits(images)[:, None, None]

    mask = masks(KEYS, *real.shape[1:3])
    mixed = mask[..., None] * real + (1 - mask[..., None]) * fake
    parts = mask * pixels(real) + (1 - mask) * pixels(fake)
    likely = np.where(mask == 1, 1 / (1 + np.exp(-pixels(mixed))), 1 / (1 + np.exp(pixels(mixed))))
    of_pixels = (pixels(mixed) - parts) ** 2 - np.log(likely)
    return np.log(1 + np.exp(logits(mixed))) + of_pixels.mean((1, 2))


CASES = {
    "r1": 0.5 * norm(REAL) ** 2,
    "r2": 0.5 * norm(FAKE) ** 2,
    "wgan_gp": (norm(BETWEEN) - 1) ** 2,
    "one_sided_gp": np.maximum(norm(BETWEEN) - 1, 0) ** 2,
    "dragan": (norm(AROUND) - 1) ** 2,
    "lecam": (logits(REAL) + 0.4) ** 2 + (logits(FAKE) - 0.7) ** 2,
    "consistency": inconsistency(REAL),
    "balanced_consistency": inconsistency(REAL) + inconsistency(FAKE),
    "latent_consistency": (logits(FAKE) - logits(MOVED)) ** 2,
    "cutmix": of_mixtures(REAL, FAKE, logits),
}


def test_every_penalty_has_a_case():
    assert PENALTIES.keys() == CASES.keys()
    assert (norm(BETWEEN) < 1).any(), "nothing for which the sides differ"
    assert (norm(BETWEEN) > 1).any()


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_values(name, transform):
    def penalty(real, fake, keys):
        return bound(name)(quadratic, real, fake, keys)

    values = transform(penalty)(jnp.float32(REAL), jnp.float32(FAKE), KEYS)
    assert values.shape == (5,)
    np.testing.assert_allclose(values, CASES[name], rtol=0, atol=1e-6 * np.abs(CASES[name]).max())


def test_a_row_never_sees_another():
    """Permuted rows, with their keys, give permuted values."""
    order = np.array([3, 0, 4, 1, 2])
    for name in PENALTIES:
        values = bound(name)(quadratic, jnp.float32(REAL), jnp.float32(FAKE), KEYS)
        permuted = bound(name, LATENTS[order])(
            quadratic, jnp.float32(REAL[order]), jnp.float32(FAKE[order]), KEYS[order]
        )
        np.testing.assert_allclose(permuted, values[order], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", PENALTIES)
def test_the_gradient_by_the_weights_is_finite_differences(name):
    """Through the gradient by the image: of a network with two layers, in float64."""
    with jax.enable_x64(True):
        shapes = [(6, 4), (4, 1)]
        theta = np.random.default_rng(1).normal(size=28)
        real, fake = REAL.astype(np.float64), FAKE.astype(np.float64)

        @jax.jit
        def total(theta):
            first = theta[:24].reshape(shapes[0])
            second = theta[24:].reshape(shapes[1])

            def discriminate(images):
                return (jnp.tanh(images.reshape(-1, 6) @ first) @ second)[:, 0]

            return bound(name)(discriminate, real, fake, KEYS).sum()

        found = jax.grad(total)(theta)
        steps = 1e-6 * np.eye(28)
        expected = np.array([(total(theta + e) - total(theta - e)) / 2e-6 for e in steps])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("name", ["wgan_gp", "one_sided_gp", "dragan"])
def test_a_flat_discriminator_has_a_gradient_too(name):
    """|0| is not differentiable: it must not become NaN."""

    def total(scale):
        return bound(name)(
            lambda images: scale * images.sum((1, 2, 3)), jnp.float32(REAL), jnp.float32(FAKE), KEYS
        ).sum()

    assert np.isfinite(jax.grad(total)(0.0))


def test_lecam_follows_the_mean_logits():
    metrics = {"real_logits": jnp.float32(2), "fake_logits": jnp.float32(-1)}
    controls = {name: jnp.float32(value) for name, value in LECAM.initial.items()}
    for _ in range(3):
        controls = LECAM.update(controls, metrics)
    np.testing.assert_allclose(controls["lecam_real"], 2 * (1 - 0.99**3), rtol=1e-6)
    np.testing.assert_allclose(controls["lecam_fake"], -(1 - 0.99**3), rtol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_those_of_reals_look_at_no_fake(name):
    values, others = (
        bound(name)(quadratic, jnp.float32(REAL), jnp.float32(fake), KEYS)
        for fake in (FAKE, 2 * FAKE)
    )
    assert (values == others).all() == (function_of(PENALTIES[name]) in OF_REALS)


@pytest.mark.parametrize("name", PENALTIES)
def test_conventions(name):
    penalty = PENALTIES[name]
    parameters = list(inspect.signature(function_of(penalty)).parameters)
    assert parameters[1:4] == ["real", "fake", "keys"]
    assert parameters[0] == ("judge" if isinstance(penalty, OfOutputs) else "discriminate")
    assert set(parameters[4:]) <= {"controls", "transform", "generate", "z", "deviation"}
    assert ("controls" in parameters) == isinstance(penalty, Adaptive)
    assert ({"generate", "z"} <= set(parameters)) == isinstance(penalty, OfLatents)
