"""Checkpoints that verify when they are read, or the one before is taken.

A checkpoint is an Orbax composite:

    checkpoints/<step>/state       the arrays, as a nested dict named after the tree's own paths
    checkpoints/<step>/metadata    JSON: the caller's dict; shape, dtype, crc32 of each array; and,
                                   where the state was evaluated, its score

Orbax restores a flipped bit without a word, hence the checksums. Only host NumPy goes in and comes
out, so a checkpoint knows no topology: one from 8 devices or 2 processes restores on 1.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util

from gan_jax.runtime import parallel
from gan_jax.runtime.checkpoint_reading import (
    Restored,
    absolute,
    best_steps,
    newest_sound,
    quieten_orbax,
    read_scores,
)
from gan_jax.runtime.checkpoint_record import PyTree, Score, record_of, to_host


class NonFiniteState(FloatingPointError):  # noqa: N818 - it names what the state is
    """A leaf of the state is not finite, so the state was not saved. `leaf` is its path."""

    def __init__(self, step: int, leaf: str):
        super().__init__(f"the state of step {step} is not finite (first in {leaf}): not saved")
        self.step = step
        self.leaf = leaf


class _Best(ocp.checkpoint_managers.PreservationPolicy):
    """Keeps the `number` best of each kind of score: a new kind does not cost the old one's."""

    def __init__(self, number: int, scores: Mapping[int, Score]):
        self._number, self._scores = number, scores

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        """Returns it for each of the checkpoints, which have a `step`."""
        del context
        steps = [info.step for info in checkpoints]
        scores = {step: self._scores[step] for step in steps if step in self._scores}
        kinds = {score.kind for score in scores.values()}
        best = {step for kind in kinds for step in best_steps(scores, kind)[: self._number]}
        return [step in best for step in steps]


class Checkpoints:
    """The checkpoints of one run: saved in the background, the latest and the best ones kept.

    For the one process group that trains: unfinished saves of a killed run are cleared away at the
    start. Readers (`restore_weights`) touch nothing. Where there are several processes, every one
    makes every call; process 0 writes.

    Args:
      folder: where the steps' folders are; made if need be. Any path that etils.epath knows.
      keep: how many of the latest checkpoints to keep.
      keep_best: how many of those with the highest scores to keep beside them, of each kind of
        score.
    """

    def __init__(self, folder: epath.PathLike, *, keep: int = 2, keep_best: int = 0):
        quieten_orbax()
        self._folder = absolute(folder)
        self._scores = read_scores(self._folder)
        policies = ocp.checkpoint_managers
        kept = [policies.LatestN(keep), _Best(keep_best, self._scores)]
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policies.AnyPreservationPolicy(kept),
                cleanup_tmp_directories=True,
            ),
        )

    def save(
        self,
        step: int,
        state: PyTree,
        metadata: Mapping[str, Any],
        *,
        score: Score | None = None,
    ) -> None:
        """Starts to save; returns once the state is copied, so its buffers may be donated.

        Args:
          step: newer than every step there is.
          state: any tree of arrays, equal on all processes; typed PRNG keys are arrays too.
          metadata: goes into the JSON item.
          score: how good the state is; None where that is not known.

        Raises:
          NonFiniteState: a leaf holds NaN or infinity; nothing is written.
        """
        arrays = to_host(state)
        for path, array in arrays.items():
            if jnp.issubdtype(array.dtype, jnp.inexact) and not np.isfinite(array).all():
                raise NonFiniteState(step, path)
        # Orbax refuses arrays without elements; their shape in the record is all there is to them.
        tree = traverse_util.unflatten_dict({k: v for k, v in arrays.items() if v.size}, sep="/")
        self._scores.pop(step, None)  # of one that was put aside
        if score is not None:
            self._scores[step] = score
        saved = self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeSave(tree),
                metadata=ocp.args.JsonSave(record_of(arrays, metadata, score)),
            ),
        )
        if not saved:  # Orbax says no more than this
            raise RuntimeError(f"step {step} is not newer than the checkpoints {self.steps()}")

    def restore_latest(self, like: PyTree) -> Restored | None:
        """Restores the newest checkpoint that verifies; None where there is no checkpoint.

        Nothing is touched. Newer ones that are damaged would be in the way of the saves to come:
        see `put_aside`.

        Args:
          like: a tree of arrays or `jax.ShapeDtypeStruct`s; what is saved must match it.

        Raises:
          InputError: every checkpoint is damaged, or the newest sound one does not match `like`.
        """
        self.wait()
        # What one process sees of a shared folder may be older than what another does.
        steps = parallel.from_first_process(self.steps())
        if not steps:
            return None
        return newest_sound(self._folder, steps, like, agree=parallel.all_agree)

    def put_aside(self, damaged: Sequence[int]) -> None:
        """Renames the checkpoints of these steps to `<step>.damaged`."""
        if not damaged:
            return
        if jax.process_index() == 0:
            for step in damaged:
                aside = self._folder / f"{step}.damaged"
                if aside.exists():
                    aside.rmtree()
                (self._folder / str(step)).rename(aside)
        parallel.all_agree(True)  # the others wait here until the folders are moved
        self._manager.reload()

    def steps(self) -> list[int]:
        """Returns the steps saved, oldest first, the one that is being written included."""
        return sorted(self._manager.all_steps())

    def wait(self) -> None:
        """Waits until the last save is on disk; raises what went wrong with it."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits and stops the background threads."""
        self._manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()
