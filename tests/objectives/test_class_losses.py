"""Every class loss against NumPy in float64, its gradients against finite differences."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.axis import mean_over
from gan_jax.objectives.class_losses import CLASS_LOSSES
from gan_jax.runtime.parallel import AXIS

CLASSES, BATCH, WIDTH = 3, 6, 4
LABELS = np.array([0, 2, 1, 2, 2, 0])
FAKE_LABELS = np.array([1, 1, 0, 2, 0, 1])
OUTPUTS = {
    "classifier": (CLASSES,),
    "twin_classifier": (2 * CLASSES,),
    "proxies": (2, WIDTH),
}
APART = [name for name, loss in CLASS_LOSSES.items() if not loss.couples]
COUPLED = [name for name, loss in CLASS_LOSSES.items() if loss.couples]


def logits(name, seed, rows=BATCH):
    outputs = OUTPUTS[CLASS_LOSSES[name].conditioning]
    return np.random.default_rng(seed).normal(size=(rows, *outputs)) * 3


# Of a batch of logits or of pairs, and its labels: the loss of row i.


def cross_entropy(logits, labels, i):
    return np.log(np.exp(logits[i]).sum()) - logits[i, labels[i]]


def hinge(logits, labels, i):
    wrong = max(logits[i, k] for k in range(CLASSES) if k != labels[i])
    return max(0, 1 + wrong - logits[i, labels[i]])


def cosine(a, b):
    return sum(a * b) / np.sqrt(sum(a * a) * sum(b * b))


def contrastive(pairs, labels, i):
    near = every = np.exp(cosine(*pairs[i]))
    for j in range(len(pairs)):
        if j != i:
            term = np.exp(cosine(pairs[i, 0], pairs[j, 0]))
            every += term
            near += term if labels[j] == labels[i] else 0
    return -np.log(near / every)


def data_to_data(pairs, labels, i):
    right = every = np.exp(min(cosine(*pairs[i]) - 0.98, 0) / 0.5)
    for j in range(len(pairs)):
        if labels[j] != labels[i]:
            every += np.exp(max(cosine(pairs[i, 0], pairs[j, 0]) - 0.02, 0) / 0.5)
    return -np.log(right / every)


# Of reals, fakes, their labels and a row: the discriminator's side, the generator's.
CASES = {
    "auxiliary": lambda x, g, y, c, i: (
        cross_entropy(x, y, i) + cross_entropy(g, c, i),
        cross_entropy(g, c, i),
    ),
    "discriminative": lambda x, g, y, c, i: (
        cross_entropy(x, y, i) + cross_entropy(g, c + CLASSES, i),
        cross_entropy(g, c, i) - cross_entropy(g, c + CLASSES, i),
    ),
    "multi_hinge": lambda x, g, y, c, i: (hinge(x, y, i), hinge(g, c, i)),
    "contrastive": lambda x, g, y, c, i: (contrastive(x, y, i), contrastive(g, c, i)),
    "data_to_data": lambda x, g, y, c, i: (data_to_data(x, y, i), data_to_data(g, c, i)),
}


def both_sides(name, real, fake):
    rows = [CASES[name](real, fake, LABELS, FAKE_LABELS, i) for i in range(BATCH)]
    return np.array(rows).T


def assert_close(found, expected, tolerance=1e-6):
    """Equal to `tolerance` of the largest value of the reference."""
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_every_class_loss_has_a_case():
    assert CLASS_LOSSES.keys() == CASES.keys()


@pytest.mark.parametrize("name", CLASS_LOSSES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_values(name, transform):
    loss, real, fake = CLASS_LOSSES[name], logits(name, 1), logits(name, 2)
    discriminator, generator = both_sides(name, real, fake)
    real, fake = jnp.float32(real), jnp.float32(fake)
    assert_close(transform(loss.discriminator)(real, fake, LABELS, FAKE_LABELS), discriminator)
    assert_close(transform(loss.generator)(fake, FAKE_LABELS), generator)


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_gradients_are_finite_differences(name):
    loss, real, fake = CLASS_LOSSES[name], logits(name, 1), logits(name, 2)
    sides = (
        (lambda x: loss.discriminator(x, fake, LABELS, FAKE_LABELS).sum(), real),
        (lambda x: loss.discriminator(real, x, LABELS, FAKE_LABELS).sum(), fake),
        (lambda x: loss.generator(x, FAKE_LABELS).sum(), fake),
    )
    with jax.enable_x64(True):
        for side, at in sides:
            steps = 1e-6 * np.eye(at.size).reshape(-1, *at.shape)
            values = jax.jit(jax.vmap(side))
            expected = (values(at + steps) - values(at - steps)) / 2e-6
            found = jax.jit(jax.grad(side))(at).reshape(-1)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_values_and_gradients_are_finite_even_far_out(name):
    loss = CLASS_LOSSES[name]

    @jax.jit
    def values_and_gradients(real, fake):
        values, pullback = jax.vjp(
            lambda real, fake: (
                loss.discriminator(real, fake, LABELS, FAKE_LABELS),
                loss.generator(fake, FAKE_LABELS),
            ),
            real,
            fake,
        )
        return values, pullback(jax.tree.map(jnp.ones_like, values))

    for scale in (0, 1e-20, 1e4, 1e30):
        real, fake = np.float32(scale * logits(name, 1)), np.float32(scale * logits(name, 2))
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(values_and_gradients(real, fake)))


@pytest.mark.parametrize("name", APART)
def test_a_row_never_sees_another(name):
    loss, real, fake = CLASS_LOSSES[name], logits(name, 1), logits(name, 2)
    assert loss.over(AXIS) is loss
    discriminator, generator = both_sides(name, real, fake)
    rows = [np.float32(real), np.float32(fake), LABELS, FAKE_LABELS]
    rows = [x[:, None] for x in rows]  # each a batch of one
    assert_close(jax.vmap(loss.discriminator)(*rows)[:, 0], discriminator)
    assert_close(jax.vmap(loss.generator)(rows[1], rows[3])[:, 0], generator)


@pytest.mark.parametrize("name", COUPLED)
@pytest.mark.parametrize("mapped", [lambda f, **axis: jax.jit(jax.vmap(f, **axis)), jax.pmap])
def test_rows_that_see_each_other_do_so_across_devices(name, mapped):
    """Values, and the gradient of the whole batch's mean, from four devices with two rows each."""
    loss, images = CLASS_LOSSES[name], logits(name, 3, rows=8)
    labels = np.array([1, 1, 0, 2, 0, 1, 2, 0])  # one class on the first device, two on the others
    images[7] = images[2]  # the same image on two devices
    weights = np.float32(np.random.default_rng(4).normal(size=(WIDTH, WIDTH)))

    def values_and_gradient(images, labels, axis_name=None):
        sides = loss.over(axis_name)

        def objective(weights):
            values = jnp.stack(
                [
                    sides.discriminator(images @ weights, None, labels, None),
                    sides.generator(images @ weights.T, labels),
                ]
            )
            return values.mean(), values

        gradient, values = jax.grad(objective, has_aux=True)(weights)
        return values, mean_over(gradient, axis_name)

    values, gradient = jax.jit(values_and_gradient)(np.float32(images), labels)
    spread, gradients = mapped(
        lambda images, labels: values_and_gradient(images, labels, AXIS), axis_name=AXIS
    )(np.float32(images).reshape(4, 2, 2, WIDTH), labels.reshape(4, 2))
    assert_close(np.concatenate(spread, axis=1), values)
    for one in gradients:
        assert_close(one, gradient, 1e-5)


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_conventions(name):
    loss = CLASS_LOSSES[name]
    more = ["axis_name"] if loss.couples else []
    for side, names in (
        ("discriminator", ["real", "fake", "labels", "fake_labels"]),
        ("generator", ["fake", "labels"]),
    ):
        assert list(inspect.signature(getattr(loss, side)).parameters) == names + more
