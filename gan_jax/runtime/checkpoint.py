"""Checkpoints that verify when they are read, or the one before is taken.

A checkpoint is an Orbax composite:

    checkpoints/<step>/state       the arrays, as a nested dict named after the tree's own paths
    checkpoints/<step>/metadata    JSON: the caller's dict, and shape, dtype, crc32 of each array
    checkpoints/<step>/metrics     JSON, where it was evaluated: one score by its name

Orbax restores a flipped bit without a word, hence the checksums. Only host NumPy goes in and comes
out, so a checkpoint knows no topology: one from 8 devices or 2 processes restores on 1.
"""

import asyncio
import contextlib
import json
import logging
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util

from gan_jax.errors import InputError
from gan_jax.runtime import parallel

PyTree = Any
Arrays = dict[str, np.ndarray]  # by tree path: "generator/params/Dense_0/kernel"


class NonFiniteState(FloatingPointError):  # noqa: N818 - it names what the state is
    """A leaf of the state is not finite, so the state was not saved. `leaf` is its path."""

    def __init__(self, step: int, leaf: str):
        super().__init__(f"the state of step {step} is not finite (first in {leaf}): not saved")
        self.step = step
        self.leaf = leaf


class Restored(NamedTuple):
    """What a checkpoint held.

    Attributes:
      state: the tree asked for, its leaves host NumPy arrays (a PRNG key is a typed key again).
      metadata: the dict that was given to `save`.
      notes: a line for each newer checkpoint that was damaged, for the user to read.
      step: the step it was saved at.
      damaged: the steps of those newer ones.
    """

    state: PyTree
    metadata: dict[str, Any]
    notes: list[str]
    step: int
    damaged: Sequence[int] = ()


class Checkpoints:
    """The checkpoints of one run: saved in the background, the latest and the best ones kept.

    For the one process group that trains: unfinished saves of a killed run are cleared away at the
    start. Readers (`restore_weights`) touch nothing. Where there are several processes, every one
    makes every call; process 0 writes.

    Args:
      folder: where the steps' folders are; made if need be. Any path that etils.epath knows.
      keep: how many of the latest checkpoints to keep.
      keep_best: how many of those with the highest scores to keep beside them. Where there are
        scores by several names, those by the newest one's count.
    """

    def __init__(self, folder: epath.PathLike, *, keep: int = 2, keep_best: int = 0):
        _quieten_orbax()
        self._folder = _absolute(folder)
        self._score_name = _newest_name(_read_scores(self._folder))
        policies = ocp.checkpoint_managers
        best = policies.BestN(
            get_metric_fn=self._rank, n=keep_best, keep_checkpoints_without_metrics=False
        )
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                best_fn=self._rank,  # without it metrics are not written
                preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(keep), best]),
                cleanup_tmp_directories=True,
            ),
        )

    def save(
        self,
        step: int,
        state: PyTree,
        metadata: Mapping[str, Any],
        *,
        score: tuple[str, float] | None = None,
    ) -> None:
        """Starts to save; returns once the state is copied, so its buffers may be donated.

        Args:
          step: newer than every step there is.
          state: any tree of arrays, equal on all processes; typed PRNG keys are arrays too.
          metadata: goes into the JSON item.
          score: its name, and how good the state is, the higher the better; None where that is not
            known.

        Raises:
          NonFiniteState: a leaf holds NaN or infinity; nothing is written.
        """
        arrays = _to_host(state)
        for path, array in arrays.items():
            if jnp.issubdtype(array.dtype, jnp.inexact) and not np.isfinite(array).all():
                raise NonFiniteState(step, path)
        # Orbax refuses arrays without elements; their shape in the record is all there is to them.
        tree = traverse_util.unflatten_dict({k: v for k, v in arrays.items() if v.size}, sep="/")
        self._score_name = score[0] if score else self._score_name
        saved = self._manager.save(
            step,
            metrics=dict([score]) if score else None,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeSave(tree),
                metadata=ocp.args.JsonSave(_record(arrays, metadata)),
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
        return _newest_sound(self._folder, steps, like, agree=parallel.all_agree)

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

    def _rank(self, metrics: Mapping[str, float]) -> float:
        return metrics.get(self._score_name or "", -math.inf)

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


def saved_steps(folder: epath.PathLike) -> list[int]:
    """Returns the steps saved in a folder, which is only read, oldest first."""
    return _steps(_absolute(folder))


def best_step(folder: epath.PathLike) -> int:
    """Returns the step of the highest score in a folder, which is only read.

    Of scores by several names, those by the newest one's count; of equal ones the last.

    Raises:
      InputError: no checkpoint has a score.
    """
    folder = _absolute(folder)
    scores = _read_scores(folder)
    name = _newest_name(scores)
    if name is None:
        raise InputError(
            f"no checkpoint in {folder} was evaluated in training, so none is the best: "
            "train with --config.eval.every_images, or name the newest or a step"
        )
    return max(scores, key=lambda step: (scores[step].get(name, -math.inf), step))


def newest_metadata(folder: epath.PathLike) -> dict[str, Any] | None:
    """Reads the metadata of the newest checkpoint where they can be read, and nothing else.

    None where there is no checkpoint. The folder is only read, and need not be there.
    """
    folder = _absolute(folder)
    for step in reversed(_steps(folder)):
        with contextlib.suppress(_Damaged):
            return _read_record(folder / str(step))["metadata"]
    return None


def restore_weights(
    folder: epath.PathLike, like: PyTree | None = None, *, step: int | None = None
) -> Restored:
    """Reads the averaged generator, the `ema` part of a state, and nothing else.

    Args:
      folder: the folder of the checkpoints, which is only read: training may be going on.
      like: the tree that `ema` must match; None gives nested dicts, as saved.
      step: which step; the newest that verifies by default.

    Raises:
      InputError: there is no such checkpoint, it is damaged, or it does not match `like`.
    """
    _quieten_orbax()
    folder = _absolute(folder)
    steps = _steps(folder)
    if not steps:
        raise InputError(f"{folder} holds no checkpoint: train first, or name another --workdir")
    if step is not None and step not in steps:
        raise InputError(f"{folder} holds no checkpoint of step {step}; there are {steps}")
    return _newest_sound(folder, steps if step is None else [step], like, part="ema/")


# ---- reading -------------------------------------------------------------------------------------


def _steps(folder: epath.Path) -> list[int]:
    """Returns the steps saved in a folder, oldest first; [] where it does not exist."""
    try:
        return sorted(ocp.utils.checkpoint_steps(folder))
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): move it away") from error


