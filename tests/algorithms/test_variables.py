"""Who moves which variables: batch statistics and spectral vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

import gan_jax
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import r1
from gan_jax.runtime import parallel

BATCH, LATENT, SHAPE = 4, 3, (1, 1, 2)
MOMENTUM = 0.9


class Generator(nn.Module):
    """A dense layer, batch norm, and a counter in a collection of its own."""

    @nn.compact
    def __call__(self, z, labels=None, *, train, keys=None):
        x = nn.Dense(2)(z)
        x = nn.BatchNorm(use_running_average=not train, momentum=MOMENTUM)(x)
        count_passes(self, train)
        return jnp.tanh(x).reshape(-1, *SHAPE)


class Discriminator(nn.Module):
    norm: bool = True

    @nn.compact
    def __call__(self, images, labels=None, *, train, keys=None):
        x = images.reshape(len(images), -1)
        if self.norm:
            x = nn.BatchNorm(use_running_average=not train, momentum=MOMENTUM)(x)
        count_passes(self, train)
        return gan_jax.Outputs(logits=nn.Dense(1)(x)[:, 0], features=x)


def count_passes(module, train):
    """Stands for a spectral vector: moves in every training pass."""
    vector = module.variable("spectral", "u", jnp.zeros, ())
    if train and not module.is_initializing():
        vector.value = vector.value + 1


def build(**overrides):
    options = {
        "generator": Generator(),
        "discriminator": Discriminator(),
        "generator_optimizer": optax.sgd(0.1),
        "discriminator_optimizer": optax.sgd(0.1),
        "loss": LOSSES["relativistic"],
        "image_shape": SHAPE,
        "latent_dim": LATENT,
        "ema": 0.75,
    }
    gan = gan_jax.gan(**options | overrides)
    return gan._replace(
        init=jax.jit(gan.init),
        sample=jax.jit(gan.sample, static_argnums=2),
        update_discriminator=jax.jit(gan.update_discriminator),
        update_generator=jax.jit(gan.update_generator),
    )


@pytest.fixture
def drawn():
    random = np.random.default_rng(0)
    images = jnp.float32(random.uniform(-1, 1, (BATCH, *SHAPE)))
    return images, jnp.float32(random.normal(size=(BATCH, LATENT)))


@pytest.fixture
def keys(key):
    return jax.random.split(key, BATCH)


def running_mean(variables):
    return np.asarray(variables["batch_stats"]["BatchNorm_0"]["mean"])


def test_the_discriminator_phase_moves_its_own_variables_by_the_mean_of_both_passes(
    drawn, keys, key
):
    gan, (images, z) = build(), drawn
    state = gan.init(key)
    new, _ = gan.update_discriminator(state, images, z, keys=keys)
    fakes = Generator().apply(state.generator.weights, z, train=True, mutable=True)[0]
    batch_mean = (np.mean(images, axis=(0, 1, 2)) + np.mean(fakes, axis=(0, 1, 2))) / 2
    np.testing.assert_allclose(
        running_mean(new.discriminator.variables), (1 - MOMENTUM) * batch_mean, atol=1e-6
    )
    # Two passes from the same start: the vector moves once, and not in the generator's phase.
    assert float(new.discriminator.variables["spectral"]["u"]) == 1
    jax.tree.map(np.testing.assert_array_equal, new.generator, state.generator)


def test_the_generator_phase_moves_its_own_variables_only(drawn, keys, key):
    gan, (images, z) = build(), drawn
    state = gan.init(key)
    new, _ = gan.update_generator(state, images, z, keys=keys)
    before = z @ state.generator.params["Dense_0"]["kernel"]
    np.testing.assert_allclose(
        running_mean(new.generator.variables), (1 - MOMENTUM) * before.mean(0), atol=1e-6
    )
    assert float(new.generator.variables["spectral"]["u"]) == 1
    jax.tree.map(np.testing.assert_array_equal, new.discriminator, state.discriminator)


def test_the_average_averages_statistics_and_copies_spectral_vectors(drawn, keys, key):
    gan, (images, z) = build(), drawn
    state = gan.init(key)
    new, _ = gan.update_generator(state, images, z, keys=keys)
    np.testing.assert_allclose(
        running_mean(new.ema), 0.25 * running_mean(new.generator.variables), atol=1e-7
    )
    assert float(new.ema["spectral"]["u"]) == 1


def test_every_device_has_the_same_variables_bit_for_bit(key):
    """Each sees other rows, so its batch statistics are its own until they are averaged."""
    devices, gan = jax.devices()[:4], build(axis_name=parallel.AXIS)
    random, rows = np.random.default_rng(0), (4, gan.minibatches, BATCH)
    batch = {
        "image": np.float32(random.uniform(-1, 1, (*rows, *SHAPE))),
        "index": np.arange(4 * gan.minibatches * BATCH).reshape(rows),
    }
    call = parallel.pmapped(lambda state, _, batch: gan.update(state, batch), devices)
    state = parallel.replicate(gan.init(key), devices)
    nothing, fed = parallel.replicate({}, devices), parallel.shard(batch, devices)
    state, _ = call(state, nothing, fed)
    for net in (state.generator, state.discriminator, state.ema):
        for leaf in jax.tree.leaves(net):
            copies = [np.asarray(shard.data) for shard in leaf.addressable_shards]
            assert len(copies) == 4
            for copy in copies[1:]:
                np.testing.assert_array_equal(copy, copies[0])


def test_sampling_uses_the_running_statistics(drawn, keys, key):
    gan, (images, z) = build(), drawn
    state, _ = gan.update_generator(gan.init(key), images, z, keys=keys)
    one = gan.sample(state.ema, key, 1)
    np.testing.assert_allclose(gan.sample(state.ema, key, 8)[:1], one, atol=1e-6)


def test_gradient_penalties_with_batch_norm_are_refused(key):
    with pytest.raises(gan_jax.InputError, match=r"^r1: .* a discriminator"):
        build(penalties=[(r1, 1.0)]).init(key)
    build(penalties=[(r1, 1.0)], discriminator=Discriminator(norm=False)).init(key)
    with pytest.raises(gan_jax.InputError, match=r"^path_length: .* a generator"):
        build(generator_penalties=[(gan_jax.generator_penalties.PATH_LENGTH, 1.0)]).init(key)
    for name in ("lecam", "consistency", "balanced_consistency", "latent_consistency"):
        build(penalties=[(gan_jax.penalties.PENALTIES[name], 1.0)]).init(key)
    diversity = gan_jax.generator_penalties.latent_diversity
    build(generator_penalties=[(diversity, 1.0)]).init(key)


def directional(discriminate, real, fake, keys):
    """One's own, in forward mode: the derivative from the real towards the fake."""
    return jnp.square(jax.jvp(discriminate, (real,), (fake - real,))[1])


