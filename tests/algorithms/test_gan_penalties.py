"""Penalties on the generator in the update, and those of the discriminator that make fakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import BATCH, RATE_D, RATE_G, SHAPE, dense, draw, linear_gan, random_batch, same

import gan_jax
from gan_jax import rng
from gan_jax.objectives.generator_penalties import PATH_LENGTH, latent_diversity, path_length
from gan_jax.objectives.penalties import LATENT_CONSISTENCY, PENALTIES, latent_consistency

WEIGHT = 0.25
PLAIN = linear_gan("hinge", penalties=())


def floats(seed):
    images, z, keys = draw(seed)
    return jnp.float32(images), jnp.float32(z), keys


def generate(params, z):
    return gan_jax.mlp.MLPGenerator(SHAPE, widths=(), output=lambda x: x).apply(
        {"params": params}, z, train=True
    )


def assert_close(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), a, b)


def test_the_generator_descends_its_penalties_as_well(key):
    """With SGD the update differs by rate times the gradient of the weighted mean."""
    pairs = [(PATH_LENGTH, WEIGHT), (latent_diversity, 2 * WEIGHT)]
    gan = linear_gan("hinge", penalties=(), generator_penalties=pairs)
    images, z, keys = floats(1)
    state = gan.init(key).replace(controls={"path_length_average": jnp.float32(0.3)})

    def penalty(params):
        lengths, _ = path_length(
            lambda z: generate(params, z),
            z,
            rng.substream(keys, "penalty/path_length"),
            controls=state.controls,
        )
        drawn = rng.substream(keys, "penalty/latent_diversity")
        diversity = latent_diversity(lambda z: generate(params, z), z, drawn)
        return WEIGHT * lengths.mean() + 2 * WEIGHT * diversity.mean()

    new, metrics = gan.update_generator(state, images, z, keys=keys)
    plain, _ = PLAIN.update_generator(state, images, z, keys=keys)
    gradient = jax.grad(penalty)(state.generator.params)
    assert_close(
        new.generator.params,
        jax.tree.map(lambda p, g: p - RATE_G * g, plain.generator.params, gradient),
    )
    average = 0.3 + 0.01 * (metrics["path_lengths"] - 0.3)
    np.testing.assert_allclose(new.controls["path_length_average"], average, rtol=1e-6)
    assert float(metrics["path_lengths"]) > 0


def test_lazy_ones_wait_and_what_they_remember_waits_with_them(key):
    gan = linear_gan(
        "hinge",
        penalties=(),
        generator_penalties=[(PATH_LENGTH, WEIGHT, 4)],
    )
    images, z, keys = floats(1)
    state = gan.init(key)
    waiting, metrics = gan.update_generator(state, images, z, keys=keys, penalize=False)
    plain, _ = PLAIN.update_generator(state, images, z, keys=keys)
    assert same(waiting.generator, plain.generator)
    assert waiting.controls == state.controls == {"path_length_average": 0, "path_length": 0}
    due, metrics = gan.update_generator(state, images, z, keys=keys)

    def penalty(params):
        drawn = rng.substream(keys, "penalty/path_length")
        of = path_length(lambda z: generate(params, z), z, drawn, controls=state.controls)
        return 4 * WEIGHT * of[0].mean(), (of[0].mean(), of[1]["path_lengths"].mean())

    gradient, (value, length) = jax.grad(penalty, has_aux=True)(plain.generator.params)
    assert_close(
        due.generator.params,
        jax.tree.map(lambda p, g: p - RATE_G * g, plain.generator.params, gradient),
    )
    np.testing.assert_allclose(due.controls["path_length_average"], 0.01 * length, rtol=1e-5)
    np.testing.assert_allclose(metrics["path_length"], value, rtol=1e-5)
    # Until the next turn metrics tell of this one.
    after, metrics = gan.update_generator(due, images, z, keys=keys, penalize=False)
    np.testing.assert_array_equal(metrics["path_length"], due.controls["path_length"])
    assert after.controls == due.controls


def test_lazy_ones_are_due_at_every_kth_step(key):
    gan = linear_gan(
        "hinge",
        penalties=(),
        generator_penalties=[(PATH_LENGTH, WEIGHT, 3)],
        d_steps=2,
    )
    state, due = gan.init(key), []
    for step in range(7):
        before = state.controls["path_length_average"]
        state, _ = gan.update(state, random_batch(gan, seed=step))
        due.append(bool(state.controls["path_length_average"] != before))
    assert due == [True, False, False, True, False, False, True]


def test_a_lazy_penalty_of_the_discriminator_remembers_when_it_is_due(key):
    gan = linear_gan("hinge", penalties=[(PENALTIES["lecam"], 0.5, 2)])
    images, z, keys = floats(1)
    state = gan.init(key)
    waiting, _ = gan.update_discriminator(state, images, z, keys=keys, penalize=False)
    assert waiting.controls == state.controls
    due, metrics = gan.update_discriminator(state, images, z, keys=keys)
    np.testing.assert_allclose(due.controls["lecam_real"], 0.01 * metrics["real_logits"], rtol=1e-5)


def test_a_lazy_one_waits_beside_one_that_does_not(key):
    lecam = (PENALTIES["lecam"], 0.5)
    both = linear_gan("hinge", penalties=[lecam, (PENALTIES["r1"], 1.0, 2)])
    alone = linear_gan("hinge", penalties=[lecam])
    images, z, keys = floats(1)
    state, other = both.init(key), alone.init(key)
    waiting, metrics = both.update_discriminator(state, images, z, keys=keys, penalize=False)
    expected, _ = alone.update_discriminator(other, images, z, keys=keys)
    assert same(waiting.discriminator, expected.discriminator)
    assert waiting.controls == expected.controls | {"r1": 0}
    due, metrics = both.update_discriminator(state, images, z, keys=keys)
    (w, _), (new_w, _) = (dense(s.discriminator.params) for s in (expected, due))
    np.testing.assert_allclose(new_w, w - RATE_D * 2 * w, rtol=0, atol=1e-6)
    np.testing.assert_allclose(metrics["r1"], 0.5 * np.square(w).sum(), rtol=1e-5)


def test_what_is_not_lazy_is_due_whatever_is_said(key):
    gan = linear_gan("hinge", penalties=[(PENALTIES["lecam"], 0.5)])
    images, z, keys = floats(1)
    state = gan.init(key)
    due, _ = gan.update_discriminator(state, images, z, keys=keys)
    told, _ = gan.update_discriminator(state, images, z, keys=keys, penalize=False)
    assert same(due, told)
    assert float(due.controls["lecam_real"]) != 0


def test_latent_consistency_gets_the_fakes_own_latents_and_generator(key):
    gan = linear_gan("hinge", penalties=[(LATENT_CONSISTENCY, WEIGHT)])
    images, z, keys = floats(1)
    state = gan.init(key)
    new, metrics = gan.update_discriminator(state, images, z, keys=keys)
    plain, _ = PLAIN.update_discriminator(state, images, z, keys=keys)
    (v, c), _ = dense(state.generator.params), None

    def penalty(params):
        (layer,) = params.values()

        def logits(images):
            return (images.reshape(BATCH, -1) @ layer["kernel"] + layer["bias"])[:, 0]

        def fakes(z):
            return (z @ jnp.float32(v) + jnp.float32(c)).reshape(-1, *SHAPE)

        drawn = rng.substream(keys, "penalty/latent_consistency")
        return latent_consistency(logits, images, fakes(z), drawn, generate=fakes, z=z).mean()

    value, gradient = jax.value_and_grad(penalty)(state.discriminator.params)
    np.testing.assert_allclose(metrics["latent_consistency"], value, rtol=1e-4)
    assert float(value) > 0
    assert_close(
        new.discriminator.params,
        jax.tree.map(lambda p, g: p - RATE_D * WEIGHT * g, plain.discriminator.params, gradient),
    )


def of_either(function, *rest):
    """One's own, of whichever network."""
    return jnp.zeros(BATCH)


def test_intervals_and_names_that_do_not_work_are_refused():
    with pytest.raises(gan_jax.InputError, match="interval of path_length is 0"):
        linear_gan(generator_penalties=[(PATH_LENGTH, 1.0, 0)])
    with pytest.raises(gan_jax.InputError, match=r"intervals of \[2, 3\]"):
        linear_gan(penalties=[(PENALTIES["r1"], 1.0, 2), (PENALTIES["r2"], 1.0, 3)])
    with pytest.raises(gan_jax.InputError, match=r"interval of r1 is 2\.5"):
        linear_gan(penalties=[(PENALTIES["r1"], 1.0, 2.5)])
    with pytest.raises(gan_jax.InputError, match="two things under the name of_either"):
        linear_gan(penalties=[(of_either, 1.0, 2)], generator_penalties=[(of_either, 1.0, 2)])
    with pytest.raises(gan_jax.InputError, match="have the name path_length"):
        linear_gan(generator_penalties=[(PATH_LENGTH, 1.0), (path_length, 1.0)])
