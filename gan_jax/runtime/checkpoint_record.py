"""What a checkpoint says of its arrays: names, shapes, types and checksums."""

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

PyTree = Any
Arrays = dict[str, np.ndarray]
"""By tree path, as in "generator/params/Dense_0/kernel"."""


class Score(NamedTuple):
    """How good a state is.

    Attributes:
      kind: which figure it is, by which protocol: only scores of one kind compare.
      value: the higher the better.
    """

    kind: str
    value: float


def name_of(path: tuple[Any, ...]) -> str:
    """Returns a leaf's path in a tree as one name."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def to_host(state: PyTree) -> Arrays:
    """Fetches a tree in one transfer. Returns its leaves by path, keys as their raw data."""
    leaves = {
        name_of(path): jax.random.key_data(leaf) if _is_key(leaf) else leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }
    return {path: np.asarray(leaf) for path, leaf in jax.device_get(leaves).items()}


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def facts_of(array: np.ndarray) -> dict[str, Any]:
    """Returns shape, type and checksum."""
    crc = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)  # .data knows no bfloat16
    return {"shape": list(array.shape), "dtype": str(array.dtype), "crc32": crc}


def record_of(
    arrays: Arrays, metadata: Mapping[str, Any], score: Score | None = None
) -> dict[str, Any]:
    """Returns the JSON item: the caller's metadata, facts of each array, and its own checksum."""
    record = {"metadata": metadata, "arrays": {p: facts_of(array) for p, array in arrays.items()}}
    if score is not None:
        record["score"] = score._asdict()
    record = json.loads(json.dumps(record))  # as a reader gets it: tuples are lists, keys strings
    return record | {"crc32": crc_of_json(record)}


def crc_of_json(record: dict[str, Any]) -> int:
    """Returns the checksum of a record without one."""
    return zlib.crc32(json.dumps(record, sort_keys=True).encode())
