import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives.losses import LOSSES

REAL = np.array([0.0, 1.5, -2.0, 90.0, -90.0])
FAKE = np.array([0.0, -0.5, 3.0, -90.0, 90.0])


def softplus(x):
    return np.logaddexp(0.0, x)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


CASES = {
    "non_saturating": (softplus(-REAL) + softplus(FAKE), softplus(-FAKE)),
    "relativistic": (softplus(FAKE - REAL), softplus(REAL - FAKE)),
}
# d L_D / d real, d L_D / d fake, d L_G / d fake
GRADIENTS = {
    "non_saturating": (-sigmoid(-REAL), sigmoid(FAKE), -sigmoid(-FAKE)),
    "relativistic": (-sigmoid(FAKE - REAL), sigmoid(FAKE - REAL), -sigmoid(REAL - FAKE)),
}


def test_every_loss_has_a_case():
    assert LOSSES.keys() == CASES.keys() == GRADIENTS.keys()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit, jax.vmap])
def test_values(name, transform):
    loss, (discriminator, generator) = LOSSES[name], CASES[name]
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    np.testing.assert_allclose(
        transform(loss.discriminator)(real, fake), discriminator, rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(
        transform(loss.generator)(fake, real), generator, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_even_far_out(name):
    loss, (by_real, by_fake, by_generator) = LOSSES[name], GRADIENTS[name]
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    found = jax.grad(lambda r, f: loss.discriminator(r, f).sum(), argnums=(0, 1))(real, fake)
    np.testing.assert_allclose(found[0], by_real, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[1], by_fake, rtol=1e-6, atol=1e-6)
    found = jax.grad(lambda f: loss.generator(f, real).sum())(fake)
    np.testing.assert_allclose(found, by_generator, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_conventions(name):
    loss = LOSSES[name]
    assert list(inspect.signature(loss.discriminator).parameters) == ["real_logits", "fake_logits"]
    assert list(inspect.signature(loss.generator).parameters) == ["fake_logits", "real_logits"]


def test_relativistic_says_whether_reals_are_read():
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    for loss in LOSSES.values():
        gradient = jax.grad(lambda r, loss=loss: loss.generator(fake, r).sum())(real)
        assert bool(np.any(gradient)) == loss.relativistic