class _Damaged(Exception):  # noqa: N818
    """A checkpoint cannot be read, or does not verify; the message is a few words."""


def _newest_sound(
    folder: epath.Path,
    steps: list[int],
    like: PyTree | None,
    *,
    part: str = "",
    agree: Callable[[bool], bool] = bool,
) -> Restored:
    """Walks `steps` downward; returns what the first sound one holds."""
    damaged: dict[int, str] = {}
    for step in reversed(steps):
        try:
            record = _read_record(folder / str(step))
            arrays = _read_arrays(folder / str(step), record, part)
        except _Damaged as fault:
            damaged[step] = str(fault)
        # One process may fail to read what another can: all of them take the same step.
        if not agree(step not in damaged):
            damaged.setdefault(step, "another process cannot read it")
            continue
        notes = [
            f"checkpoint {bad} is damaged ({why}); going on from {step}"
            for bad, why in damaged.items()
        ]
        state = _like(arrays, like, part, folder / str(step))
        return Restored(state, record["metadata"], notes, step, tuple(damaged))
    faults = ", ".join(f"{step} ({why})" for step, why in damaged.items())
    raise InputError(
        f"no checkpoint in {folder} can be read: {faults}. "
        "Put back a copy of one, or delete the folder to start anew"
    )


def _read_record(folder: epath.Path) -> dict[str, Any]:
    """Reads the JSON item; raises _Damaged."""
    try:
        record = ocp.JsonCheckpointHandler().restore(folder / "metadata")
        crc = record.pop("crc32")
    except Exception as error:
        raise _Damaged(f"metadata: {type(error).__name__}") from error
    if crc != _crc_json(record):
        raise _Damaged("metadata: checksum")
    return record


def _read_scores(folder: epath.Path) -> dict[int, dict[str, float]]:
    """Reads the score of each step by its name, oldest first; those without one are left out."""
    handler, scores = ocp.JsonCheckpointHandler(filename="metrics"), {}
    for step in _steps(folder):
        # Not evaluated, being deleted, or damaged: not the best in any case.
        with contextlib.suppress(Exception):
            scores[step] = handler.restore(folder / str(step) / "metrics")
    return scores


def _newest_name(scores: Mapping[int, Mapping[str, float]]) -> str | None:
    return next((name for each in reversed(list(scores.values())) for name in each), None)


