"""Training the reference classifier in memory; and, marked slow, how good it gets on digits."""

import dataclasses
import time

import jax
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.data.images import to_unit_range
from gan_jax.data.plan import IndexPlan
from gan_jax.data.source import ArraySource
from gan_jax.data.sources import load
from gan_jax.errors import Diverged, InputError
from gan_jax.reference_classifier import ClassifierSettings, accuracy, build, train_classifier

QUICK = ClassifierSettings(
    steps=25,
    batch_size=36,  # which four of the eight devices share
    half_life=300.0,
    ramp=1.0,
    scale=0.0,
    rotate=0.0,
    crop=0,
    learning_rate=1e-2,
    widths=(8,),
    features=16,
)


def bars(count=96, size=8):
    """Bright bars on noise, whose place is their class."""
    random = np.random.default_rng(0)
    labels = np.arange(count, dtype=np.int32) % 3
    images = random.integers(0, 100, (count, size, size, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 1 + 2 * label : 3 + 2 * label] = 255
    return ArraySource(
        name="bars",
        split="train",
        fingerprint="",
        class_names=("left", "middle", "right"),
        images=images,
        labels=labels,
    )


@pytest.fixture(scope="module")
def trained():
    """Weights of a few steps, and what was told of them."""
    told = []
    weights = train_classifier(bars(), QUICK, 0, on_progress=lambda *call: told.append(call))
    return weights, told


def test_it_learns_in_a_few_steps(trained):
    weights, told = trained
    assert [step for step, _ in told] == list(range(1, QUICK.steps + 1))
    assert told[-1][1].keys() == {"loss", "accuracy"}
    assert told[-1][1]["loss"] < told[0][1]["loss"]
    functions = build(QUICK, (8, 8, 1), 3)
    assert accuracy(functions, weights, bars(), batch_size=96) > 0.9
    assert accuracy(functions, weights, bars(20), batch_size=7) > 0.9
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(weights))


def test_it_is_the_average_of_that_many_updates(trained):
    """By hand, on one device."""
    weights, _ = trained
    functions, source = build(QUICK, (8, 8, 1), 3), bars()
    update = quick_jit(functions.update)
    state = quick_jit(functions.init)(jax.random.key(0))
    plan, index = IndexPlan(0, len(source)), np.arange(QUICK.batch_size, dtype=np.int32)
    for step in range(QUICK.steps):
        read = source.read(plan(QUICK.batch_size * step + index))
        batch = {"image": to_unit_range(read["image"]), "label": read["label"], "index": index}
        state, _ = update(state, jax.tree.map(lambda x: x[None], batch))

    def distance(tree):
        apart = jax.tree.map(lambda a, b: np.abs(a - b).max(), weights, tree)
        return max(jax.tree.leaves(apart))

    assert distance(state.ema) < 1e-3  # Adam makes much of the order of sums
    assert distance(state.classifier.weights) > 5e-3


def test_accuracy_counts_each_example_once(trained):
    """Also the last one, which fills up a batch; the first has a wrong label."""
    weights, _ = trained
    functions, source = build(QUICK, (8, 8, 1), 3), bars(20)
    noise = np.random.default_rng(1).integers(0, 256, source.images.shape, dtype=np.uint8)
    source = dataclasses.replace(source, images=noise)  # which the range of pixels decides on
    logits = quick_jit(functions.classify)(weights, to_unit_range(source.images)).logits
    told = np.array(logits.argmax(-1), np.int32)
    told[0] = (told[0] + 1) % 3
    source = dataclasses.replace(source, labels=told)
    for batch_size in (7, 20):
        assert accuracy(functions, weights, source, batch_size=batch_size) == 19 / 20


def test_a_seed_gives_the_same_weights_bit_for_bit(trained):
    first, _ = trained
    again, other = (train_classifier(bars(), QUICK, seed) for seed in (0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    differences = jax.tree.map(lambda a, b: np.abs(a - b).max(), first, other)
    assert min(jax.tree.leaves(differences)) > 0


def test_settings_reach_what_they_are_for():
    assert ClassifierSettings().flip == 0, "a mirrored digit is none"
    settings = QUICK._replace(rotate=15.0, noise=0.5)
    assert settings.strengths == {"rotate": 15.0, "noise": 0.5}
    state = jax.eval_shape(build(settings, (8, 8, 1), 3).init, jax.random.key(0))
    params = state.ema["params"]
    assert params["Conv_0"]["kernel"].shape == (3, 3, 1, 8)
    assert params["Dense_0"]["kernel"].shape == (4 * 4 * 8, 16)


def test_the_rate_rises_and_falls_to_nothing(key):
    """By how far each update moves the weights: the first and what comes after the last do not."""
    settings = QUICK._replace(steps=20, batch_size=8, widths=(2,), features=4)
    functions, source = build(settings, (8, 8, 1), 3), bars(8)
    images, labels = to_unit_range(source.images[None]), source.labels[None]
    batch = {"image": images, "label": labels, "index": np.arange(8, dtype=np.int32)[None]}
    update, state, moved = quick_jit(functions.update), quick_jit(functions.init)(key), []
    for _ in range(settings.steps + 1):
        new, _ = update(state, batch)
        before, after = (np.asarray(s.classifier.params["Dense_1"]["kernel"]) for s in (state, new))
        moved.append(np.abs(after - before).max())
        state = new
    assert moved[0] == moved[-1] == 0
    assert moved[1] > 2 * moved[-2] > 0
    assert max(moved) < 2 * settings.learning_rate


def test_what_cannot_be_is_refused():
    unlabelled = dataclasses.replace(bars(), labels=None, class_names=())
    with pytest.raises(InputError, match="bars has no classes"):
        train_classifier(unlabelled, QUICK, 0)
    with pytest.raises(InputError, match="steps is 0"):
        train_classifier(bars(), QUICK._replace(steps=0), 0)


def test_a_loss_that_is_not_finite_is_said():
    """As it is of labels that no class has, with which optax's cross entropy is NaN."""
    wrong = dataclasses.replace(bars(), labels=bars().labels + 3)
    with pytest.raises(Diverged, match="not finite at step 1"):
        train_classifier(wrong, QUICK, 0)


@pytest.mark.slow
def test_digits():
    """Three seeds on 4,000 digits, measured on the other 1,000."""
    settings = ClassifierSettings()
    functions, test = build(settings, (28, 28, 1), 10), load("mnist_5k", "test")
    found = []
    for seed in range(3):
        start = time.monotonic()
        weights = train_classifier(load("mnist_5k"), settings, seed)
        found.append(accuracy(functions, weights, test))
        print(f"seed {seed}: {found[-1]:.4f} in {time.monotonic() - start:.0f} s")
    assert np.mean(found) >= 0.985
