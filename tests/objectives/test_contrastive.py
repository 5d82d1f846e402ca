"""Losses on embeddings where a batch is odd: of one row, of one class, of vectors of no length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives import class_losses
from gan_jax.objectives.contrastive import conditional_contrastive, data_to_data_cross_entropy

LABELS = np.array([1, 0, 1, 2, 0])
LOSSES = {
    "contrastive": jax.jit(class_losses.CONTRASTIVE.generator),
    "data_to_data": jax.jit(class_losses.DATA_TO_DATA.generator),
}


def pairs(rows=5, width=3):
    return np.random.default_rng(0).normal(size=(rows, 2, width))


def no_length(x):
    x = x.copy()
    x[0, 0] = x[1, 1] = x[3] = 0  # an image, a proxy, both
    return x


BATCHES = {
    "any": (pairs(), LABELS),
    "one row": (pairs(1), LABELS[:1]),
    "one class": (pairs(), 0 * LABELS),
    "no two of a class": (pairs(), np.arange(5)),
    "the same image again": (np.repeat(pairs(1), 5, axis=0), LABELS),
    "no length": (no_length(pairs()), LABELS),
    "nothing but zeros": (0 * pairs(), LABELS),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("batch", BATCHES)
def test_first_and_second_gradients_are_finite(name, batch):
    x, labels = BATCHES[batch]

    def total(x, labels):
        return LOSSES[name](x, labels).sum()

    derivatives = jax.jit(lambda *a: (total(*a), jax.grad(total)(*a), jax.hessian(total)(*a)))
    assert all(np.isfinite(x).all() for x in derivatives(np.float32(x), labels))


@pytest.mark.parametrize("name", LOSSES)
def test_second_gradients_are_finite_differences(name):
    x, labels = BATCHES["any"]
    with jax.enable_x64(True):
        gradient = jax.grad(lambda x: LOSSES[name](x, labels).sum())
        gradients = jax.jit(jax.vmap(gradient))
        steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)
        expected = (gradients(x + steps) - gradients(x - steps)) / 2e-5
        found = jax.jit(jax.jacobian(gradient))(x).reshape(-1, *x.shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("batch", ["one row", "one class"])
def test_without_another_class_there_is_nothing_to_learn(name, batch):
    x, labels = BATCHES[batch]
    function = jax.jit(jax.value_and_grad(lambda x: LOSSES[name](x, labels).sum()))
    value, gradient = function(np.float32(x))
    np.testing.assert_allclose(value, 0, atol=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_without_another_image_of_its_class_an_image_has_its_proxy_alone():
    x, labels = BATCHES["no two of a class"]
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    near = np.exp((unit[:, 0] * unit[:, 1]).sum(-1))
    others = np.exp(unit[:, 0] @ unit[:, 0].T).sum(-1) - np.e  # without the image itself
    found = LOSSES["contrastive"](jnp.float32(x), labels)
    np.testing.assert_allclose(found, -np.log(near / (near + others)), rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_lengths_do_not_matter(name):
    x, labels = BATCHES["any"]
    lengths = 10.0 ** np.array([[-8, 0], [0, 30], [30, -3], [2, 5], [-8, 30]])
    found = LOSSES[name](jnp.float32(x * lengths[..., None]), labels)
    np.testing.assert_allclose(found, LOSSES[name](jnp.float32(x), labels), rtol=2e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_no_length_is_at_a_right_angle_to_all(name):
    """So that a cosine is 0 instead of undefined."""
    x = np.zeros((2, 2, 3))
    found = LOSSES[name](jnp.float32(x), np.array([0, 1]))
    by_hand = {"contrastive": np.log(2), "data_to_data": np.log(1 + np.exp(0.98 / 0.5))}
    np.testing.assert_allclose(found, by_hand[name], rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_small_temperature_does_not_overflow(name):
    x, labels = BATCHES["any"]
    function = getattr(class_losses, name)(temperature=1e-4).generator
    value, gradient = jax.value_and_grad(lambda x: function(x, labels).mean())(jnp.float32(x))
    assert value > 100
    assert np.isfinite(gradient).all()


def test_what_is_near_or_far_enough_has_no_gradient():
    """Three classes at right angles, each image beside its proxy: log(1 + |N(i)|) and flat."""
    images = np.eye(3)[LABELS] + 0.01 * np.eye(3)[(LABELS + 1) % 3]
    x = jnp.float32(np.stack([images, np.eye(3)[LABELS]], axis=1))
    values, pullback = jax.vjp(lambda x: LOSSES["data_to_data"](x, LABELS), x)
    np.testing.assert_allclose(values, np.log([1 + sum(y != LABELS) for y in LABELS]), rtol=1e-6)
    np.testing.assert_array_equal(pullback(jnp.ones_like(values))[0], 0)


def test_the_constants_of_cifar10():
    x, labels = jnp.float32(BATCHES["any"][0]), LABELS
    np.testing.assert_array_equal(
        class_losses.CONTRASTIVE.generator(x, labels),
        conditional_contrastive(x, labels, temperature=1.0),
    )
    expected = data_to_data_cross_entropy(
        x, labels, temperature=0.5, positive_margin=0.98, negative_margin=0.02
    )
    np.testing.assert_allclose(class_losses.DATA_TO_DATA.generator(x, labels), expected, rtol=1e-6)


def test_variants_have_their_own_constants():
    """Against the sums written out."""
    x, labels = BATCHES["any"]
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    to_proxy, to_images = (unit[:, 0] * unit[:, 1]).sum(-1), unit[:, 0] @ unit[:, 0].T
    alike, itself = labels[:, None] == labels, np.eye(5, dtype=bool)

    near, terms = np.exp(to_proxy / 0.2), np.exp(to_images / 0.2)
    expected = np.log(near + (terms * ~itself).sum(1)) - np.log(
        near + (terms * (alike & ~itself)).sum(1)
    )
    found = class_losses.contrastive(temperature=0.2).generator(jnp.float32(x), labels)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * expected.max())

    for options, far in (({}, 0.3), ({"negative_margin": 0.1}, 0.1)):
        right = np.exp(np.minimum(to_proxy - 0.7, 0) / 0.2)
        wrong = (np.exp(np.maximum(to_images - far, 0) / 0.2) * ~alike).sum(1)
        loss = class_losses.data_to_data(temperature=0.2, positive_margin=0.7, **options)
        expected = -np.log(right / (right + wrong))
        found = loss.generator(jnp.float32(x), labels)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * expected.max())
