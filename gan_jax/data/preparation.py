"""Preparing a data set once: atomically, and by one process at a time."""

import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from etils import epath

from gan_jax.data.recipe import Recipe
from gan_jax.errors import InputError


def data_root(data_dir: str | os.PathLike[str] | None) -> epath.Path:
    """Returns where prepared sets live: `data_dir`, else `TFDS_DATA_DIR`, else TFDS's default."""
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return epath.Path(folder).expanduser()


def prepared(recipe: Recipe, root: epath.Path) -> epath.Path:
    """Prepares a recipe, unless that has been done.

    TFDS writes into a folder whose name starts with "incomplete." and renames it at the very end,
    so a killed preparation leaves nothing that looks finished.

    Args:
      recipe: The data set.
      root: TFDS's data directory.

    Returns:
      The folder that the prepared set lies in.

    Raises:
      InputError: The data are broken, or `root` cannot be written.
    """
    from gan_jax.data import builders  # imports TFDS, which takes a second

    folder = root / recipe.name / recipe.identity / builders.VERSION

    def build() -> None:
        _remove_leftovers(folder)
        try:
            # A recipe downloads nothing, but TFDS makes the folders for it all the same.
            with quietly(bars=False), tempfile.TemporaryDirectory() as downloads:
                builder = builders.RecipeBuilder(recipe, os.fspath(root))
                builder.download_and_prepare(download_dir=downloads, file_format="array_record")
        except BaseException:
            with contextlib.suppress(OSError):  # stops at the first that is not empty
                os.rmdir(folder.parent)
                os.rmdir(root / recipe.name)
            raise

    once(folder, root / f".{recipe.name}.lock", recipe.title, build)
    return folder


def once(folder: epath.Path, lock: epath.Path, title: str, build: Callable[[], None]) -> None:
    """Calls `build`, which creates `folder`, unless another process has or does meanwhile."""
    if folder.exists():
        return
    try:
        with _locked(lock, title):
            if not folder.exists():
                build()
    except OSError as error:
        # Without a common lock (object stores, other hosts) another process may have been faster.
        if not folder.exists():
            reason = str(error).partition("\n")[0]
            raise InputError(f"{title} cannot be prepared in {folder}: {reason}") from error


@contextlib.contextmanager
def _locked(path: epath.Path, title: str) -> Iterator[None]:
    """Holds an exclusive lock, which ends with the process however that ends.

    Where an error ends it, what was made for it goes again: its file, and the folders above.
    """
    if "://" in os.fspath(path):  # object stores have no locks
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
        return
    made: list[epath.Path] = []  # what was not there before, the innermost first
    with contextlib.ExitStack() as files:
        try:
            while True:
                is_new = not path.exists()
                made += [folder for folder in path.parents if not folder.exists()]
                file = files.enter_context(_open(path))
                _wait_for(file, title)
                if _is_at(path, file):
                    break
            made[:0] = [path] if is_new else []  # only now: one who waits must not remove it
            yield
        except BaseException:
            _remove(made)  # while the lock is held: those who wait for it see that it has gone
            raise


def _open(path: epath.Path) -> IO[str]:
    """Opens the lock's file, and makes it and its folder."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return open(path, "w")
        except FileNotFoundError:
            if path.parent.exists():  # else a process that failed has just removed it: once more
                raise


def _wait_for(file: IO[str], title: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Waiting for the process that prepares {title}", file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_at(path: epath.Path, file: IO[str]) -> bool:
    """Returns whether `file` is still what others find at `path`, not a removed one."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _remove(made: list[epath.Path]) -> None:
    """Removes a lock's file, and those of its folders that are empty."""
    for place in made:
        with contextlib.suppress(OSError):
            if place.is_dir():
                os.rmdir(place)
            else:
                os.unlink(place)


@contextlib.contextmanager
def quietly(bars: bool) -> Iterator[None]:
    """Keeps TFDS off stdout and its log off stderr; `bars` says whether it may draw its own."""
    import tensorflow_datasets as tfds
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    if not bars:
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(None):
            yield
    finally:
        tfds.enable_progress_bar()
        logging.set_verbosity(verbosity)


def _remove_leftovers(folder: epath.Path) -> None:
    """Removes what killed preparations of `folder` left; call it with the lock held."""
    if folder.parent.exists():
        for leftover in folder.parent.glob(f"incomplete.*_{folder.name}"):
            leftover.rmtree()
