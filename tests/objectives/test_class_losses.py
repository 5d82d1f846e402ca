"""Every class loss against NumPy in float64, its gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives.class_losses import CLASS_LOSSES

CLASSES, BATCH = 3, 4
LABELS = np.array([0, 2, 1, 2])
OUTPUTS = {"classifier": CLASSES, "twin_classifier": 2 * CLASSES}
ROWS = np.arange(BATCH)


def logits(name, seed):
    outputs = OUTPUTS[CLASS_LOSSES[name].conditioning]
    return np.random.default_rng(seed).normal(size=(BATCH, outputs)) * 3


def log_p(logits, classes):
    """log softmax, of one class a row."""
    return logits[ROWS, classes] - np.log(np.exp(logits).sum(-1))


def auxiliary(real, fake):
    return -log_p(real, LABELS) - log_p(fake, LABELS), -log_p(fake, LABELS)


def discriminative(real, fake):
    as_real, as_fake = log_p(fake, LABELS), log_p(fake, LABELS + CLASSES)
    return -log_p(real, LABELS) - as_fake, as_fake - as_real


CASES = {"auxiliary": auxiliary, "discriminative": discriminative}


def test_every_class_loss_has_a_case():
    assert CLASS_LOSSES.keys() == CASES.keys()


@pytest.mark.parametrize("name", CLASS_LOSSES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_values(name, transform):
    loss, real, fake = CLASS_LOSSES[name], logits(name, 1), logits(name, 2)
    discriminator, generator = CASES[name](real, fake)
    found = transform(loss.discriminator)(jnp.float32(real), jnp.float32(fake), LABELS)
    np.testing.assert_allclose(found, discriminator, rtol=0, atol=1e-6 * discriminator.max())
    found = transform(loss.generator)(jnp.float32(fake), LABELS)
    np.testing.assert_allclose(found, generator, rtol=0, atol=1e-6 * np.abs(generator).max())


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_gradients_are_finite_differences(name):
    loss, real, fake = CLASS_LOSSES[name], logits(name, 1), logits(name, 2)
    sides = (
        lambda x: loss.discriminator(x, fake, LABELS).sum(),
        lambda x: loss.discriminator(real, x, LABELS).sum(),
        lambda x: loss.generator(x, LABELS).sum(),
    )
    with jax.enable_x64(True):
        for side in sides:
            found = jax.grad(side)(jnp.asarray(fake))
            steps = 1e-6 * np.eye(fake.size).reshape(-1, *fake.shape)
            expected = [(side(fake + e) - side(fake - e)) / 2e-6 for e in steps]
            np.testing.assert_allclose(found.reshape(-1), expected, rtol=0, atol=1e-6)
