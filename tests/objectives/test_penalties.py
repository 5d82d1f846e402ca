import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives.penalties import PENALTIES

RANDOM = np.random.default_rng(0)
REAL, FAKE = RANDOM.normal(size=(2, 5, 2, 3, 1))
MATRIX = RANDOM.normal(size=(6, 6))
MATRIX = MATRIX + MATRIX.T


def quadratic(images):
    """D(x) = x' M x / 2, whose gradient at x is M x."""
    flat = images.reshape(images.shape[0], -1)
    return 0.5 * jnp.einsum("bi,ij,bj->b", flat, jnp.float32(MATRIX), flat)


def half_squared_norm(images):
    return 0.5 * np.square(images.reshape(5, 6) @ MATRIX).sum(-1)


CASES = {"r1": half_squared_norm(REAL), "r2": half_squared_norm(FAKE)}


def test_every_penalty_has_a_case():
    assert PENALTIES.keys() == CASES.keys()


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_values(name, transform, key):
    def penalty(real, fake, keys):
        return PENALTIES[name](quadratic, real, fake, keys)

    values = transform(penalty)(jnp.float32(REAL), jnp.float32(FAKE), jax.random.split(key, 5))
    assert values.shape == (5,)
    np.testing.assert_allclose(values, CASES[name], rtol=1e-6 * np.abs(CASES[name]).max())


@pytest.mark.parametrize("name", PENALTIES)
def test_gradient_by_the_weights_goes_through_the_gradient_by_the_image(name, key):
    """For D(x) = a x' M x / 2 a penalty is a^2 times its value at a = 1: derivative 2 at 1."""

    def total(scale):
        return PENALTIES[name](
            lambda images: scale * quadratic(images),
            jnp.float32(REAL),
            jnp.float32(FAKE),
            jax.random.split(key, 5),
        ).sum()

    np.testing.assert_allclose(jax.grad(total)(1.0), 2 * CASES[name].sum(), rtol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_conventions(name):
    parameters = list(inspect.signature(PENALTIES[name]).parameters)
    assert parameters == ["discriminate", "real", "fake", "keys"]
