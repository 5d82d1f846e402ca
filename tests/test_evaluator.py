"""What figures are held beside, and what they depend on: points in the plane, without a run."""

import dataclasses
import re

import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.data.source import ArraySource
from gan_jax.evaluator import Evaluator
from gan_jax.extraction import chosen
from gan_jax.metrics.extractors import pixels


def points(seed, number, labels=None):
    images = np.random.default_rng(seed).normal(size=(number, 1, 1, 2)).astype(np.float32)
    names = () if labels is None else ("a", "b")
    return ArraySource(
        name="points",
        split="train" if seed == 0 else "test",
        fingerprint=f"f{seed}",
        class_names=names,
        images=images,
        labels=labels,
    )


def evaluator(train, held_out, num_classes=None, **options):
    return Evaluator(pixels(), train, held_out, num_classes, **options)


def features(source):
    return source.images[:, 0, 0]


def test_the_floor_is_of_as_many_reals_as_there_are_fakes():
    train, held_out = points(0, 300), points(1, 200)
    few = evaluator(train, held_out, num_samples=50)
    assert few.protocol["floor_samples"] == few.protocol["samples"] == 50
    whole = evaluator(train, held_out)
    assert whole.protocol["samples"] == 200
    expected = metrics.frechet_distance(features(train), features(held_out))
    assert whole.floor["fd_pixels"] == pytest.approx(expected)
    assert few.floor["fd_pixels"] != whole.floor["fd_pixels"]


def test_without_other_reals_one_half_is_held_beside_the_other():
    train = points(0, 301)
    halves = evaluator(train, None)
    assert (halves.protocol["reals"], halves.protocol["floor_samples"]) == (151, 150)
    assert halves.protocol["split"] == halves.protocol["held_out"] == "half of train"
    order = np.random.Generator(np.random.PCG64(0)).permutation(301)
    expected = metrics.frechet_distance(
        *(features(train)[rows] for rows in (order[:151], order[151:]))
    )
    assert halves.floor["fd_pixels"] == pytest.approx(expected)


def test_other_held_out_reals_are_another_protocol(monkeypatch):
    train, held_out = points(0, 300), points(1, 200)
    other = dataclasses.replace(points(2, 200), split="test")
    first, second = (evaluator(train, each) for each in (held_out, other))
    assert first.protocol["hash"] != second.protocol["hash"]
    assert first.floor != second.floor
    cheap = evaluator(train, held_out, figures="cheap")
    assert cheap.floor == {"fd_pixels": first.floor["fd_pixels"]}
    again = evaluator(train, held_out)
    assert again.protocol == first.protocol
    from gan_jax import evaluator as module  # a metric is added

    monkeypatch.setitem(module.SETS, "all", (*module.ALL, lambda compared: {"new": 1.0}))
    younger = evaluator(train, held_out)
    assert younger.protocol["hash"] != first.protocol["hash"]
    assert younger.floor["new"] == 1


def test_labels_of_a_test_split_may_be_missing():
    """Where -1 stands for them there is nothing to ask for."""
    labels = np.arange(200, dtype=np.int32) % 2
    train = points(0, 200, labels)
    known = evaluator(train, points(1, 200, labels), num_classes=2)
    assert known.floor["intra_fd_pixels"] > 0
    unknown = evaluator(train, points(3, 200, np.full(200, -1, np.int32)), num_classes=2)
    assert "intra_fd_pixels" not in unknown.floor
    text = unknown.in_words({"fd_pixels": 1.0, "accuracy": 0.5})  # which the floor does not have
    assert re.fullmatch(r"fd_pixels 1 \(floor .*\), accuracy 0.5, by protocol \w{8}", text)


def test_scores_are_the_higher_the_better_and_of_one_protocol():
    train, held_out = points(0, 300), points(1, 200)
    first = evaluator(train, held_out)
    good, bad = (first.score("fd", {"fd_pixels": distance}) for distance in (1.0, 2.0))
    assert good.kind == bad.kind
    assert good.value > bad.value
    assert first.score("modes", {"modes": 3.0}).value == 3
    assert first.score("fd", {"fd_pixels": float("nan")}) is None
    assert (
        evaluator(train, held_out, num_samples=9).score("fd", {"fd_pixels": 1.0}).kind != good.kind
    )


def test_large_images_without_classes_are_not_compared_by_pixels():
    """The covariance of so many takes minutes."""
    small, large = (
        dataclasses.replace(points(0, 2), images=np.zeros((2, side, side, 3), np.uint8))
        for side in (32, 64)
    )
    assert chosen("auto", small) == "pixels"
    assert chosen("auto", large) == "random"
    assert chosen("pixels", large) == "pixels"
