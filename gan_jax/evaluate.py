"""Evaluates checkpoints of a run: each figure with its deviation, its protocol and its floor."""

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import tqdm
from etils import epath

from gan_jax import extraction, trained
from gan_jax.data.source import Source
from gan_jax.errors import InputError
from gan_jax.metrics.comparison import Compared, Figures, compare, mean_and_deviation
from gan_jax.metrics.extractors import Extracted, Extractor
from gan_jax.metrics.frechet import Gaussian
from gan_jax.reference_classifier import ClassifierSettings
from gan_jax.runtime import workdir as workdirs
from gan_jax.runtime.cache import cached_arrays
from gan_jax.runtime.checkpoint import saved_steps
from gan_jax.train import load_data
from gan_jax.trained import Trained

MOST_SAMPLES = 50_000
"""Fakes by default are as many as there are held-out reals, up to this."""

POLL = 5.0
"""Seconds between two looks for a new checkpoint."""


def evaluate(
    workdir: epath.PathLike,
    *,
    checkpoint: str = "newest",
    extractor: str = "auto",
    num_samples: int | None = None,
    seed: int = 0,
    num_seeds: int = 1,
    settings: ClassifierSettings | None = None,
) -> None:
    """Prints a table of figures, and adds a line for each checkpoint to `evaluation.jsonl`.

    A checkpoint that has a line by the same protocol is not evaluated again.

    Args:
      workdir: the folder of a run, which may be training meanwhile.
      checkpoint: "newest", "all", "follow" (each new one until the run ends), or a step.
      extractor: see `extraction.build_extractor`.
      num_samples: fakes; by default as many as held-out reals, so that the floor is of as many.
      seed: of the first set of fakes.
      num_seeds: how many sets are drawn, of seeds `seed`, `seed + 1`, ...
      settings: of the classifier; for tests.

    Raises:
      InputError: something asked for cannot be done; nothing is written.
    """
    workdir = epath.Path(workdir)
    if (num_samples is not None and num_samples < 2) or num_seeds < 1:
        raise InputError("--num_samples is at least 2 and --num_seeds at least 1")
    if checkpoint not in ("newest", "all", "follow") and not checkpoint.isdecimal():
        raise InputError(f"--checkpoint={checkpoint}: say newest, all, follow or a step")
    run = trained.load(workdir, int(checkpoint) if checkpoint.isdecimal() else None)
    reals = _Reals.of(run, extractor, settings)
    for note in run.notes:
        _say(note)
    number = num_samples or min(len(reals.held_out.features), MOST_SAMPLES)
    seeds = list(range(seed, seed + num_seeds))
    protocol = reals.protocol(number, seeds)
    floor = reals.floor()
    table = _Table(protocol)
    file = workdir / "evaluation.jsonl"
    lines = {line["step"]: line for line in _lines(file) if line["protocol"] == protocol}
    for each in _runs(workdir, checkpoint, run):
        line = lines.get(each.step)
        if line is None:
            means, deviations = mean_and_deviation(_figures(reals, each, number, seeds))
            line = {"step": each.step, "images": each.images, "metrics": means}
            line |= {"deviations": deviations, "floor": floor, "protocol": protocol}
            if jax.process_index() == 0:
                _append(file, line)
        table.show(floor, f"step {each.step:,}", line["metrics"], line["deviations"])


