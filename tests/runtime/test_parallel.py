"""The same run on 1, 4 and 8 devices: same noise, same data, same parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gan_jax
from gan_jax.data.loader import Loader, decode
from gan_jax.data.plan import IndexPlan
from gan_jax.data.source import ArraySource
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES
from gan_jax.runtime import parallel

SHAPE, BATCH, STEPS = (6, 6, 1), 16, 20
SOURCE = ArraySource(
    name="random",
    split="train",
    fingerprint="",
    images=np.random.default_rng(0).integers(0, 256, (70, *SHAPE), dtype=np.uint8),
)


def build(axis_name, optimizer=None):
    return gan_jax.gan(
        generator=gan_jax.mlp.MLPGenerator(SHAPE, widths=(32,)),
        discriminator=gan_jax.mlp.MLPDiscriminator(widths=(32,)),
        generator_optimizer=optimizer or optax.sgd(0.1),
        discriminator_optimizer=optimizer or optax.sgd(0.1),
        loss=LOSSES["relativistic"],
        penalties=[(PENALTIES["r1"], 1.0), (PENALTIES["r2"], 1.0)],
        image_shape=SHAPE,
        latent_dim=5,
        axis_name=axis_name,
    )


def loader(gan, devices):
    return Loader(
        SOURCE,
        IndexPlan(0, len(SOURCE)),
        minibatches=gan.minibatches,
        batch_size=BATCH,
        local_devices=devices,
    )


def run(count, key, steps=STEPS, per_call=5):
    """Trains on `count` devices; returns the state as it lies there."""
    devices, gan = jax.devices()[:count], build(parallel.AXIS)
    call = parallel.pmapped(parallel.several_steps(gan.update, decode), devices)
    state = parallel.replicate(jax.jit(gan.init)(key), devices)
    resident = parallel.replicate({"image": SOURCE.images}, devices)
    feed = loader(gan, count)
    for step in range(0, steps, per_call):
        state, metrics = call(state, resident, parallel.shard(feed(step, per_call), devices))
    return state, metrics


@pytest.fixture(scope="module")
def one_device(key):
    return run(1, key)


def largest_difference(a, b):
    differences = jax.tree.map(
        lambda x, y: np.abs(np.asarray(x) - np.asarray(y)).max(initial=0), a, b
    )
    return max(jax.tree.leaves(differences))


@pytest.mark.parametrize("count", [4, 8])
def test_devices_change_nothing_but_the_order_of_sums(count, key, one_device):
    state, metrics = run(count, key)
    expected, expected_metrics = one_device
    for name in ("generator", "discriminator", "ema"):
        assert largest_difference(getattr(state, name), getattr(expected, name)) < 1e-5
    assert int(state.step) == STEPS
    assert largest_difference(metrics, expected_metrics) < 1e-5
    moved = largest_difference(expected.generator.params, build(None).init(key).generator.params)
    assert moved > 1e-2, "the parameters hardly moved: the comparison would show nothing"


@pytest.mark.parametrize("count", [4, 8])
def test_every_device_has_the_same_state_bit_for_bit(count, key):
    """`out_axes=None` shows one device's copy only, and would hide a forgotten average."""
    state, _ = run(count, key)
    for leaf in jax.tree.leaves(state.replace(key=jax.random.key_data(state.key))):
        copies = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(copies) == count
        for copy in copies[1:]:
            np.testing.assert_array_equal(copy, copies[0])


@pytest.mark.parametrize("count", [4, 8])
def test_noise_and_data_are_the_same_bit_for_bit(count, key):
    """Draws and rows as each device makes them, against one device's."""

    def seen(count):
        def draw(feed):
            batch = decode({"image": jnp.asarray(SOURCE.images)}, feed)
            keys = gan_jax.rng.keys_for(key, batch["index"].reshape(-1))
            noise = gan_jax.rng.normal(keys, (5,))
            return {"image": batch["image"], "noise": noise.reshape(*batch["index"].shape, 5)}

        feed = jax.tree.map(lambda x: x[:, 0], loader(build(None), count)(3, 1))
        drawn = jax.pmap(draw, devices=jax.devices()[:count])(feed)
        return {name: np.concatenate(value, axis=1) for name, value in drawn.items()}

    one, many = seen(1), seen(count)
    for name in one:
        np.testing.assert_array_equal(one[name], many[name])


def test_steps_in_one_call_equal_steps_one_by_one(key):
    together, _ = run(1, key, steps=6, per_call=6)
    apart, _ = run(1, key, steps=6, per_call=1)
    assert largest_difference(together.generator, apart.generator) < 1e-6


def test_vmap_is_pmap_on_one_device(key, one_device):
    gan = build(parallel.AXIS)
    call = parallel.vmapped(parallel.several_steps(gan.update, decode))
    feed, state = loader(gan, 4), jax.jit(gan.init)(key)
    resident = {"image": jnp.asarray(SOURCE.images)}
    for step in range(0, STEPS, 5):
        state, _ = call(state, resident, feed(step, 5))
    assert largest_difference(state.generator, one_device[0].generator) < 1e-5


def test_a_forgotten_average_is_caught(key):
    """vmap refuses a state that differs from device to device."""
    gan = build(axis_name=None)
    call = parallel.vmapped(parallel.several_steps(gan.update, decode))
    with pytest.raises(ValueError, match="axis"):
        call(gan.init(key), {"image": jnp.asarray(SOURCE.images)}, loader(gan, 4)(0, 1))


def test_the_state_is_donated_and_nothing_compiles_twice(key, caplog):
    devices, gan = jax.devices()[:4], build(parallel.AXIS, optax.adam(1e-3))
    call = parallel.pmapped(parallel.several_steps(gan.update, decode), devices)
    state = parallel.replicate(jax.jit(gan.init)(key), devices)
    resident = parallel.replicate({"image": SOURCE.images}, devices)
    feed = loader(gan, 4)
    with jax.log_compiles(True):
        for step in range(0, 8, 2):
            before = state
            fed = parallel.shard(feed(step, 2), devices)
            with jax.transfer_guard("disallow"):
                state, _ = call(state, resident, fed)
            assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before.generator))
    compiled = [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]
    assert len(compiled) == 1, compiled
    assert not jax.tree.leaves(resident)[0].is_deleted()
