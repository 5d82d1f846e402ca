"""What outlives a run: compiled programs, and arrays that took long; what a run was made with."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gan_jax.errors import InputError
from gan_jax.runtime import workdir


def cache_folder() -> pathlib.Path:
    """Returns the user's cache folder of this project: `$XDG_CACHE_HOME/gan_jax`."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "gan_jax"


def cache_compiled_programs() -> None:
    """Keeps compiled programs on disk, so that a second start skips compilation.

    A `JAX_COMPILATION_CACHE_DIR` in the environment wins.
    """
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    # By default programs that compile in less than a second are not kept.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def cached_arrays(
    kind: str,
    key: Mapping[str, Any],
    make: Callable[[], Mapping[str, np.ndarray]],
    *,
    agree: Callable[[bool], bool] = bool,
) -> dict[str, np.ndarray]:
    """Returns arrays by name, made once for each key and kept in the cache folder.

    The file is written whole or not at all; one that cannot be read is made again; and where
    nothing can be written, nothing is kept.

    Args:
      kind: what the arrays are, a folder of the cache.
      key: plain values, all that the arrays depend on.
      make: makes them.
      agree: `parallel.all_agree` where processes make them together: then all read, or none.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = cache_folder() / kind / f"{digest[:32]}.npz"
    found = None
    with (
        contextlib.suppress(Exception),  # broken bytes make anything of NumPy and zlib
        path.open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        found = dict(arrays)
    if agree(found is not None) and found is not None:
        return found
    made = dict(make())
    with contextlib.suppress(InputError):
        workdir.write_npz(path, made)
    return made


def versions() -> dict[str, str]:
    """Returns the versions of the libraries that decide what a run computes."""
    names = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {name: importlib.metadata.version(name) for name in names}
