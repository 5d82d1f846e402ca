"""Evaluates checkpoints of a run: each figure with its deviation, its protocol and its floor."""

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
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
from gan_jax.runtime.writers import Bar
from gan_jax.trained import Trained

FEWEST = 10
"""Samples that all figures take: an Inception score is of ten slices."""

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
    figures: str = "all",
    accuracy_score: bool = False,
    inception_path: str | None = None,
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
      figures: "all", or "cheap": Frechet distance, modes and accuracy.
      accuracy_score: whether to train a classifier on each set too; see `Evaluator`.
      inception_path: see `extraction.build_extractor`.
      settings: of the classifier; for tests.

    Raises:
      InputError: something asked for cannot be done; nothing is written.
    """
    workdir, several = epath.Path(workdir), checkpoint in ("all", "follow")
    least = 2 if figures == "cheap" else FEWEST
    if (num_samples is not None and num_samples < least) or num_seeds < 1:
        raise InputError(
            f"--num_samples is at least {least} (2 with --figures=cheap), --num_seeds at least 1"
        )
    if not (several or checkpoint in ("newest", "best") or checkpoint.isdecimal()):
        raise InputError(f"--checkpoint={checkpoint}: say newest, best, all, follow or a step")
    parallel.check_even_devices()
    if checkpoint == "follow":
        _wait_for_the_first(workdir)
    with parallel.together():
        run = trained.load(workdir, "newest" if several else checkpoint)
        workdirs.check_writable(workdir)
        source, held_out = _data(run)
        chosen = extraction.chosen(extractor, source)
        if accuracy_score:
            _check_accuracy_score(run, chosen, source, held_out)
    for note in run.notes:
        _say(note)
    evaluator = Evaluator(
        extraction.build_extractor(
            chosen, source, settings=settings, inception_path=inception_path, say=_say
        ),
        source,
        held_out,
        run.num_classes,
        num_samples=num_samples,
        seeds=range(seed, seed + num_seeds),
        figures=figures,
        accuracy_score=(settings or ClassifierSettings()) if accuracy_score else None,
    )
    file, protocol = workdir / "evaluation.jsonl", evaluator.protocol
    lines = {line["step"]: line for line in json_lines.read(file) if _is_of(line, protocol)}
    known = set(parallel.from_first_process(sorted(lines)))
    table, found = _Table(protocol), _Figures(evaluator)
    runs = _runs(workdir, checkpoint) if several else [_of_first_process(workdir, run)]
    for each in runs:
        if each.facts.fingerprint != source.fingerprint:  # of before a --config_change=allow
            _say(f"step {each.step} was trained on other data: it is left out")
            continue
        if each.step not in known:
            lines[each.step] = evaluator.line(each.step, each.images, *found(each))
        if jax.process_index() == 0:
            if each.step not in known:
                json_lines.append(file, lines[each.step])
            table.show(f"step {each.step:,}", lines[each.step])


def _data(run: Trained) -> tuple[Source, Source | None]:
    """The train split, and the test split or None."""
    source = experiment.load_data(run.config)
    if source.fingerprint != run.facts.fingerprint:
        raise InputError(f"{source.name} is not the data that this run was trained on")
    return source, experiment.load_held_out(run.config)


def _check_accuracy_score(
    run: Trained, extractor: str, train: Source, held_out: Source | None
) -> None:
    """Checks that a classifier can learn from fakes what held-out reals can ask."""
    asks = held_out is not None and held_out.labels is not None and held_out.labels.min() >= 0
    lacks = {
        "a conditional run: there are no classes to ask for": run.num_classes is None,
        f"a test split with classes, and {train.name} has none": not asks,
        "--extractor=classifier": extractor != "classifier",
        "images of one thing each, not stacks": isinstance(train, StackedSource),
    }
    for what, lacking in lacks.items():
        if lacking:
            raise InputError(f"--accuracy_score needs {what}")


def _is_of(line: Mapping[str, Any], protocol: Mapping[str, Any]) -> bool:
    return "step" in line and line.get("protocol") == protocol


class _Figures:
    """The figures of one checkpoint after the other, whose fakes one compiled program draws."""

    def __init__(self, evaluator: Evaluator):
        self._evaluator = evaluator
        self._config: Any = None

    def __call__(self, run: Trained) -> tuple[Figures, Figures]:
        if run.config != self._config:  # a run may go on with another one
            self._evaluate, self._config = self._evaluator.of(run.algorithm), run.config
        with Bar(self._evaluator.total, f"step {run.step}", "images") as bar:
            return self._evaluate(parallel.replicate(run.weights), bar.reach)


def _of_first_process(workdir: epath.Path, run: Trained) -> Trained:
    """The run at the step that process 0 has: a training may go on meanwhile."""
    (step,) = parallel.from_first_process([run.step])
    with parallel.together():
        return run if run.step == step else trained.load(workdir, str(step))


def _wait_for_the_first(workdir: epath.Path) -> None:
    """Waits for a checkpoint as long as the run is in training."""
    while workdirs.in_use(workdir) and not saved_steps(workdir / "checkpoints"):
        time.sleep(POLL)


def _runs(workdir: epath.Path, checkpoint: str) -> Iterator[Trained]:
    """All checkpoints, oldest first; and where a run is to be followed, those to come.

    Process 0 says which there are, and a checkpoint counts where all processes can read it.
    """
    done: set[int] = set()
    while True:
        following = checkpoint == "follow" and workdirs.in_use(workdir)
        steps = saved_steps(workdir / "checkpoints")
        going_on, *steps = parallel.from_first_process([following, *steps])
        for step in sorted({*steps} - done):
            run = None
            try:
                run = trained.load(workdir, str(step))
            except InputError as error:  # it was deleted meanwhile, for it is old; or is damaged
                _say(str(error))
            if parallel.all_agree(run is not None) and run is not None:
                yield run
        done.update(steps)
        if not going_on:  # asked before the look, which so has seen the last one
            return
        time.sleep(POLL)


class _Table:
    """A table in Markdown on stdout, a row a checkpoint as it comes, the floor first."""

    def __init__(self, protocol: Mapping[str, Any]):
        self._protocol = protocol
        self._names: list[str] | None = None

    def show(self, name: str, line: Mapping[str, Any]) -> None:
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
