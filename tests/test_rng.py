import zlib

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import rng


def data(keys):
    return np.asarray(jax.random.key_data(keys))


def test_key_is_the_documented_fold(key):
    expected = jax.random.fold_in(jax.random.fold_in(key, zlib.crc32(b"noise")), 7)
    np.testing.assert_array_equal(data(rng.key_for(key, "noise", 7)), data(expected))


def test_streams_steps_and_examples_all_differ(key):
    keys = [rng.key_for(key, stream, step) for stream in ("a", "b") for step in (0, 1)]
    rows = jnp.concatenate([rng.keys_for(k, jnp.arange(3)) for k in keys])
    rows = jnp.concatenate([rng.substream(rows, "x"), rng.substream(rows, "y"), rows])
    assert len(np.unique(data(rows), axis=0)) == 36


def test_a_draw_belongs_to_its_example_not_to_its_place(key):
    whole = rng.normal(rng.keys_for(key, jnp.arange(8)), (5,))
    part = rng.normal(rng.keys_for(key, jnp.array([6, 2])), (5,))
    np.testing.assert_array_equal(part, whole[jnp.array([6, 2])])


def test_draws_are_standard_normal(key):
    draws = np.asarray(rng.normal(rng.keys_for(key, jnp.arange(4_000)), (50,)))
    # Five deviations of the estimates at 200,000 draws.
    assert abs(draws.mean()) < 5 / np.sqrt(draws.size)
    assert abs(draws.var() - 1) < 5 * np.sqrt(2 / draws.size)
    correlation = np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(len(draws))


def test_truncated_draws_are_normal_ones_that_lie_within(key):
    keys = rng.keys_for(key, jnp.arange(4_000))
    draws = np.asarray(rng.truncated_normal(keys, (50,), bound=1.0))
    assert np.abs(draws).max() <= 1
    normal = np.asarray(rng.normal(keys, (150,)))
    expected = normal[np.abs(normal) <= 1]
    for q in (0.1, 0.25, 0.5, 0.9):
        np.testing.assert_allclose(np.quantile(draws, q), np.quantile(expected, q), atol=0.01)
    part = rng.truncated_normal(keys[jnp.array([6, 2])], (50,), bound=1.0)
    np.testing.assert_array_equal(part, draws[[6, 2]])


def test_uniform_draws_are_uniform(key):
    draws = np.asarray(rng.uniform(rng.keys_for(key, jnp.arange(10_000))))
    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(draws.mean() - 0.5) < 5 / np.sqrt(12 * len(draws))
