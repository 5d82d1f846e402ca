"""All figures of a set of fakes beside its reals, each by its name."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.extractors import Extracted, Extractor
from gan_jax.metrics.frechet import (
    Gaussian,
    class_frechet_distances,
    frechet_distance_at_infinity,
)
from gan_jax.metrics.inception_score import inception_score
from gan_jax.metrics.kernel import kernel_distance
from gan_jax.metrics.manifold import precision_to_coverage
from gan_jax.metrics.memorization import memorization
from gan_jax.metrics.modes import mode_coverage

Figures = dict[str, float]

SUBSET_SIZE = 1_000
"""Of the kernel distance; fewer where there are not so many examples."""


MOST_CLASSES = 100
"""Distances within each class take minutes beyond."""

ENOUGH_FOR_INFINITY = 10_000
"""Fakes, of which the smallest subset is a half."""


class Compared(NamedTuple):
    """What figures are made of.

    Attributes:
      extractor: that made the features; its weights are not looked at.
      train: of the reals that were trained on.
      held_out: of other reals; None where there are none.
      fake: of what is judged: fakes, or the reals held out, for the floor.
      asked: (M,) the classes that fakes were asked for; None where there are none.
      gaussian: of `train.features`.
      labels: (N,) the classes of `train`; None where there are none.
    """

    extractor: Extractor
    train: Extracted
    held_out: Extracted | None
    fake: Extracted
    asked: np.ndarray | None
    gaussian: Gaussian
    labels: np.ndarray | None = None

    def of_equal_number(self) -> tuple[np.ndarray, np.ndarray]:
        """Reals and fakes, as many of each: balls of fewer examples would be larger."""
        real, fake = self.train.features, self.fake.features
        number = min(len(real), len(fake))
        return tuple(
            features[np.random.Generator(np.random.PCG64(0)).permutation(len(features))[:number]]
            for features in (real, fake)
        )


Metric = Callable[[Compared], Figures]


def _frechet(compared: Compared) -> Figures:
    distance = compared.gaussian.distance(Gaussian.of(compared.fake.features))
    return {compared.extractor.figure("fd"): distance}


def _intra_class_frechet(compared: Compared) -> Figures:
    """The mean of the distances within each class: of wrong classes it is large."""
    labels, asked = compared.labels, compared.asked
    if labels is None or asked is None or max(labels.max(), asked.max()) >= MOST_CLASSES:
        return {}
    distances = class_frechet_distances(
        *(compared.train.features, labels, compared.fake.features, asked),
        num_classes=1 + int(max(labels.max(), asked.max())),
    )
    return {f"intra_{compared.extractor.figure('fd')}": float(distances.mean())}


def _frechet_at_infinity(compared: Compared) -> Figures:
    if len(compared.fake.features) < ENOUGH_FOR_INFINITY:
        return {}
    distance = frechet_distance_at_infinity(compared.gaussian, compared.fake.features)
    return {f"{compared.extractor.figure('fd')}_at_infinity": distance}


def _kernel(compared: Compared) -> Figures:
    real, fake = compared.train.features, compared.fake.features
    size = min(SUBSET_SIZE, len(real), len(fake))
    mean, std = kernel_distance(real, fake, subset_size=size)
    name = compared.extractor.figure("kd")
    return {name: mean, f"{name}_std": std}


def _precision_to_coverage(compared: Compared) -> Figures:
    return precision_to_coverage(*compared.of_equal_number())._asdict()


def _inception_score(compared: Compared) -> Figures:
    if compared.fake.logits is None:
        return {}
    mean, std = inception_score(compared.fake.logits)
    name = compared.extractor.figure("is")
    return {name: mean, f"{name}_std": std}


def _modes(compared: Compared) -> Figures:
    """Modes found of all there are, and how far they are from being equally frequent."""
    if compared.extractor.num_classes is None:
        return {}
    found = mode_coverage(compared.fake.classes, compared.extractor.num_classes)
    return {"modes": found.covered, "modes_kl": found.kl}


def _accuracy(compared: Compared) -> Figures:
    """The share of fakes that show the class they were asked for."""
    if compared.asked is None or compared.fake.classes is None:
        return {}
    return {"accuracy": float((compared.fake.classes == compared.asked).mean())}


def _memorization(compared: Compared) -> Figures:
    if compared.held_out is None or compared.held_out is compared.fake:
        return {}
    found = memorization(
        compared.train.features, compared.held_out.features, compared.fake.features
    )
    return {"nearer": found.nearer, "nearer_z": found.z}


CHEAP: tuple[Metric, ...] = (_frechet, _modes, _accuracy)
"""What can be computed now and then while training."""

RANKED = ("fd", "modes", "modes_kl", "accuracy")
"""Figures of `CHEAP` that a checkpoint can be the best by; `fd` is that of the extractor."""

LOWER_IS_BETTER = ("fd", "modes_kl")

ALL = (
    *(*CHEAP, _intra_class_frechet, _frechet_at_infinity, _kernel),
    *(_precision_to_coverage, _inception_score, _memorization),
)


def compare(compared: Compared, metrics: tuple[Metric, ...] = ALL) -> Figures:
    """Returns all figures that features can give, by name, in float64."""
    return {name: value for metric in metrics for name, value in metric(compared).items()}


def mean_and_deviation(runs: Sequence[Mapping[str, float]]) -> tuple[Figures, Figures]:
    """Returns the mean of each figure over runs, and its deviation (ddof = 1); {} of one run.

    Deviations within a run, called `*_std`, are averaged.
    """
    values = {name: [run[name] for run in runs] for name in runs[0]}
    means = {name: float(np.mean(each)) for name, each in values.items()}
    if len(runs) == 1:
        return means, {}
    spread = {name: each for name, each in values.items() if not name.endswith("_std")}
    return means, {name: float(np.std(each, ddof=1)) for name, each in spread.items()}
