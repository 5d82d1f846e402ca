import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.schedules import SHAPES, schedule

SEEN = np.array([0, 50, 100, 550, 1_000, 5_000])
PROGRESS = np.array([0, 0, 0, 0.5, 1, 1])  # after a warm-up of 100, until 1,000
CASES = {
    "constant": np.ones(6),
    "linear": 1 - 0.8 * PROGRESS,
    "cosine": 0.2 + 0.8 * (1 + np.cos(np.pi * PROGRESS)) / 2,
}


def test_every_shape_has_a_case():
    assert SHAPES.keys() == CASES.keys()


@pytest.mark.parametrize("shape", SHAPES)
def test_values(shape):
    warm = np.minimum(1, SEEN / 100)
    factor = schedule(shape, images=1_000, final=0.2, warmup=100)
    np.testing.assert_allclose(factor(jnp.asarray(SEEN)), warm * CASES[shape], atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_warm_up_it_begins_whole(shape):
    assert float(schedule(shape, images=1_000)(jnp.int32(0))) == 1
