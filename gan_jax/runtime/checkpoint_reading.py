"""Reads checkpoints and touches nothing: training may be going on.

See `checkpoint` for what one is made of. What is damaged is told from what is not there, and from
what is of another network.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util

from gan_jax.errors import InputError
from gan_jax.runtime.checkpoint_record import Arrays, PyTree, Score, crc_of_json, facts_of, name_of


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


def saved_steps(folder: epath.PathLike) -> list[int]:
    """Returns the steps saved in a folder, oldest first; [] where it does not exist."""
    folder = absolute(folder)
    try:
        return sorted(ocp.utils.checkpoint_steps(folder))
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): move it away") from error


def best_step(folder: epath.PathLike) -> int:
    """Returns the step of the highest score in a folder, which is only read.

    Only scores of the newest one's kind count: others cannot be compared with it.

    Raises:
      InputError: no checkpoint has a score.
    """
    folder = absolute(folder)
    scores = read_scores(folder)
    if not scores:
        raise InputError(
            f"no checkpoint in {folder} was evaluated in training, so none is the best: "
            "train with --config.eval.every_images, or name the newest or a step"
        )
    return best_steps(scores, scores[max(scores)].kind)[0]


def read_scores(folder: epath.PathLike) -> dict[int, Score]:
    """Reads the score of each step that has one and whose record verifies, oldest first."""
    folder, scores = absolute(folder), {}
    for step in saved_steps(folder):
        with contextlib.suppress(_Damaged):
            score = _read_record(folder / str(step)).get("score")
            if score is not None:
                scores[step] = Score(**score)
    return scores


def best_steps(scores: Mapping[int, Score], kind: str) -> list[int]:
    """Returns the steps whose scores are of a kind, the best first, of equal ones the last."""
    alike = {step: score.value for step, score in scores.items() if score.kind == kind}
    return sorted(alike, key=lambda step: (alike[step], step), reverse=True)


def newest_metadata(folder: epath.PathLike) -> dict[str, Any] | None:
    """Reads the metadata of the newest checkpoint where they can be read, and nothing else.

    None where there is no checkpoint. The folder is only read, and need not be there.
    """
    folder = absolute(folder)
    for step in reversed(saved_steps(folder)):
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
    quieten_orbax()
    folder = absolute(folder)
    steps = saved_steps(folder)
    if not steps:
        raise InputError(f"{folder} holds no checkpoint: train first, or name another --workdir")
    if step is not None and step not in steps:
        raise InputError(f"{folder} holds no checkpoint of step {step}; there are {steps}")
    return newest_sound(folder, steps if step is None else [step], like, part="ema/")


class _Damaged(Exception):  # noqa: N818
    """A checkpoint cannot be read, or does not verify; the message is a few words."""


def newest_sound(
    folder: epath.Path,
    steps: list[int],
    like: PyTree | None,
    *,
    part: str = "",
    agree: Callable[[bool], bool] = bool,
) -> Restored:
    """Walks `steps` downward; returns what the first sound one holds.

    Args:
      folder: of the checkpoints, `absolute`.
      steps: to try, oldest first.
      like: see `restore_weights`.
      part: what the paths of the arrays to read begin with.
      agree: whether all processes say so.

    Raises:
      InputError: none is sound, or the newest sound one does not match `like`.
    """
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
    if len(steps) == 1 < len(saved_steps(folder)):
        raise InputError(f"checkpoint {faults} of {folder} cannot be read: name another")
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
    if crc != crc_of_json(record):
        raise _Damaged("metadata: checksum")
    return record


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
        if facts_of(array) != facts[path]:
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
    wanted = {name_of(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(like)}
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


def absolute(folder: epath.PathLike) -> epath.Path:
    """TensorStore wants absolute paths; a URL is one already, and `absolute` would break it."""
    path = epath.Path(folder)
    return path if "://" in str(path) else path.absolute()


def quieten_orbax() -> None:
    """Keeps Orbax's log off the console: what goes wrong is raised here, or noted by a restore."""
    logging.getLogger("absl").addFilter(_not_of_orbax)


def _not_of_orbax(entry: logging.LogRecord) -> bool:
    return "/orbax/checkpoint/" not in entry.pathname