def _read_arrays(folder: epath.Path, record: dict[str, Any], part: str) -> Arrays:
    """Reads the arrays whose path begins with `part`, and checks each; raises _Damaged."""
    facts = {path: fact for path, fact in record["arrays"].items() if path.startswith(part)}
    arrays = {p: np.zeros(f["shape"], jnp.dtype(f["dtype"])) for p, f in facts.items()}
    wanted = traverse_util.unflatten_dict({p: v for p, v in arrays.items() if v.size}, sep="/")
    restore_args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
    try:
        # A handler of its own, not the manager's: no barriers, and it reads a part of a tree.
        handler = ocp.PyTreeCheckpointHandler(type_handler_registry=_registry())
        tree = handler.restore(
            folder / "state",
            args=ocp.args.PyTreeRestore(wanted, restore_args=restore_args, partial_restore=True),
        )
    except Exception as error:  # TensorStore and Orbax make anything of broken bytes
        raise _Damaged(f"state: {type(error).__name__}") from error
    arrays |= {p: np.asarray(v) for p, v in traverse_util.flatten_dict(tree, sep="/").items()}
    for path, array in arrays.items():
        if _facts(array) != facts[path]:
            raise _Damaged(f"{path}: checksum")
    return arrays


class _PatientReader(ocp.type_handlers.NumpyHandler):
    """Waits for every read, though one fails.

    Orbax leaves at the first fault and closes its event loop; the reads that end afterwards would
    each put a traceback on the console.
    """

    async def deserialize(self, infos: Sequence[Any], args: Any = None) -> list[np.ndarray]:
        read = super().deserialize  # of one array at a time
        each = zip(infos, args or [ocp.RestoreArgs()] * len(infos), strict=True)
        results: list[Any] = await asyncio.gather(
            *(read([i], [a]) for i, a in each), return_exceptions=True
        )
        for fault in results:
            if isinstance(fault, BaseException):
                raise fault
        return [result[0] for result in results]


def _registry() -> Any:
    return ocp.type_handlers.create_type_handler_registry((np.ndarray, _PatientReader()))


def _like(arrays: Arrays, like: PyTree | None, part: str, where: epath.Path) -> PyTree:
    """Arranges arrays as the tree `like`; raises InputError where they do not match it."""
    arrays = {path.removeprefix(part): array for path, array in arrays.items()}
    if like is None:
        return traverse_util.unflatten_dict(arrays, sep="/")
    wanted = {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(like)}
    for path in sorted(wanted.keys() ^ arrays.keys()):
        who = "the checkpoint" if path in arrays else "this config"
        raise InputError(f"{where} is of another network or optimizer: only {who} has {path}")
    leaves = [_leaf(arrays[path], leaf, path, where) for path, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _leaf(array: np.ndarray, like: Any, path: str, where: epath.Path) -> Any:
    """Returns one leaf, a typed key where `like` is one; raises InputError on another shape."""
    shape: tuple[int, ...] = jnp.shape(like)
    dtype: Any = jax.dtypes.result_type(like)
    if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
        expected = jax.eval_shape(jax.random.key_data, jax.ShapeDtypeStruct(shape, dtype))
    else:
        expected = jax.ShapeDtypeStruct(shape, dtype)
    if (array.shape, array.dtype) != (expected.shape, expected.dtype):
        raise InputError(
            f"{where} is of another network or optimizer: {path} is {array.dtype}{array.shape} "
            f"there, {expected.dtype}{expected.shape} in this config"
        )
    if expected.dtype == dtype:
        return array
    return jax.random.wrap_key_data(jnp.asarray(array), dtype=dtype)


# ---- naming and checking -------------------------------------------------------------------------


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _to_host(state: PyTree) -> Arrays:
    """Fetches a tree in one transfer. Returns its leaves by path, keys as their raw data."""
    leaves = {
        _name(path): jax.random.key_data(leaf) if _is_key(leaf) else leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }
    return {path: np.asarray(leaf) for path, leaf in jax.device_get(leaves).items()}


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _facts(array: np.ndarray) -> dict[str, Any]:
    crc = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)  # .data knows no bfloat16
    return {"shape": list(array.shape), "dtype": str(array.dtype), "crc32": crc}


def _record(arrays: Arrays, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the JSON item: the caller's metadata, facts of each array, and its own checksum."""
    record = {"metadata": metadata, "arrays": {p: _facts(array) for p, array in arrays.items()}}
    record = json.loads(json.dumps(record))  # as a reader gets it: tuples are lists, keys strings
    return record | {"crc32": _crc_json(record)}


def _crc_json(record: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(record, sort_keys=True).encode())


# ---- the machine ---------------------------------------------------------------------------------


def _absolute(folder: epath.PathLike) -> epath.Path:
    """TensorStore wants absolute paths; a URL is one already, and `absolute` would break it."""
    path = epath.Path(folder)
    return path if "://" in str(path) else path.absolute()


def _quieten_orbax() -> None:
    """Keeps Orbax's log off the console: what goes wrong is raised here, or noted by a restore."""
    logging.getLogger("absl").addFilter(_not_of_orbax)


def _not_of_orbax(entry: logging.LogRecord) -> bool:
    return "/orbax/checkpoint/" not in entry.pathname
