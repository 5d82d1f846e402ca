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


def build(axis_name, optimizer=None, generator=None, interval=1):
    return gan_jax.gan(
        generator=generator or gan_jax.mlp.MLPGenerator(SHAPE, widths=(32,)),
        discriminator=gan_jax.mlp.MLPDiscriminator(widths=(32,)),
        generator_optimizer=optimizer or optax.sgd(0.1),
        discriminator_optimizer=optimizer or optax.sgd(0.1),
        loss=LOSSES["relativistic"],
        penalties=[(PENALTIES["r1"], 1.0, interval), (PENALTIES["r2"], 1.0, interval)],
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
def test_data_are_the_same_bit_for_bit(count):
    """The rows that each device is fed, side by side, against one device's."""

    def fed(count):
        feed = jax.tree.map(lambda x: x[:, 0], loader(build(None), count)(3, 1))
        batch = jax.vmap(decode, in_axes=(None, 0))({"image": jnp.asarray(SOURCE.images)}, feed)
        return {name: np.concatenate(value, axis=1) for name, value in batch.items()}

    one, many = fed(1), fed(count)
    for name in ("image", "index"):
        np.testing.assert_array_equal(one[name], many[name])


@pytest.mark.parametrize("count", [4, 8])
def test_noise_is_the_same_bit_for_bit(count, key):
    """What the generator is given in three updates, on every device, against one device's."""

    def given(count):
        rows, devices = [], jax.devices()[:count]
        network = gan_jax.mlp.MLPGenerator(SHAPE, widths=(32,))
        gan = build(parallel.AXIS, generator=Recorder(network, rows))
        call = parallel.pmapped(parallel.several_steps(gan.update, decode), devices)
        state = parallel.replicate(jax.jit(gan.init)(key), devices)
        resident = parallel.replicate({"image": SOURCE.images}, devices)
        feed = parallel.shard(loader(gan, count)(0, 3), devices)
        jax.block_until_ready(call(state, resident, feed))
        jax.effects_barrier()
        return np.array(sorted(row.tolist() for row in rows))  # devices call back as they please

    many = given(count)
    assert len(np.unique(many)) == 3 * 2 * BATCH * 5, "some noise was drawn twice"
    np.testing.assert_array_equal(many, given(1))


class Recorder:
    """A generator that notes every z it is given, whichever device it runs on."""

    def __init__(self, network, rows):
        self.init, self._network, self._rows = network.init, network, rows

    def apply(self, variables, z, labels=None, **rest):
        jax.debug.callback(lambda z: self._rows.extend(np.asarray(z)), z)
        return self._network.apply(variables, z, labels, **rest)


@pytest.mark.parametrize("count", [1, 4])
def test_a_device_alone_has_no_all_reduce(count, key):
    """It would copy every gradient for nothing."""
    devices, gan = jax.devices()[:count], build(parallel.AXIS)
    call = parallel.pmapped(parallel.several_steps(gan.update, decode), devices)
    state = parallel.replicate(jax.jit(gan.init)(key), devices)
    resident = parallel.replicate({"image": SOURCE.images}, devices)
    feed = parallel.shard(loader(gan, count)(0, 2), devices)
    program = call.lower(state, resident, feed).as_text()
    assert ("all_reduce" in program) == (count > 1)


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


def test_many_seeds_at_once_are_the_same_runs(key):
    """And what waits for a step is still a branch of the program, not both branches always."""
    gan = build(None, interval=4)
    keys = jax.random.split(key, 3)
    state = parallel.init_seeds(gan.init, keys)
    feed, resident = loader(gan, 1)(0, 6), {"image": jnp.asarray(SOURCE.images)}
    feeds = jax.tree.map(lambda x: np.concatenate([x] * 3), feed)
    one = parallel.several_steps(gan.update, decode)
    call = parallel.over_seeds(one)
    assert "stablehlo.case" in call.lower(state, resident, feeds).as_text()
    state, metrics = call(state, resident, feeds)
    assert state.step.shape == ()
    assert metrics["r1"].shape == (3,)
    for seed in range(3):
        alone, _ = jax.jit(one)(gan.init(keys[seed]), resident, jax.tree.map(lambda x: x[0], feed))
        mine = jax.tree.map(lambda x, seed=seed: x[seed], state.generator)
        assert largest_difference(mine, alone.generator) < 1e-5
    assert largest_difference(mine.params, gan.init(keys[0]).generator.params) > 1e-2


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