class _Reals(NamedTuple):
    """What fakes are held beside."""

    extractor: Extractor
    source: Source
    train: Extracted
    held_out: Extracted
    held_out_split: str
    gaussian: Gaussian

    @classmethod
    def of(cls, run: Trained, name: str, settings: ClassifierSettings | None) -> "_Reals":
        source = load_data(run.config)
        if source.fingerprint != run.facts.fingerprint:
            raise InputError(f"{source.name} is not the data that this run was trained on")
        extractor = extraction.build_extractor(name, source, settings=settings, say=_say)
        train = extraction.of_reals(extractor, source)
        try:
            other = load_data(run.config, "test")
        except InputError:  # there is no such split: a half of the train split against the other
            order = np.random.Generator(np.random.PCG64(0)).permutation(len(source))
            half = len(source) // 2
            train, held_out = (
                jax.tree.map(lambda x, rows=rows: x[rows], train)
                for rows in (order[half:], order[:half])
            )
            split = "half of train"
        else:
            held_out, split = extraction.of_reals(extractor, other), other.split
        return cls(extractor, source, train, held_out, split, Gaussian.of(train.features))

    def beside(self, fake: Extracted, asked: np.ndarray | None) -> Compared:
        return Compared(self.extractor, self.train, self.held_out, fake, asked, self.gaussian)

    def floor(self) -> Figures:
        """The figures of held-out reals, once computed from the cache folder."""
        arrays = cached_arrays(
            "floors",
            self.protocol(0, []),
            lambda: _as_arrays(compare(self.beside(self.held_out, None))),
        )
        return {name: array.item() for name, array in arrays.items()}

    def protocol(self, number: int, seeds: list[int]) -> dict[str, Any]:
        """All that figures depend on beside the checkpoint, and a short hash of it."""
        words = {
            "extractor": self.extractor.name,
            "identity": self.extractor.identity,
            "layer": self.extractor.layer,
            "resizer": self.extractor.resizer,
            "data": f"{self.source.name} {self.source.fingerprint}",
            "split": "train",
            "reals": len(self.train.features),
            "held_out": self.held_out_split,
            "floor_samples": len(self.held_out.features),
            "samples": number,
            "seeds": seeds,
            "weights": "averaged",
        }
        digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()
        return words | {"hash": digest[:8]}


def _as_arrays(figures: Figures) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in figures.items()}


def _figures(reals: _Reals, run: Trained, number: int, seeds: list[int]) -> list[Figures]:
    """The figures of each set of fakes; one program draws them all."""
    draw, asked = extraction.of_fakes(reals.extractor, run, number)
    found = []
    for seed in seeds:
        with tqdm.tqdm(total=number, desc=f"step {run.step}", unit=" images", disable=None) as bar:
            fake = draw(seed, on_progress=lambda drawn, bar=bar: bar.update(drawn - bar.n))
        found.append(compare(reals.beside(fake, asked)))
    return found


def _runs(workdir: epath.Path, checkpoint: str, newest: Trained) -> Iterator[Trained]:
    """The checkpoints to evaluate, oldest first."""
    if checkpoint not in ("all", "follow"):
        yield newest
        return
    done: set[int] = set()
    while True:
        going_on = checkpoint == "follow" and workdirs.in_use(workdir)
        for step in saved_steps(workdir / "checkpoints"):
            if step in done:
                continue
            done.add(step)
            try:
                yield trained.load(workdir, step)
            except InputError as error:  # it was deleted meanwhile, for it is old; or is damaged
                _say(str(error))
        if not going_on:  # asked before the look, which so has seen the last one
            return
        time.sleep(POLL)


class _Table:
    """A table in Markdown on stdout, a row a checkpoint as it comes, the floor first."""

    def __init__(self, protocol: Mapping[str, Any]):
        self._protocol = protocol
        self._names: list[str] | None = None

    def show(
        self, floor: Figures, name: str, means: Figures, deviations: Mapping[str, float]
    ) -> None:
        if jax.process_index() != 0:
            return
        if self._names is None:
            self._names = [key for key in means if not key.endswith("_std")]
            facts = [f"{key} {value}" for key, value in self._protocol.items()]
            print("; ".join(facts), end="\n\n")
            print(
                f"| | {' | '.join(self._names)} |", "|---" * (len(self._names) + 1) + "|", sep="\n"
            )
            print(f"| floor: held-out reals | {self._row(floor, {})} |")
        print(f"| {name} | {self._row(means, deviations)} |", flush=True)

    def _row(self, means: Figures, deviations: Mapping[str, float]) -> str:
        assert self._names is not None
        return " | ".join(_cell(means.get(name), deviations.get(name)) for name in self._names)


def _cell(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return ""
    return f"{mean:.4g}" if deviation is None else f"{mean:.4g} ± {deviation:.2g}"


def _lines(file: epath.Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    whole = file.read_text().rpartition("\n")[0]  # a torn line has no end
    return [json.loads(line) for line in whole.splitlines()]


def _append(file: epath.Path, line: Mapping[str, Any]) -> None:
    lines = [*_lines(file), line]
    workdirs.write_bytes(file, "".join(json.dumps(each) + "\n" for each in lines).encode())


def _say(text: str) -> None:
    if jax.process_index() == 0:
        print(text, file=sys.stderr, flush=True)
