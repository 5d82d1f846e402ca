"""The training loop: calls the compiled update, and logs, samples and saves between calls.

Rules of order, which make a resumed run equal an uninterrupted one bit for bit:

- Noise and data are functions of (seed, step), so the state is all there is to save.
- Metrics are fetched a call late: two calls are in flight at most, and the loop never waits for
  the step that it just started.
- Before the checkpoint of step N is saved, the metrics up to N are on disk; a resume from N cuts
  what came after N.
- Stopping, saving and sampling happen between calls.
- What may refuse to start does so on all processes or on none, before anything is written.
"""

import math
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from gan_jax import checks, configuration, experiment
from gan_jax.algorithms.algorithm import Algorithm, Metrics
from gan_jax.data.loader import Loader, decode, prefetch
from gan_jax.data.source import Source
from gan_jax.errors import Diverged, InputError
from gan_jax.models import families
from gan_jax.rng import key_for
from gan_jax.runtime import json_lines, parallel
from gan_jax.runtime import workdir as workdirs
from gan_jax.runtime.cache import versions
from gan_jax.runtime.checkpoint import Checkpoints, NonFiniteState
from gan_jax.runtime.checkpoint_reading import Restored, newest_metadata
from gan_jax.runtime.checkpoint_record import Score
from gan_jax.runtime.grid import is_points, write_grid
from gan_jax.runtime.writers import Board, MetricsFile, Progress
from gan_jax.symptoms import Watch

GRID = 100
"""Latents in a sample grid, always the same ones."""

CALLS_IN_FLIGHT = 2


def train(config: ConfigDict, workdir: epath.PathLike, *, allow_change: bool = False) -> None:
    """Trains what `config` describes in `workdir`, or goes on where a run there stopped.

    Args:
      config: see `configs/default.py`.
      workdir: the folder of the run.
      allow_change: whether to resume with a config that changes the trajectory.

    Raises:
      InputError: something asked for cannot be done; nothing is half-written.
      Diverged: a loss or the state is not finite.
    """
    workdir = epath.Path(workdir)
    parallel.check_even_devices()
    with ExitStack() as stack:
        with parallel.together():
            checks.check_config(config)
            workdirs.check_writable(workdir)
            saved = newest_metadata(workdir / "checkpoints")
            if not allow_change:
                _refuse_change(saved, workdir, config)
            checks.check_batch(config, jax.device_count())
            source = experiment.load_data(config)
            facts = experiment.DataFacts.of(source, config)
            checks.check_data(config, facts)
            checks.check_evaluation(config, source)
            if not allow_change:
                _refuse_change(saved, workdir, config, facts)
            if jax.process_index() == 0:
                stack.enter_context(workdirs.lock(workdir))
        run = _Run(config, workdir, source, facts, stack, allow_change=allow_change)
        run.loop(stack.enter_context(_stop_signals()))


