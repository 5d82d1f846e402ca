"""What fakes are held beside: reals through an extractor, their floor, and the protocol."""

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

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
from gan_jax.runtime.checkpoint_record import Score

SETS: dict[str, tuple[Metric, ...]] = {"all": ALL, "cheap": CHEAP}

MOST_SAMPLES = 50_000
"""Fakes by default are as many as there are held-out reals, up to this."""

Evaluate = Callable[..., tuple[Figures, Figures]]


class Evaluator:
    """Evaluates the weights of one generator after the other by the same protocol.

    Args:
      extractor: see `extraction.build_extractor`.
      train: the split that was trained on.
      held_out: other reals; None takes one half of the train split for them. For an accuracy
        score they have to be there, and to have classes.
      num_classes: of conditional generators, which are asked for all classes in turn; else None.
      num_samples: fakes; None takes as many as there are held-out reals, up to `MOST_SAMPLES`.
      seeds: of each set of fakes.
      figures: "all", or "cheap": what can be computed now and then while training.
      accuracy_score: of a classifier with these settings that learns from fakes alone, of the
        extractor's kind, a classifier's. None: without; it takes as long as that classifier took.
    """

    def __init__(
        self,
        extractor: Extractor,
        train: Source,
        held_out: Source | None,
        num_classes: int | None,
        *,
        num_samples: int | None = None,
        seeds: Sequence[int] = (0,),
        figures: str = "all",
        accuracy_score: ClassifierSettings | None = None,
    ):
        self._extractor, self._source, self._held_out_source = extractor, train, held_out
        self._num_classes, self._seeds = num_classes, list(seeds)
        self._accuracy_score, self._metrics = accuracy_score, SETS[figures]
        reals, others = _reals(extractor, train, held_out, labels=num_classes is not None)
        self._gaussian = Gaussian.of(reals.seen.features)
        # The cheap figures need no more of them, and they may be large.
        self._reals = reals if figures == "all" else reals.rows(np.arange(0))
        self._number = num_samples or min(len(others), MOST_SAMPLES)
        self._held_out = others.rows(_order(len(others))[: self._number])
        if accuracy_score:
            self._accuracy_of_extractor = float((others.seen.classes == others.labels).mean())
        self._extractor_weights = parallel.replicate(extractor.weights)
        self._names = [metric.__name__ for metric in self._metrics]
        self.protocol = self._protocol(figures, len(reals))

    def of(self, algorithm: Algorithm) -> Evaluate:
        """Returns what evaluates an algorithm's generators; one compiled program draws all fakes.

        `(generator, on_progress=None) -> (means, deviations)`: averaged weights, `replicate`d, to
        the mean of each figure over the seeds, and its deviation, {} of one seed. `on_progress` is
        told how many fakes are drawn, of `total`. The algorithm is one for one device.
        """
        asked = None
        if self._num_classes is not None:
            asked = np.resize(np.arange(self._num_classes, dtype=np.int32), self._number)
        draw = self._fakes(self._extractor.extract, algorithm, asked, self._number)
        learned = self._learned_from(algorithm) if self._accuracy_score else None

        def figures(generator: Any, seed: int, on_progress: Callable[[int], Any]) -> Figures:
            seen = draw(generator, self._extractor_weights, seed, on_progress)
            found = compare(self._beside(seen, asked), self._metrics)
            return found | {"accuracy_score": learned(generator, seed)} if learned else found

        def evaluate(
            generator: Any, on_progress: Callable[[int], Any] = lambda drawn: None
        ) -> tuple[Figures, Figures]:
            found: list[Figures] = []
            for seed in self._seeds:

                def told(drawn: int, before: int = len(found) * self._number) -> None:
                    on_progress(before + drawn)

                found.append(figures(generator, seed, told))
            return mean_and_deviation(found)

        return evaluate

    @property
    def total(self) -> int:
        """How many fakes there are, of all seeds."""
        return self._number * len(self._seeds)

    @functools.cached_property
    def floor(self) -> Figures:
        """The figures of as many held-out reals, or of all; once computed from the cache folder."""

        def make() -> dict[str, np.ndarray]:
            figures = compare(
                self._beside(self._held_out.seen, self._held_out.labels), self._metrics
            )
            if self._accuracy_score:  # of a classifier that has seen reals: the extractor's own
                figures |= {"accuracy_score": self._accuracy_of_extractor}
            return {name: np.asarray(value) for name, value in figures.items()}

        others = {"samples": None, "seeds": None, "hash": None, "metrics": self._names}
        words = {**self.protocol, **others}
        return {name: array.item() for name, array in cached_arrays("floors", words, make).items()}

    def line(self, step: int, images: int, means: Figures, deviations: Figures) -> dict[str, Any]:
        """Returns what `evaluation.jsonl` has of a checkpoint; what is not finite is None."""
        return {
            "step": step,
            "images": images,
            "metrics": _finite(means),
            "deviations": _finite(deviations),
            "floor": _finite(self.floor),
            "protocol": self.protocol,
        }

    def in_words(self, means: Figures) -> str:
        """Returns figures as text, each beside its floor where it has one, and the protocol."""
        beside = {name: f" (floor {value:.4g})" for name, value in self.floor.items()}
        texts = [f"{name} {value:.4g}{beside.get(name, '')}" for name, value in means.items()]
        return f"{', '.join(texts)}, by protocol {self.protocol['hash']}"

    def score(self, figure: str, means: Figures) -> Score | None:
        """Returns how good `means` are by a figure of `metrics.comparison.RANKED`.

        None where it is not finite.
        """
        value = means[self._extractor.figure("fd") if figure == "fd" else figure]
        if not math.isfinite(value):
            return None
        sign = -1 if figure in LOWER_IS_BETTER else 1
        return Score(f"{figure} {self.protocol['hash']}", sign * value)

    def _protocol(self, figures: str, reals: int) -> dict[str, Any]:
        """All that figures depend on beside the weights, and a short hash of it, as JSON has it."""
        words = {
            "extractor": self._extractor.name,
            "identity": self._extractor.identity,
            "layer": self._extractor.layer,
            "resizer": self._extractor.resizer,
            "data": f"{self._source.name} {self._source.fingerprint}",
            "split": self._reals.split,
            "reals": reals,
            "held_out": self._held_out.split,
            "floor_samples": len(self._held_out),
            "samples": self._number,
            "seeds": self._seeds,
            "conditional": self._num_classes is not None,
            "weights": "averaged",
            "figures": figures,
        }
        if self._accuracy_score:
            words["accuracy_score"] = self._accuracy_score._asdict()
        words = json.loads(json.dumps(words))
        # The metrics' names too: what is younger is not in old lines.
        text = json.dumps([words, self._names], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return words | {"hash": digest[:8]}

    def _beside(self, fake: Extracted, asked: np.ndarray | None) -> Compared:
        return Compared(
            self._extractor,
            self._reals.seen,
            self._held_out.seen,
            fake,
            asked,
            self._gaussian,
            self._reals.labels,
        )

    def _fakes(
        self, look: Callable[..., Any], algorithm: Algorithm, asked: np.ndarray | None, number: int
    ) -> Callable[..., Any]:
        shape, chunk = self._source.image_shape, self._extractor.chunk
        return extraction.of_fakes(look, algorithm, shape, asked, number, chunk=chunk)

    def _learned_from(self, algorithm: Algorithm) -> Callable[[Any, int], float]:
        """Returns `(generator, seed) -> share` of held-out reals that its fakes teach to know.

        They are as many as the train split has, of its classes.
        """
        labels, number = self._source.labels, len(self._source)
        draw = self._fakes(lambda _, images: images, algorithm, labels, number)
        held_out, settings = self._held_out_source, self._accuracy_score
        assert held_out is not None
        assert settings is not None

        def learned(generator: Any, seed: int) -> float:
            fakes = ArraySource(
                name=f"samples for {self._source.name}",
                split="train",
                fingerprint="",
                class_names=self._source.class_names,
                images=draw(generator, {}, seed),
                labels=labels,
            )
            return reference_classifier.accuracy_score(fakes, held_out, settings, seed=0)

        return learned


@dataclasses.dataclass(frozen=True, eq=False)
class _Reals:
    """Real images through the extractor.

    Attributes:
      seen: what it sees in them.
      labels: (N,) their classes; None where there are none, or they are not asked for.
      split: which they are of.
    """

    seen: Extracted
    labels: np.ndarray | None
    split: str

    def __len__(self) -> int:
        return len(self.seen.features)

    def rows(self, rows: np.ndarray, split: str | None = None) -> "_Reals":
        """Returns some of them."""
        seen, labels = jax.tree.map(lambda x: x[rows], (self.seen, self.labels))
        return _Reals(seen, labels, split or self.split)


def _order(number: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(0)).permutation(number)


def _reals(
    extractor: Extractor, train: Source, held_out: Source | None, *, labels: bool
) -> tuple[_Reals, _Reals]:
    """The train split and other reals; or where there are none, two halves of it.

    Labels are read on demand, for it may take a while.
    """
    seen = extraction.of_reals(extractor, train)
    whole = _Reals(seen, _known(train) if labels else None, train.split)
    if held_out is None:
        halves = np.array_split(_order(len(train)), 2)
        first, second = (whole.rows(rows, f"half of {train.split}") for rows in halves)
        return first, second
    seen = extraction.of_reals(extractor, held_out)
    split = f"{held_out.split} {held_out.fingerprint}"
    others = _Reals(seen, _known(held_out) if labels else None, split)
    return whole, others


def _known(source: Source) -> np.ndarray | None:
    """The labels; None where there are none, or -1 stands for them, as in some test splits."""
    labels = source.labels
    return None if labels is None or labels.min() < 0 else labels


def _finite(figures: Figures) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}
