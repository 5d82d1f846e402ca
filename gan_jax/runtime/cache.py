"""What outlives a run: compiled programs; and what a run was made with."""

import importlib.metadata
import os
import pathlib

import jax


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


def versions() -> dict[str, str]:
    """Returns the versions of the libraries that decide what a run computes."""
    names = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {name: importlib.metadata.version(name) for name in names}
