"""What fakes are held beside: reals through an extractor, their floor, and the protocol."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gan_jax import extraction, reference_classifier
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.data.source import ArraySource, Source
from gan_jax.metrics.comparison import (
    ALL,
    CHEAP,
    LOWER_IS_BETTER,
    Compared,
    Figures,
    Metric,
    compare,
    mean_and_deviation,
)
from gan_jax.metrics.extractors import Extracted, Extractor
from gan_jax.metrics.frechet import Gaussian
from gan_jax.reference_classifier import ClassifierSettings
from gan_jax.runtime import parallel
from gan_jax.runtime.cache import cached_arrays

SETS: dict[str, tuple[Metric, ...]] = {"all": ALL, "cheap": CHEAP}

OnProgress = Callable[[int], Any]


class Reals(NamedTuple):
    """Real images through the extractor.

    Attributes:
      seen: what it sees in them.
      labels: (N,) their classes; None where there are none.
      split: which they are of.
    """

    seen: Extracted
    labels: np.ndarray | None
    split: str


class Fakes(NamedTuple):
    """What draws fakes of a generator and looks at them; see `extraction.of_fakes`.

    Attributes:
      draw: `(generator, weights, seed, on_progress) -> Extracted`.
      asked: (N,) the class that each is asked for; None where the generator has no classes.
      draw_train: the same, but to as many images as the train split has, of its classes; None
        unless a classifier is to learn from them.
    """

    draw: Callable[..., Extracted]
    asked: np.ndarray | None
    draw_train: Callable[..., np.ndarray] | None = None


class Evaluator:
    """Evaluates the weights of one generator after the other by the same protocol.

    Args:
      extractor: see `extraction.build_extractor`.
      train: the split that was trained on.
      held_out: other reals; None takes one half of the train split for them. For an accuracy
        score they have to be there.
      num_samples: fakes; None takes as many as there are held-out reals, up to `MOST_SAMPLES`.
      seeds: of each set of fakes.
      figures: "all", or "cheap": what can be computed now and then while training.
      accuracy_score: of a classifier with these settings that learns from fakes alone, of the
        extractor's kind, a classifier's. None: without; it takes as long as that classifier took.
    """

    MOST_SAMPLES = 50_000

    def __init__(
        self,
        extractor: Extractor,
        train: Source,
        held_out: Source | None,
        *,
        num_samples: int | None = None,
        seeds: Sequence[int] = (0,),
        figures: str = "all",
        accuracy_score: ClassifierSettings | None = None,
    ):
        self._extractor, self._source, self._held_out_source = extractor, train, held_out
        self._figures, self._seeds = figures, list(seeds)
        self._accuracy_score = accuracy_score
        self._train, self._held_out = _reals(extractor, train, held_out)
        self._gaussian = Gaussian.of(self._train.seen.features)
        self._number = num_samples or min(len(self._held_out.seen.features), self.MOST_SAMPLES)
        self._extractor_weights = parallel.replicate(extractor.weights)

    def fakes(self, algorithm: Algorithm, num_classes: int | None) -> Fakes:
        """Returns what draws the fakes of an algorithm; `num_classes` of a conditional one.

        A conditional generator is asked for all classes in turn.
        """
        asked = None
        if num_classes is not None:
            asked = np.resize(np.arange(num_classes, dtype=np.int32), self._number)
        draw = self._of_fakes(self._extractor.extract, algorithm, asked, self._number)
        if self._accuracy_score is None:
            return Fakes(draw, asked)
        labels = self._source.labels
        draw_train = self._of_fakes(lambda _, images: images, algorithm, labels, len(self._source))
        return Fakes(draw, asked, draw_train)

    def _of_fakes(
        self, look: Callable[..., Any], algorithm: Algorithm, asked: np.ndarray | None, number: int
    ) -> Callable[..., Any]:
        shape, chunk = self._source.image_shape, self._extractor.chunk
        return extraction.of_fakes(look, algorithm, shape, asked, number, chunk=chunk)

    def __call__(
        self, fakes: Fakes, generator: Any, *, on_progress: OnProgress = lambda drawn: None
    ) -> tuple[Figures, Figures]:
        """Returns the mean of each figure over the seeds, and its deviation; {} of one seed.

        Args:
          fakes: of the generator's algorithm.
          generator: its averaged weights, `replicate`d.
          on_progress: told how many fakes are drawn, of all seeds.
        """
        found: list[Figures] = []
        for seed in self._seeds:
            before = len(found) * self._number
            seen = fakes.draw(
                generator,
                self._extractor_weights,
                seed,
                lambda drawn, before=before: on_progress(before + drawn),
            )
            figures = compare(self._beside(seen, fakes.asked), SETS[self._figures])
            if fakes.draw_train is not None:
                images = fakes.draw_train(generator, {}, seed)
                figures |= {"accuracy_score": self._learned_from(images)}
            found.append(figures)
        return mean_and_deviation(found)

    def _learned_from(self, images: np.ndarray) -> float:
        """The share of held-out reals that a classifier knows which has seen these fakes alone."""
        assert self._accuracy_score is not None
        assert self._held_out_source is not None
        fakes = ArraySource(
            name=f"samples for {self._source.name}",
            split="train",
            fingerprint="",
            class_names=self._source.class_names,
            images=images,
            labels=self._source.labels,
        )
        return reference_classifier.accuracy_score(
            fakes, self._held_out_source, self._accuracy_score, seed=0
        )

    def floor(self) -> Figures:
        """Returns the figures of held-out reals, once computed from the cache folder."""

        def make() -> dict[str, np.ndarray]:
            reals = self._beside(self._held_out.seen, self._held_out.labels)
            figures = compare(reals, SETS[self._figures])
            if self._accuracy_score:  # of a classifier that has seen reals: the extractor's own
                figures |= {"accuracy_score": figures["accuracy"]}
            return {name: np.asarray(value) for name, value in figures.items()}

        words = {**self.protocol, "samples": None, "seeds": None, "hash": None}
        return {name: array.item() for name, array in cached_arrays("floors", words, make).items()}

    @property
    def total(self) -> int:
        """How many fakes there are, of all seeds."""
        return self._number * len(self._seeds)

    @property
    def protocol(self) -> dict[str, Any]:
        """All that figures depend on beside the weights, and a short hash of it."""
        words = {
            "extractor": self._extractor.name,
            "identity": self._extractor.identity,
            "layer": self._extractor.layer,
            "resizer": self._extractor.resizer,
            "data": f"{self._source.name} {self._source.fingerprint}",
            "split": self._train.split,
            "reals": len(self._train.seen.features),
            "held_out": self._held_out.split,
            "floor_samples": len(self._held_out.seen.features),
            "samples": self._number,
            "seeds": self._seeds,
            "weights": "averaged",
            "figures": self._figures,
        }
        if self._accuracy_score:
            words["accuracy_score"] = self._accuracy_score._asdict()
        digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()
        return words | {"hash": digest[:8]}

    def score(self, figure: str, means: Figures) -> tuple[str, float] | None:
        """Returns the name of a figure in `means`, and how good it is: the higher the better.

        None where it is not finite.

        Args:
          figure: one of `metrics.comparison.RANKED`.
          means: of a checkpoint.
        """
        name = self._extractor.figure("fd") if figure == "fd" else figure
        value = means[name]
        if not math.isfinite(value):
            return None
        return name, -value if figure in LOWER_IS_BETTER else value

    def line(self, step: int, images: int, means: Figures, deviations: Figures) -> dict[str, Any]:
        """Returns what `evaluation.jsonl` has of a checkpoint; what is not finite is None."""
        return {
            "step": step,
            "images": images,
            "metrics": _finite(means),
            "deviations": _finite(deviations),
            "floor": _finite(self.floor()),
            "protocol": self.protocol,
        }

    def _beside(self, fake: Extracted, asked: np.ndarray | None) -> Compared:
        return Compared(
            self._extractor,
            self._train.seen,
            self._held_out.seen,
            fake,
            asked,
            self._gaussian,
            self._train.labels,
        )


def _reals(extractor: Extractor, train: Source, held_out: Source | None) -> tuple[Reals, Reals]:
    """The train split and other reals; or where there are none, two halves in a random order."""
    whole = Reals(extraction.of_reals(extractor, train), train.labels, train.split)
    if held_out is not None:
        seen = extraction.of_reals(extractor, held_out)
        return whole, Reals(seen, held_out.labels, held_out.split)
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(train))
    halves = []
    for rows in np.array_split(order, 2):
        seen, labels = jax.tree.map(lambda x, rows=rows: x[rows], (whole.seen, whole.labels))
        halves.append(Reals(seen, labels, f"half of {train.split}"))
    return halves[0], halves[1]


def _finite(figures: Figures) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}
