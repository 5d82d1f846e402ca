import jax.numpy as jnp
import numpy as np

from gan_jax.algorithms.ema import half_life_decay, update_average


def test_half_the_old_weights_are_left_after_a_half_life():
    decay = half_life_decay(jnp.array(0), images=32, half_life=6_400.0)
    np.testing.assert_allclose(decay ** (6_400 / 32), 0.5, rtol=1e-5)


def test_the_ramp_caps_the_half_life():
    seen = jnp.array([0, 1_000, 10_000, 1_000_000])
    decay = half_life_decay(seen, images=100, half_life=5_000.0, ramp=0.05)
    half_lives = np.minimum(5_000, 0.05 * np.asarray(seen))
    expected = [0.0, *(0.5 ** (100 / half_lives[1:]))]
    np.testing.assert_allclose(decay, expected, rtol=1e-6)


def test_no_half_life_copies():
    assert float(half_life_decay(jnp.array(9), images=1, half_life=0.0)) == 0


def test_only_parameters_and_batch_statistics_are_averaged():
    old = {"params": jnp.ones(2), "batch_stats": jnp.ones(1), "spectral": jnp.ones(1)}
    new = {"params": jnp.zeros(2), "batch_stats": jnp.zeros(1), "spectral": jnp.zeros(1)}
    moved = update_average(old, new, 0.9)
    np.testing.assert_allclose(moved["params"], [0.9, 0.9])
    np.testing.assert_allclose(moved["batch_stats"], [0.9])
    np.testing.assert_array_equal(moved["spectral"], [0.0])
