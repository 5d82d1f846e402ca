"""Evaluates checkpoints of a run: each figure with its deviation, its protocol and its floor."""

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import tqdm
from etils import epath

from gan_jax import experiment, extraction, trained
from gan_jax.data.source import Source
from gan_jax.data.stacked import StackedSource
from gan_jax.errors import InputError
from gan_jax.evaluator import Evaluator
from gan_jax.metrics.comparison import Figures
from gan_jax.reference_classifier import ClassifierSettings
from gan_jax.runtime import json_lines, parallel
from gan_jax.runtime import workdir as workdirs
from gan_jax.runtime.checkpoint_reading import saved_steps
from gan_jax.trained import Trained

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
    accuracy_score: bool = False,
    inception_file: str | None = None,
    settings: ClassifierSettings | None = None,
) -> None:
    """Prints a table of figures, and adds a line for each checkpoint to `evaluation.jsonl`.

    A checkpoint that has a line by the same protocol is not evaluated again.

    Args:
      workdir: the folder of a run, which may be training meanwhile.
      checkpoint: "newest", "best", "all", "follow" (each new one until the run ends), or a step.
      extractor: see `extraction.build_extractor`.
      num_samples: fakes; by default as many as held-out reals, so that the floor is of as many.
      seed: of the first set of fakes.
      num_seeds: how many sets are drawn, of seeds `seed`, `seed + 1`, ...
      accuracy_score: whether to train a classifier on each set too; see `Evaluator`.
      inception_file: see `extraction.build_extractor`.
      settings: of the classifier; for tests.

    Raises:
      InputError: something asked for cannot be done; nothing is written.
    """
    workdir = epath.Path(workdir)
    if (num_samples is not None and num_samples < 2) or num_seeds < 1:
        raise InputError("--num_samples is at least 2 and --num_seeds at least 1")
    several = checkpoint in ("all", "follow")
    run = trained.load(workdir, "newest" if several else checkpoint)
    for note in run.notes:
        _say(note)
    source = experiment.load_data(run.config)
    if source.fingerprint != run.facts.fingerprint:
        raise InputError(f"{source.name} is not the data that this run was trained on")
    held_out = experiment.load_held_out(run.config)
    if accuracy_score:
        _check_accuracy_score(run, extraction.chosen(extractor, source), source, held_out)
    evaluator = Evaluator(
        extraction.build_extractor(
            extractor, source, settings=settings, inception_file=inception_file, say=_say
        ),
        source,
        held_out,
        num_samples=num_samples,
        seeds=range(seed, seed + num_seeds),
        accuracy_score=(settings or ClassifierSettings()) if accuracy_score else None,
    )
    file, protocol = workdir / "evaluation.jsonl", evaluator.protocol
    lines = {line["step"]: line for line in json_lines.read(file) if line["protocol"] == protocol}
    table, figures = _Table(protocol), _Figures(evaluator)
    for each in _runs(workdir, checkpoint) if several else [run]:
        line = lines.get(each.step)
        if line is None:
            line = evaluator.line(each.step, each.images, *figures(each))
            if jax.process_index() == 0:
                json_lines.append(file, line)
        table.show(f"step {each.step:,}", line)


def _check_accuracy_score(
    run: Trained, extractor: str, train: Source, held_out: Source | None
) -> None:
    """Checks that a classifier can learn from fakes what held-out reals can ask."""
    lacks = {
        "a conditional run: there are no classes to ask for": run.num_classes is None,
        f"a test split, and {train.name} has none": held_out is None,
        "--extractor=classifier": extractor != "classifier",
        "images of one thing each, not stacks": isinstance(train, StackedSource),
    }
    for what, lacking in lacks.items():
        if lacking:
            raise InputError(f"--accuracy_score needs {what}")


class _Figures:
    """The figures of one checkpoint after the other, whose fakes one compiled program draws."""

    def __init__(self, evaluator: Evaluator):
        self._evaluator = evaluator
        self._config: Any = None

    def __call__(self, run: Trained) -> tuple[Figures, Figures]:
        if run.config != self._config:  # a run may go on with another one
            self._fakes = self._evaluator.fakes(run.algorithm, run.num_classes)
            self._config = run.config
        total, name = self._evaluator.total, f"step {run.step}"
        with tqdm.tqdm(total=total, desc=name, unit=" images", disable=None) as bar:
            return self._evaluator(
                self._fakes,
                parallel.replicate(run.weights),
                on_progress=lambda drawn: bar.update(drawn - bar.n),
            )


def _runs(workdir: epath.Path, checkpoint: str) -> Iterator[Trained]:
    """All checkpoints, oldest first; and where a run is to be followed, those to come."""
    done: set[int] = set()
    while True:
        going_on = checkpoint == "follow" and workdirs.in_use(workdir)
        for step in saved_steps(workdir / "checkpoints"):
            if step in done:
                continue
            done.add(step)
            try:
                yield trained.load(workdir, str(step))
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

    def show(self, name: str, line: Mapping[str, Any]) -> None:
        if jax.process_index() != 0:
            return
        if self._names is None:
            self._names = [key for key in line["metrics"] if not key.endswith("_std")]
            facts = [f"{key} {value}" for key, value in self._protocol.items()]
            print("; ".join(facts), end="\n\n")
            print(
                f"| | {' | '.join(self._names)} |", "|---" * (len(self._names) + 1) + "|", sep="\n"
            )
            print(f"| floor: held-out reals | {self._row(line['floor'], {})} |")
        print(f"| {name} | {self._row(line['metrics'], line['deviations'])} |", flush=True)

    def _row(self, means: Mapping[str, Any], deviations: Mapping[str, Any]) -> str:
        assert self._names is not None
        return " | ".join(_cell(means.get(name), deviations.get(name)) for name in self._names)


def _cell(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return ""
    return f"{mean:.4g}" if deviation is None else f"{mean:.4g} ± {deviation:.2g}"


def _say(text: str) -> None:
    if jax.process_index() == 0:
        print(text, file=sys.stderr, flush=True)
