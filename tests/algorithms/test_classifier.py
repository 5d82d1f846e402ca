"""One update of a linear classifier against its gradient written out, and what it may depend on."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from linear import dense, same
from runs import quick_jit

from gan_jax import rng
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.algorithms.classifier import Classifier, classifier, cross_entropy
from gan_jax.data.loader import Loader, decode
from gan_jax.data.plan import IndexPlan
from gan_jax.data.source import ArraySource
from gan_jax.errors import InputError
from gan_jax.models.classifier import ConvClassifier
from gan_jax.nn.batch_norm import BatchNorm
from gan_jax.objectives import augment
from gan_jax.runtime import parallel

SHAPE, CLASSES, ROWS, RATE, STEPS = (6, 6, 1), 3, 16, 0.3, 6
_RANDOM = np.random.default_rng(0)
SOURCE = ArraySource(
    name="random",
    split="train",
    fingerprint="",
    class_names=("a", "b", "c"),
    images=_RANDOM.integers(0, 256, (70, *SHAPE), dtype=np.uint8),
    labels=_RANDOM.integers(0, CLASSES, 70, dtype=np.int32),
)


class Told(NamedTuple):
    logits: jax.Array


class Linear(nn.Module):
    """x W + b; with `normalize`, of what batch normalization makes of x."""

    normalize: bool = False

    @nn.compact
    def __call__(self, images, labels=None, *, train, keys=None):
        assert labels is None, "a classifier must not be told the label"
        x = images.reshape(images.shape[0], -1)
        if self.normalize:
            x = BatchNorm(None)(x, None, train=train)
        return Told(nn.Dense(CLASSES)(x))


class Noisy(nn.Module):
    """Noise by row, as dropout draws it, a convolution and a linear layer."""

    @nn.compact
    def __call__(self, images, labels=None, *, train, keys=None):
        x = images
        if train:
            x = x + rng.normal(keys, x.shape[1:])
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        return Told(nn.Dense(CLASSES)(x.reshape(x.shape[0], -1)))


def build(network=None, **overrides):
    options = {
        "network": network or Linear(),
        "optimizer": optax.sgd(RATE),
        "image_shape": SHAPE,
        "num_classes": CLASSES,
        "ema": 0.75,
    }
    return classifier(**options | overrides)


def batch(rows=ROWS):
    return {
        "image": jnp.asarray(SOURCE.images[None, :rows], jnp.float32) / 127.5 - 1,
        "label": jnp.asarray(SOURCE.labels[None, :rows]),
        "index": jnp.arange(rows, dtype=jnp.int32)[None],
    }


# ---- one update ----------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_an_update_is_the_gradient_written_out(smoothing, key):
    functions, fed = build(label_smoothing=smoothing), batch()
    state = quick_jit(functions.init)(key)
    new, metrics = quick_jit(functions.update)(state, fed)

    x = np.float64(fed["image"][0]).reshape(ROWS, -1)
    labels = np.asarray(fed["label"][0])
    w, b = dense(state.classifier.params)
    odds = np.exp(x @ w + b)
    p = odds / odds.sum(1, keepdims=True)
    targets = (1 - smoothing) * np.eye(CLASSES)[labels] + smoothing / CLASSES
    by_logits = (p - targets) / ROWS

    new_w, new_b = dense(new.classifier.params)
    np.testing.assert_allclose(new_w, w - RATE * x.T @ by_logits, rtol=0, atol=1e-6)
    np.testing.assert_allclose(new_b, b - RATE * by_logits.sum(0), rtol=0, atol=1e-6)
    average_w, _ = dense(new.ema["params"])
    np.testing.assert_allclose(average_w, 0.75 * w + 0.25 * new_w, rtol=0, atol=1e-6)
    loss = -(targets * np.log(p)).sum(1).mean()
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(metrics["accuracy"], (p.argmax(1) == labels).mean(), rtol=1e-6)
    assert int(new.step) == 1
    assert same(new.key, state.key)


def test_the_loss_is_optaxs_of_smoothed_labels():
    logits = jnp.asarray(_RANDOM.normal(size=(9, CLASSES)) * 5, jnp.float32)
    labels = jnp.arange(9) % CLASSES
    for smoothing in (0.0, 0.3):
        targets = optax.smooth_labels(np.eye(CLASSES)[labels], smoothing)
        expected = optax.softmax_cross_entropy(logits, targets)
        found = quick_jit(cross_entropy, static_argnums=2)(logits, labels, smoothing)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_it_classifies_with_the_weights_it_is_given(key):
    functions = build()
    state, _ = quick_jit(functions.update)(quick_jit(functions.init)(key), batch())
    images = batch()["image"][0]
    for weights in (state.ema, state.classifier.weights):
        w, b = dense(weights["params"])
        expected = np.float64(images).reshape(ROWS, -1) @ w + b
        np.testing.assert_allclose(functions.classify(weights, images).logits, expected, atol=1e-5)


def test_batch_statistics_are_averaged_and_classify_each_image_by_itself(key):
    functions = build(Linear(normalize=True))
    state = quick_jit(functions.init)(key)
    new, _ = quick_jit(functions.update)(state, batch())
    assert not same(new.classifier.variables, state.classifier.variables)
    moved = jax.tree.map(
        lambda a, b: 0.75 * a + 0.25 * b, state.classifier.weights, new.classifier.weights
    )
    for a, b in zip(jax.tree.leaves(new.ema), jax.tree.leaves(moved), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    images = batch()["image"][0]
    all_of_them = functions.classify(new.ema, images).logits
    np.testing.assert_allclose(
        functions.classify(new.ema, images[:2]).logits, all_of_them[:2], atol=1e-5
    )


def test_the_average_may_follow_the_step(key):
    functions = build(ema=lambda step: jnp.where(step < 1, 0.0, 1.0))
    update, state = quick_jit(functions.update), quick_jit(functions.init)(key)
    first, _ = update(state, batch())
    second, _ = update(first, batch())
    assert largest_difference(first.ema, first.classifier.weights) < 1e-7
    assert largest_difference(second.ema, first.ema) < 1e-7
    assert largest_difference(second.classifier.params, first.classifier.params) > 1e-3


# ---- draws ---------------------------------------------------------------------------------------


def test_what_it_learns_from_is_augmented_by_row_and_step(key):
    """The keys that augmentation is given, noted down."""
    given = []

    def note(images, keys):
        jax.debug.callback(lambda words: given.append(np.asarray(words)), jax.random.key_data(keys))
        return images

    functions = build(augment=note)
    fed, state, update = batch(), quick_jit(functions.init)(key), quick_jit(functions.update)
    later_state = state.replace(step=jnp.int32(1))
    for args in ((state, fed), (later_state, fed), (state, fed | {"index": fed["index"][:, ::-1]})):
        jax.block_until_ready(update(*args))
        jax.effects_barrier()
    first, later, turned = given
    assert len(np.unique(np.concatenate([first, later]), axis=0)) == 2 * ROWS
    np.testing.assert_array_equal(turned, first[::-1])


def test_augmentation_is_of_the_images_that_it_learns_from(key):
    functions = build(augment=lambda images, keys: images * 0)
    state = quick_jit(functions.init)(key)
    new, _ = quick_jit(functions.update)(state, batch())
    np.testing.assert_array_equal(
        dense(new.classifier.params)[0], dense(state.classifier.params)[0]
    )


# ---- runs ----------------------------------------------------------------------------------------


AUGMENT = functools.partial(augment.plain, strengths={"noise": 0.1})


@functools.cache
def run(count):
    """Trains on `count` devices; returns the state as it lies there, and the metrics."""
    devices = jax.devices()[:count]
    functions = build(Noisy(), augment=AUGMENT, axis_name=parallel.AXIS)
    call = parallel.pmapped(parallel.several_steps(functions.update, decode), devices)
    state = parallel.replicate(quick_jit(functions.init)(jax.random.key(0)), devices)
    resident = parallel.replicate({"image": SOURCE.images, "label": SOURCE.labels}, devices)
    plan = IndexPlan(0, len(SOURCE))
    feed = Loader(SOURCE, plan, minibatches=1, batch_size=ROWS, local_devices=count)
    for step in range(STEPS):
        state, metrics = call(state, resident, parallel.shard(feed(step, 1), devices))
    return state, metrics


def largest_difference(a, b):
    differences = jax.tree.map(lambda x, y: np.abs(np.asarray(x) - np.asarray(y)).max(), a, b)
    return max(jax.tree.leaves(differences))


def test_devices_change_nothing_but_the_order_of_sums():
    (one, one_metrics), (four, four_metrics) = run(1), run(4)
    largest = max(np.abs(x).max() for x in jax.tree.leaves(one.classifier.params))
    for part in ("classifier", "ema"):
        assert largest_difference(getattr(one, part), getattr(four, part)) < 1e-5 * largest
    assert largest_difference(one_metrics, four_metrics) < 1e-5
    first = quick_jit(build(Noisy()).init)(jax.random.key(0)).classifier.params
    assert largest_difference(one.classifier.params, first) > 1e-2


def test_every_device_has_the_same_state_bit_for_bit():
    state, _ = run(4)
    for leaf in jax.tree.leaves(state.replace(key=jax.random.key_data(state.key))):
        copies = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(copies) == 4
        for copy in copies[1:]:
            np.testing.assert_array_equal(copy, copies[0])


def test_a_tiny_set_is_learned_by_heart(key):
    functions = build(ConvClassifier(CLASSES, widths=(8,), features=16), optimizer=optax.adam(1e-2))
    update, state = quick_jit(functions.update), quick_jit(functions.init)(key)
    state, first = update(state, batch())
    for _ in range(100):
        state, last = update(state, batch())
    assert float(first["loss"]) > 0.5
    assert float(last["loss"]) < 0.05
    assert float(last["accuracy"]) == 1


# ---- what is refused -----------------------------------------------------------------------------


def test_it_is_an_algorithm_that_samples_nothing(key):
    functions = build()
    assert set(Algorithm._fields) - set(Classifier._fields) == {"sample", "diagnose", "standing"}
    algorithm = functions.algorithm
    assert isinstance(algorithm, Algorithm)
    assert (algorithm.init, algorithm.update) == (functions.init, functions.update)
    assert algorithm.minibatches == 1
    with pytest.raises(InputError, match="no images"):
        algorithm.sample({}, key, 4)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"num_classes": 1}, "num_classes is 1"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, match):
    with pytest.raises(InputError, match=match):
        build(**wrong)


def test_a_network_for_other_classes_is_refused(key):
    with pytest.raises(InputError, match="3 classes apart; the data have 4"):
        jax.eval_shape(build(num_classes=4).init, key)
