"""A discriminator that judges pixels too: what both networks then minimize, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from runs import quick_jit

import gan_jax
from gan_jax import rng
from gan_jax.models.activations import linear
from gan_jax.objectives.losses import LOSSES

BATCH, SHAPE, RATE = 8, (2, 3, 1), 0.1
RANDOM = np.random.default_rng(0)
IMAGES = jnp.float32(RANDOM.uniform(-1, 1, (BATCH, *SHAPE)))
Z = jnp.float32(RANDOM.normal(size=(BATCH, 4)))
KEYS = jax.random.split(jax.random.key(0), BATCH)
GENERATOR = gan_jax.mlp.MLPGenerator(SHAPE, widths=(), output=linear)


class Discriminator(nn.Module):
    """Linear in the image; each pixel by its value and a factor of its place."""

    pixels: bool = True

    @nn.compact
    def __call__(self, images, labels=None, *, train, keys=None):
        logits = nn.Dense(1)(images.reshape(len(images), -1))[:, 0]
        factors = self.param("factors", nn.initializers.normal(1.0), SHAPE[:2])
        pixel_logits = images[..., 0] * factors + 0.3
        return gan_jax.Outputs(logits, images, pixel_logits=pixel_logits if self.pixels else None)


def build(loss, **options):
    return gan_jax.gan(
        generator=GENERATOR,
        discriminator=options.pop("discriminator", Discriminator()),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
        loss=LOSSES[loss],
        image_shape=SHAPE,
        latent_dim=4,
        **options,
    )


def outputs(params, images):
    return Discriminator().apply({"params": params}, images, train=True)


def fakes(params):
    return GENERATOR.apply({"params": params}, Z, train=True)


def written_out(side, *judged):
    """The loss (B,) of images, and the mean of that of the pixels at each place."""
    height, width, _ = SHAPE
    places = [(i, j) for i in range(height) for j in range(width)]
    of_pixels = [side(*(o.pixel_logits[:, i, j] for o in judged)) for i, j in places]
    return side(*(o.logits for o in judged)) + sum(of_pixels) / len(places)


def assert_descended(params, value, gradient, new, metric):
    np.testing.assert_allclose(metric, value, rtol=1e-5)
    expected = jax.tree.map(lambda p, g: p - RATE * g, params, gradient)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), new, expected)
    assert optax.tree.norm(gradient) > 1e-2


@pytest.mark.parametrize("name", LOSSES)
def test_both_networks_descend_the_sum(name, key):
    gan, loss = build(name), LOSSES[name]
    state = quick_jit(gan.init)(key)
    d, g = state.discriminator.params, state.generator.params

    def of_discriminator(params):
        real, fake = outputs(params, IMAGES), outputs(params, fakes(g))
        return written_out(loss.discriminator, real, fake).mean()

    def of_generator(params):
        fake, real = outputs(d, fakes(params)), outputs(d, IMAGES)
        return written_out(loss.generator, fake, real).mean()

    new, metrics = quick_jit(gan.update_discriminator)(state, IMAGES, Z, keys=KEYS)
    found = new.discriminator.params, metrics["discriminator_loss"]
    assert_descended(d, *quick_jit(jax.value_and_grad(of_discriminator))(d), *found)
    new, metrics = quick_jit(gan.update_generator)(state, IMAGES, Z, keys=KEYS)
    found = new.generator.params, metrics["generator_loss"]
    assert_descended(g, *quick_jit(jax.value_and_grad(of_generator))(g), *found)


def test_the_best_fakes_are_chosen_by_images_and_judged_by_pixels_too(key):
    gan, loss = build("non_saturating", top_k=0.5), LOSSES["non_saturating"]
    state = quick_jit(gan.init)(key)
    fake = outputs(state.discriminator.params, fakes(state.generator.params))
    best = np.argsort(fake.logits)[BATCH // 2 :]
    _, metrics = quick_jit(gan.update_generator)(state, None, Z, keys=KEYS)
    expected = written_out(lambda x: loss.generator(x, None), fake)[best].mean()
    np.testing.assert_allclose(metrics["generator_loss"], expected, rtol=1e-5)


def test_penalties_and_what_is_told_see_images_alone(key):
    penalties = [(gan_jax.penalties.r1, 1.0)]
    with_pixels = build("hinge", penalties=penalties)
    without = build("hinge", penalties=penalties, discriminator=Discriminator(pixels=False))
    state = quick_jit(with_pixels.init)(key)
    found, expected = (
        quick_jit(gan.update_discriminator)(state, IMAGES, Z, keys=KEYS)[1]
        for gan in (with_pixels, without)
    )
    assert found.pop("discriminator_loss") != expected.pop("discriminator_loss")
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert {"r1", "real_logits", "real_signs"} <= found.keys()


def test_mixtures_join_the_sum_with_their_weight(key):
    cutmix = gan_jax.penalties.PENALTIES["cutmix"]
    with_them, without = build("hinge", penalties=[(cutmix, 0.7)]), build("hinge")
    state = quick_jit(with_them.init)(key)
    new, metrics = quick_jit(with_them.update_discriminator)(state, IMAGES, Z, keys=KEYS)
    plain, _ = quick_jit(without.update_discriminator)(state, IMAGES, Z, keys=KEYS)
    drawn = rng.substream(KEYS, "penalty/cutmix")

    def penalty(params):
        images = fakes(state.generator.params)
        return cutmix.function(lambda x: outputs(params, x), IMAGES, images, drawn).mean()

    value, gradient = quick_jit(jax.value_and_grad(penalty))(state.discriminator.params)
    np.testing.assert_allclose(metrics["cutmix"], value, rtol=1e-5)
    expected = jax.tree.map(lambda p, g: p - 0.7 * RATE * g, plain.discriminator.params, gradient)
    found = new.discriminator.params
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)
    assert optax.tree.norm(gradient) > 1e-2


def test_mixtures_need_a_discriminator_that_judges_pixels(key):
    penalties = [(gan_jax.penalties.PENALTIES["cutmix"], 1.0)]
    with pytest.raises(gan_jax.InputError, match="judges pixels"):
        build("hinge", penalties=penalties, discriminator=Discriminator(pixels=False)).init(key)


@pytest.mark.parametrize("name", ["hinge", "relativistic", "relativistic_average"])
def test_devices_share_a_batch(name, key):
    penalties = [(gan_jax.penalties.PENALTIES["cutmix"], 2.0)]
    alone, shared = (build(name, penalties=penalties, axis_name=axis) for axis in (None, "devices"))
    state, rows = quick_jit(alone.init)(key), (IMAGES, Z, KEYS)
    split = jax.tree.map(lambda x: x.reshape(4, -1, *x.shape[1:]), rows)
    for half in ("update_discriminator", "update_generator"):
        one, over = (getattr(gan, half) for gan in (alone, shared))

        def run(state, images, z, keys, step=one):
            return step(state, images, z, keys=keys)[0]

        def part(state, images, z, keys, step=over):
            return step(state, images, z, keys=keys)[0]

        four = jax.vmap(part, in_axes=(None, 0, 0, 0), out_axes=None, axis_name="devices")
        a, b = quick_jit(run)(state, *rows), quick_jit(four)(state, *split)
        for x, y in ((a.generator, b.generator), (a.discriminator, b.discriminator)):
            jax.tree.map(
                lambda p, q: np.testing.assert_allclose(p, q, atol=1e-6), x.params, y.params
            )
