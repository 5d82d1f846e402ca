"""Boxes of mixtures; and the penalty on images in which these do not vanish."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_penalties import KEYS, bound, masks, of_mixtures

from gan_jax import rng
from gan_jax.objectives.cutmix import boxes


def test_values():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(2, len(KEYS), 8, 9, 1))
    assert 0.1 < masks(KEYS, 8, 9).mean() < 0.9

    def logits(images):
        return images[:, 2:6, 3:].sum((1, 2, 3)) / 10

    found = jax.jit(bound("cutmix"), static_argnums=0)(
        logits, jnp.float32(real), jnp.float32(fake), KEYS
    )
    np.testing.assert_allclose(found, of_mixtures(real, fake, logits), rtol=1e-5)


def test_the_gradient_is_that_of_all_three_judgements():
    """Of mixtures and of both their parts, whose logits are not held fast."""
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(2, len(KEYS), 8, 9, 1))
    weights = random.normal(size=(8, 9, 1)) / 10

    def total(scale):
        def logits(images):
            return jnp.tanh(scale * images * weights).sum((1, 2, 3))

        return bound("cutmix")(logits, jnp.asarray(real), jnp.asarray(fake), KEYS).sum()

    with jax.enable_x64(True):
        found = jax.grad(total)(1.3)
        expected = (total(1.3 + 1e-6) - total(1.3 - 1e-6)) / 2e-6
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (17, 5), (64, 64)])
def test_they_are_those_of_the_authors(size):
    keys = jax.random.split(jax.random.key(0), 200)
    found = jax.jit(boxes, static_argnums=1)(rng.substream(keys, "boxes"), size)
    np.testing.assert_array_equal(found, masks(keys, *size))


def test_what_they_cover():
    """A half on the average, as either side is as likely; up to all of the image."""
    found = np.array(boxes(jax.random.split(jax.random.key(1), 4000), (32, 32)))
    shares = found.mean((1, 2))
    assert abs(shares.mean() - 0.5) < 0.02
    assert np.isin(found, (0, 1)).all()
    assert shares.min() < 0.05
    assert shares.max() > 0.95
    everywhere = found.mean(0)  # each place is as often a real's as a fake's
    assert np.abs(everywhere - 0.5).max() < 0.05
