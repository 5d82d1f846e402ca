"""Preparing a data set once: atomically, and by one process at a time."""

import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

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
            with contextlib.suppress(OSError):  # not empty: another version lies there
                os.rmdir(folder.parent)
            raise

    once(folder, root / recipe.name, recipe.title, build)
    return folder


def once(folder: epath.Path, lock: epath.Path, title: str, build: Callable[[], None]) -> None:
    """Calls `build`, which creates `folder`, unless another process has or does meanwhile.

    Processes take turns by holding the folder `lock`, which `folder` lies in.
    """
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
def _locked(folder: epath.Path, title: str) -> Iterator[None]:
    """Makes `folder` and locks it, until the process ends at the latest; no file is needed for it.

    After an error the folders that were made are removed again, where nothing lies in them.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if "://" not in os.fspath(folder):  # object stores have no locks
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            _wait_for(handle, title)
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):  # stops at the first that is not empty
                for place in made:
                    os.rmdir(place)
            raise


def _wait_for(handle: int, title: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Waiting for the process that prepares {title}", file=sys.stderr, flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:  # some network file systems cannot; the set is put in its place at once anyway
        pass


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
