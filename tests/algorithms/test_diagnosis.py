"""What the diagnostics measure, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from linear import (
    BATCH,
    LATENT,
    RATE_D,
    RATE_G,
    SHAPE,
    dense,
    draw,
    linear_gan,
    r1_and_r2,
    random_batch,
)
from runs import quick_jit

import gan_jax
from gan_jax import rng
from gan_jax.algorithms.diagnosis import spread
from gan_jax.runtime import parallel


def norm(tree):
    return np.sqrt(sum(np.square(np.float64(leaf)).sum() for leaf in jax.tree.leaves(tree)))


@pytest.mark.parametrize(("side", "rate"), [("discriminator", RATE_D), ("generator", RATE_G)])
def test_norms_of_gradients_and_of_steps_against_weights(side, rate, key):
    """With SGD the step is rate times the gradient."""
    gan = linear_gan(diagnostics=True)
    images, z, keys = draw(1)
    state = gan.init(key)
    new, metrics = getattr(gan, f"update_{side}")(
        state, jnp.float32(images), jnp.float32(z), keys=keys
    )
    before, after = getattr(state, side).params, getattr(new, side).params
    step = norm(jax.tree.map(lambda a, b: np.float64(a) - np.float64(b), after, before))
    np.testing.assert_allclose(metrics[f"{side}_gradient"], step / rate, rtol=1e-5)
    np.testing.assert_allclose(metrics[f"{side}_update"], step / norm(before), rtol=1e-5)


def test_of_lazy_penalties_the_loss_s_own_descent_is_measured(key):
    plain, lazy = (
        linear_gan(penalties=(), diagnostics=True),
        linear_gan(penalties=r1_and_r2(interval=2), diagnostics=True),
    )
    images, z, keys = draw(1)
    state = lazy.init(key)
    _, expected = plain.update_discriminator(state, images, z, keys=keys)
    _, found = lazy.update_discriminator(state, images, z, keys=keys)
    for name in ("discriminator_gradient", "discriminator_update"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_they_are_off_unless_asked_for(key):
    gan = linear_gan()
    _, metrics = gan.update(gan.init(key), random_batch(gan, seed=0))
    assert not any(name.endswith(("_gradient", "_update")) for name in metrics)


def test_a_diagnosis_of_a_linear_gan(key):
    """The slope is |w| everywhere; the spread that of the very images."""
    gan = linear_gan(augment=lambda images, keys: 3 * images)
    state, batch = gan.init(key), random_batch(gan, seed=2)
    metrics = gan.diagnose(state, batch)
    (v, c), (w, _) = dense(state.generator.params), dense(state.discriminator.params)
    keys = rng.keys_for(rng.key_for(state.key, "diagnosis", 0), batch["index"][-1])
    z = np.float64(rng.normal(rng.substream(keys, "z"), (LATENT,)))
    for name, images in (("real", batch["image"][-1]), ("fake", (z @ v + c))):
        images = np.float64(images).reshape(BATCH, -1)
        deviation = np.sqrt(images.var(axis=0).mean())
        np.testing.assert_allclose(metrics[f"{name}_spread"], deviation, rtol=1e-5)
        np.testing.assert_allclose(metrics[f"{name}_slope"], 3 * np.linalg.norm(w), rtol=1e-5)


def test_a_spread_is_that_of_the_whole_batch():
    """Two devices, each with equal images of its own: together they differ."""
    images = jnp.stack([jnp.zeros((3, *SHAPE)), jnp.ones((3, *SHAPE))])
    found = jax.vmap(lambda images: spread(images, "devices"), axis_name="devices")(images)
    np.testing.assert_allclose(found, [0.5, 0.5])


def test_a_diagnosis_joins_the_call_whose_last_step_is_due(key):
    """Of two updates a call and every fourth step: the second call's, at the state it ends with."""
    gan = linear_gan()
    batches = [random_batch(gan, seed=step) for step in range(4)]
    call = quick_jit(
        parallel.several_steps(
            gan.update.__wrapped__, lambda _, feed: feed, gan.diagnose.__wrapped__, every=4
        )
    )
    state, found = gan.init(key), []
    for pair in (batches[:2], batches[2:]):
        feed = jax.tree.map(lambda *x: jnp.stack(x), *pair)
        state, metrics = call(state, {}, feed)
        found.append(metrics)
    expected = gan.diagnose(state, batches[3])
    for name, value in expected.items():
        assert float(found[0][name]) == 0
        np.testing.assert_allclose(found[1][name], value, rtol=1e-5)
        assert float(value) > 0


@pytest.mark.parametrize("loss", ["relativistic", "relativistic_average"])
def test_over_devices_all_that_is_told_is_of_the_whole_batch(loss, key):
    """The diagnosis and an update's metrics, on one device and over an axis of three."""
    options = {
        **{"diagnostics": True, "discriminator_optimizer": optax.sgd(0.0)},
        "discriminator": gan_jax.mlp.MLPDiscriminator((8,)),
    }
    whole, parts = linear_gan(loss, **options), linear_gan(loss, **options, axis_name="devices")
    state, batch = whole.init(key), random_batch(whole, seed=3)
    rows = jnp.linspace(-3, 3, BATCH)[:, None, None, None]
    batch["image"] += rows  # so that devices see unlike reals

    def told(gan):
        return lambda state, batch: (
            gan.diagnose.__wrapped__(state, batch) | (gan.update.__wrapped__(state, batch)[1])
        )

    split = jax.tree.map(
        lambda x: jnp.moveaxis(x.reshape(len(x), 3, BATCH // 3, *x.shape[2:]), 1, 0), batch
    )
    over_devices = jax.vmap(told(parts), axis_name="devices", in_axes=(None, 0), out_axes=0)
    found, expected = quick_jit(over_devices)(state, split), quick_jit(told(whole))(state, batch)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], [value] * 3, rtol=1e-4, atol=1e-6, err_msg=name)