def drift(discriminate, real, fake, keys):
    """One's own, of logits: Karras et al. 2018, "Progressive growing of GANs", appendix A.1."""
    return jnp.square(discriminate(real))


def in_one_pass(discriminate, real, fake, keys):
    """One's own, of reals and fakes side by side."""
    on_real, on_fake = jnp.split(discriminate(jnp.concatenate([real, fake])), 2)
    return jnp.square(on_real) + jnp.square(on_fake)


def antithetic(generate, z, keys):
    """One's own, of the generator, likewise."""
    images, mirrored = jnp.split(generate(jnp.concatenate([z, -z])), 2)
    return jnp.square(images - mirrored).sum((1, 2, 3))


def test_ones_own_penalty_may_take_both_sides_in_one_pass(key):
    build(penalties=[(in_one_pass, 0.1)], generator_penalties=[(antithetic, 0.1)]).init(key)


def test_ones_own_penalty_is_asked_whether_it_takes_gradients(drawn, keys, key):
    with pytest.raises(gan_jax.InputError, match=r"^directional: "):
        build(penalties=[(drift, 0.1), (directional, 1.0)]).init(key)
    gan, (images, z) = build(penalties=[(drift, 0.1)]), drawn
    _, metrics = gan.update_discriminator(gan.init(key), images, z, keys=keys)
    assert metrics["drift"] > 0


@pytest.mark.parametrize("side", ["discriminator", "generator"])
def test_a_lazy_penalty_leaves_the_variables_to_the_loss(side, drawn, keys, key):
    """Which are what they are without a penalty, after its own descent too."""
    lazy = {
        "discriminator": {
            "penalties": [(gan_jax.penalties.PENALTIES["lecam"], 1.0, 2)],
        },
        "generator": {
            "generator_penalties": [(gan_jax.generator_penalties.latent_diversity, 1.0, 2)],
        },
    }[side]
    images, z = drawn
    plain, gan = build(), build(**lazy)
    state, half_step = gan.init(key), f"update_{side}"
    expected = getattr(getattr(plain, half_step)(state, images, z, keys=keys)[0], side)
    found = getattr(getattr(gan, half_step)(state, images, z, keys=keys)[0], side)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
        found.variables,
        expected.variables,
    )
    assert float(found.variables["spectral"]["u"]) == 1
    changes = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), found.params, expected.params)
    assert max(jax.tree.leaves(changes)) > 1e-6, "the penalty was not due"


class Counting(nn.Module):
    """A discriminator that counts its passes in an integer."""

    @nn.compact
    def __call__(self, images, labels=None, *, train, keys=None):
        passes = self.variable("passes", "count", jnp.zeros, (), jnp.int32)
        if train and not self.is_initializing():
            passes.value = passes.value + 1
        x = images.reshape(len(images), -1)
        return gan_jax.Outputs(logits=nn.Dense(1)(x)[:, 0], features=x)


def test_an_integer_keeps_its_type_in_a_loop_over_devices(key):
    """As the loop has it: in a scan, whose carry may not change its type, under an axis."""
    gan = build(discriminator=Counting(), axis_name="devices")
    batch = {
        "image": jnp.zeros((4, gan.minibatches, BATCH, *SHAPE)),
        "index": jnp.arange(4 * gan.minibatches * BATCH).reshape(4, gan.minibatches, BATCH),
    }

    def three_steps(state, batch):
        return jax.lax.scan(lambda state, _: gan.update(state, batch), state, length=3)[0]

    call = jax.vmap(three_steps, axis_name="devices", in_axes=(None, 0), out_axes=None)
    passes = jax.jit(call)(gan.init(key), batch).discriminator.variables["passes"]["count"]
    assert (passes.dtype, int(passes)) == (jnp.int32, 3)