def _refuse_change(
    saved: dict[str, Any] | None,
    workdir: epath.Path,
    config: ConfigDict,
    facts: experiment.DataFacts | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Refuses to go on from a checkpoint, whose metadata is `saved`, with other settings or data.

    Asked early, so that a mistake costs no time; and again once the checkpoint is restored, which
    may be an older one than the newest (then `notes` say why), or one that another process has just
    written.
    """
    why = "".join(f" ({note})" for note in notes)
    changes = []
    if saved:
        plain = (saved["config"], configuration.to_json(config))
        changes = configuration.changed_keys(*map(families.spelled_out, plain))
    if changes:
        raise InputError(
            f"{workdir} holds a run with another config ({'; '.join(changes)}): "
            f"choose another --workdir, or go on all the same with --config_change=allow{why}"
        )
    if saved and facts and saved["data"]["fingerprint"] != facts.fingerprint:
        raise InputError(
            f"{workdir} holds a run on other data: {config.data.name} had "
            f"{saved['data']['num_examples']} examples and has {facts.num_examples}, or their "
            f"content changed. Choose another --workdir, or go on with --config_change=allow{why}"
        )


class _Run:
    """One process's part of a run, from its newest checkpoint to its last step."""

    def __init__(
        self,
        config: ConfigDict,
        workdir: epath.Path,
        source: Source,
        facts: experiment.DataFacts,
        resources: ExitStack,
        *,
        allow_change: bool = False,
    ):
        self._config, self._workdir = config, workdir
        self._writes = jax.process_index() == 0
        self._algorithm = experiment.build_algorithm(config, facts, parallel.AXIS)
        self._record = {
            "config": configuration.to_json(config),
            "data": facts._asdict(),
            "versions": versions(),
        }
        self._checkpoints = resources.enter_context(
            Checkpoints(
                workdir / "checkpoints",
                keep=config.keep_checkpoints,
                keep_best=config.eval.keep_best,
            )
        )
        restored = _newest_state(self._algorithm, self._checkpoints, config.seed)
        self._start = restored.step
        with parallel.together():
            if not allow_change:
                _refuse_change(restored.metadata, workdir, config, facts, restored.notes)
            checks.check_start(config, self._start)
        self._checkpoints.put_aside(restored.damaged)
        self._state = parallel.replicate(restored.state)
        self._progress = Progress(
            config.total_steps, config.batch_size, start=self._start, enabled=self._writes
        )
        resources.enter_context(closing(self._progress))
        for note in (*restored.notes, *checks.advice(config, facts)):
            self._progress.say(note)
        if self._start:
            self._progress.say(f"going on from step {self._start}")
        evaluates = config.eval.every_images and self._start < config.total_steps
        self._evaluate_every = experiment.evaluation_interval(config) if evaluates else 0
        if evaluates:
            self._evaluator = experiment.build_evaluator(config, source, say=self._progress.say)
            self._figures = self._evaluator.of(self._algorithm)
        self._metrics = MetricsFile(workdir / "metrics.jsonl")
        self._board = self._opened_board(resources)
        resident, self._feeds = _feeds(config, source, self._algorithm, self._start)
        self._resident = parallel.replicate(resident)
        update, diagnose = self._algorithm.update, self._algorithm.diagnose
        self._call = parallel.pmapped(
            parallel.several_steps(update, decode, diagnose, every=config.log_every)
        )
        key = key_for(jax.random.key(config.seed), "samples")
        self._sample = jax.jit(partial(self._algorithm.sample, key=key, num_samples=GRID))
        # Points are drawn over those of the data; a grid of images stands by itself.
        points = is_points(source.image_shape)
        self._real = source.read(np.arange(min(1_000, len(source))))["image"] if points else None
        self._watch = Watch()
        self._flying: deque[tuple[int, Metrics]] = deque()

    def _opened_board(self, resources: ExitStack) -> Board:
        """Begins the files of the run, or cuts off what came after the step to go on from."""
        if not self._writes or self._start >= self._config.total_steps:
            return Board(None)
        folder = self._workdir
        workdirs.write_json(folder / "config.json", configuration.to_json(self._config))
        for name in ("metrics.jsonl", "evaluation.jsonl"):
            json_lines.cut(folder / name, self._start)
        board = Board(folder / "tensorboard", purge_step=self._start + 1)
        return resources.enter_context(closing(board))

    def loop(self, stop: threading.Event) -> None:
        """Trains to the last step, or until `stop` is set."""
        config, step = self._config, self._start
        if step >= config.total_steps:
            self._progress.say(f"finished: step {step} of {config.total_steps}, in {self._workdir}")
            return
        # Over several processes pmap itself takes the key's eight bytes through the host.
        guard = "disallow" if jax.process_count() == 1 else "allow"
        for step, feed in self._feeds:
            self._settle(leave=CALLS_IN_FLIGHT - 1)
            # What the call takes is on the devices already; anything else would be a hidden copy.
            with jax.transfer_guard(guard):
                self._state, metrics = self._call(self._state, self._resident, feed)
            self._flying.append((step, metrics))
            stopping = _all_stop(stop, step // config.steps_per_call)
            if step % config.sample_every == 0 or step == config.total_steps:
                self._settle()
                self._write_samples(step)
            last, score = step == config.total_steps, None
            due = self._evaluate_every and (last or step % self._evaluate_every == 0)
            if due and not stopping:  # who stops a process may not wait long
                self._settle()
                score = self._evaluate(step)
            if due or last or stopping or step % config.checkpoint_every == 0:
                self._settle()
                self._save(step, score)
            if stopping:
                break
        self._checkpoints.wait()
        if step < config.total_steps:
            self._progress.say(
                f"stopped at step {step}, which is saved; the same command goes on from it"
            )
        else:
            self._progress.say(
                f"finished: step {step}; samples in {self._workdir / 'samples/latest.png'}"
            )

    def _settle(self, leave: int = 0) -> None:
        """Takes up the metrics of all calls but the last `leave`; waits for those to finish."""
        while len(self._flying) > leave:
            step, metrics = self._flying.popleft()
            values = {name: float(value) for name, value in metrics.items()}
            self._progress.update(step)
            for name, value in values.items():
                if not math.isfinite(value):
                    raise Diverged(self._divergence(f"{name} is {value} at step {step}"))
            if step % self._config.log_every == 0:
                if self._writes:
                    self._metrics.write(step, step * self._config.batch_size, values)
                    self._board.scalars(step, values)
                self._progress.log(step, values)
                for warning in self._watch.look(values):
                    self._progress.say(f"warning: step {step}: {warning}")

    def _samples(self, step: int) -> np.ndarray:
        images = np.asarray(self._sample(parallel.first_copy(self._state.ema)))
        if not np.isfinite(images).all():
            raise Diverged(self._divergence(f"a sample is not finite at step {step}"))
        return images

    def _write_samples(self, step: int) -> None:
        images = self._samples(step)
        if not self._writes:
            return
        folder = self._workdir / "samples"
        picture = write_grid(folder / f"step_{step:08d}.png", images, real=self._real)
        write_grid(folder / "latest.png", images, real=self._real)
        self._board.picture(step, "samples", picture)

    def _evaluate(self, step: int) -> Score | None:
        """Tells the figures of the averaged generator; returns the one that ranks checkpoints."""
        self._samples(step)  # what is not finite would be black to a network
        means, deviations = self._figures(self._state.ema)
        line = self._evaluator.line(step, step * self._config.batch_size, means, deviations)
        if self._writes:
            json_lines.append(self._workdir / "evaluation.jsonl", line)
            self._board.scalars(step, {f"eval/{name}": value for name, value in means.items()})
        self._progress.say(f"step {step}: {self._evaluator.in_words(means)}")
        return self._evaluator.score(self._config.eval.best, means)

    def _save(self, step: int, score: Score | None) -> None:
        if self._writes:
            self._metrics.sync()
        seen = {"images_seen": step * self._config.batch_size}
        try:
            self._checkpoints.save(step, self._state, self._record | seen, score=score)
        except NonFiniteState as error:
            raise Diverged(self._divergence(f"{error.leaf} is not finite at step {step}")) from None

    def _divergence(self, what: str) -> str:
        self._checkpoints.wait()
        steps = self._checkpoints.steps()
        newest = f"the newest checkpoint is step {steps[-1]}" if steps else "there is no checkpoint"
        return (
            f"training diverged: {what}. Nothing of it was saved; {newest} in {self._workdir}. "
            "Try a lower learning rate or a heavier penalty"
        )


def _newest_state(algorithm: Algorithm, checkpoints: Checkpoints, seed: int) -> Restored:
    """The state to go on from: the newest checkpoint that verifies, or step 0."""
    init = jax.jit(algorithm.init)
    key = jax.random.key(seed)
    restored = checkpoints.restore_latest(jax.eval_shape(init, key))
    return restored or Restored(init(key), metadata={}, notes=[], step=0)


def _feeds(
    config: ConfigDict, source: Source, algorithm: Algorithm, start: int
) -> tuple[dict[str, np.ndarray], Iterator[tuple[int, Any]]]:
    """What stays on the devices, and the (last step, feed) of each call to come."""
    resident = source.resident if config.data.placement != "host" else None
    loader = Loader(
        source,
        experiment.build_plan(config, source),
        minibatches=algorithm.minibatches,
        batch_size=config.batch_size,
        local_devices=jax.local_device_count(),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        resident=resident is not None,
    )
    steps = config.steps_per_call

    def make(step: int) -> tuple[int, Any]:
        return step + steps, parallel.shard(loader(step, steps))

    return resident or {}, prefetch(make, iter(range(start, config.total_steps, steps)))


def _all_stop(stop: threading.Event, call: int) -> bool:
    """Whether to stop after this call of the compiled program: all processes answer the same.

    `call` grows by one each time: jax.distributed agrees on a number that each is yet to reach.
    """
    if jax.process_count() == 1:
        return stop.is_set()
    return multihost_utils.reached_preemption_sync_point(call)


_STOPPING = b"stopping and saving; a second signal ends at once, and loses what is not saved\n"


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Yields an event that the first SIGTERM or Ctrl-C sets; the second one kills as usual.

    With several processes jax.distributed listens to SIGTERM itself and agrees on a step.
    """
    stop = threading.Event()
    if jax.process_count() > 1 or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(number: int, frame: Any) -> None:
        del number, frame
        restore()
        stop.set()
        with suppress(OSError):  # nobody reads it; the run is saved all the same
            os.write(2, _STOPPING)  # a print could meet itself, half done, in what was interrupted

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()
