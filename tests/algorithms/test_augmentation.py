"""What happens to images before the discriminator: to all that it sees, and to the reals alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from linear import BATCH, bits, dense, draw, linear_gan, random_batch, same

import gan_jax
from gan_jax import rng
from gan_jax.models.activations import linear


@pytest.mark.parametrize(("bias", "direction"), [(50.0, 1), (-50.0, -1)])
def test_ada_moves_with_the_signs_of_the_reals(bias, direction, key):
    """Reals that all count as real move the probability up, by images / speed."""
    augment = gan_jax.augment.adaptive(images=BATCH, speed_images=100)
    gan = linear_gan("non_saturating", augment=augment)
    images, z, keys = draw(1)
    state = gan.init(key)
    assert float(state.controls["ada_probability"]) == 0
    (layer,) = state.discriminator.params
    params = {layer: state.discriminator.params[layer] | {"bias": jnp.array([bias])}}
    state = state.replace(
        discriminator=state.discriminator.replace(params=params),
        controls={"ada_probability": jnp.float32(0.5)},
    )
    new, metrics = gan.update_discriminator(state, images, z, keys=keys)
    expected = 0.5 + direction * BATCH / 100
    np.testing.assert_allclose(new.controls["ada_probability"], expected, rtol=1e-6)
    assert metrics["ada_probability"] == new.controls["ada_probability"]


def test_a_schedule_reads_the_step(key):
    """Its function sees the updates so far, in both halves of each."""
    images, z, keys = draw(1)
    by_step = gan_jax.OfStep(lambda images, keys, step: images * (1.0 + step))
    scheduled, doubled = (
        linear_gan(augment=augment) for augment in (by_step, lambda images, keys: 2 * images)
    )
    state = scheduled.init(key).replace(step=jnp.int32(1))
    for half in ("update_discriminator", "update_generator"):
        found, _ = getattr(scheduled, half)(state, images, z, keys=keys)
        expected, _ = getattr(doubled, half)(state, images, z, keys=keys)
        assert same(found, expected), half


@pytest.mark.parametrize(("reals", "overfits"), [(BATCH, True), (200 * BATCH, False)])
def test_ada_moves_up_when_the_discriminator_overfits(reals, overfits, key):
    """Reals and fakes have one distribution: who tells them apart knows the few reals by heart."""
    shape, steps = (8, 8, 1), 200
    gan = linear_gan(
        "non_saturating",
        generator=gan_jax.mlp.MLPGenerator(shape, widths=(), output=linear),
        generator_optimizer=optax.sgd(0.0),
        penalties=(),
        image_shape=shape,
        latent_dim=64,
        augment=gan_jax.augment.adaptive(("blit",), images=BATCH, speed_images=steps * BATCH),
    )
    z = np.random.default_rng(0).normal(size=(reals, 64))
    state = gan.init(key)
    kernel, bias = dense(state.generator.params)
    images = np.float32(z @ kernel + bias).reshape(-1, 1, BATCH, *shape)
    for step in range(steps):
        batch = {"image": images[step % len(images)], "index": np.arange(BATCH)[None]}
        state, metrics = gan.update(state, batch)
    assert (metrics["ada_probability"] > 0.1) == overfits


def test_augmentation_is_inside_what_the_penalty_differentiates(key):
    """D(2 x) has twice the gradient by x: R1 becomes four times |w|^2 / 2."""
    gan = linear_gan(augment=lambda images, keys: 2 * images)
    state = gan.init(key)
    images, z, keys = draw(5)
    _, metrics = gan.update_discriminator(state, jnp.float32(images), jnp.float32(z), keys=keys)
    w, b = dense(state.discriminator.params)
    np.testing.assert_allclose(metrics["r1"], 2 * np.square(w).sum(), rtol=1e-6)
    expected = (2 * images.reshape(BATCH, -1) @ w + b).mean()
    np.testing.assert_allclose(metrics["real_logits"], expected, atol=1e-6)


def test_every_pass_of_a_row_sees_it_through_the_same_augmentation(key):
    """Each row is scaled by a draw of its own: R1 and R2 are then the mean squared scale's."""
    scales = []

    def augment(images, keys):
        scale = 1 + rng.normal(keys, ())
        jax.debug.callback(lambda scale: scales.append(np.asarray(scale)), scale)
        return images * scale[:, None, None, None]

    gan = linear_gan(augment=augment)
    state = gan.init(key)
    images, z, keys = draw(5)
    _, metrics = gan.update_discriminator(state, jnp.float32(images), jnp.float32(z), keys=keys)
    jax.effects_barrier()
    for scale in scales[1:]:
        np.testing.assert_array_equal(scale, scales[0])
    w, _ = dense(state.discriminator.params)
    expected = 0.5 * np.square(np.float64(scales[0])).mean() * np.square(w).sum()
    np.testing.assert_allclose([metrics["r1"], metrics["r2"]], expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_the_data_s_augmentation_is_of_reals_alone(loss, key):
    """An update is that of reals which were augmented before; fakes stay as they are."""

    def shade(images, keys):
        return images * rng.normal(keys, ())[:, None, None, None]

    gan, plain = linear_gan(loss, augment_data=shade), linear_gan(loss)
    state, batch = gan.init(key), random_batch(gan, 3)
    names = ["discriminator", "generator"]
    keys = [
        rng.keys_for(rng.key_for(state.key, name, state.step), index)
        for name, index in zip(names, batch["index"], strict=False)
    ]
    shaded = [
        shade(images, rng.substream(keys, "data"))
        for images, keys in zip(batch["image"], keys, strict=False)
    ]
    expected, _ = plain.update(state, batch | {"image": jnp.stack(shaded)})
    found, _ = gan.update(state, batch)
    for a, b in zip(jax.tree.leaves(bits(found)), jax.tree.leaves(bits(expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert not same(found, plain.update(state, batch)[0])
