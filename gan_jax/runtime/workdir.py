"""The folder of a run: one process group at a time, and files that are whole or not there."""

import contextlib
import fcntl
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath

from gan_jax.errors import InputError


def is_local(path: epath.PathLike) -> bool:
    """Returns whether `path` is on this machine's file system, not behind a URL such as gs://."""
    return "://" not in os.fspath(path)


def check_writable(workdir: epath.PathLike) -> None:
    """Checks, without touching anything, that `workdir` is there to write in or can be made.

    Raises:
      InputError: it cannot.
    """
    folder = epath.Path(workdir)
    if not is_local(folder):
        return
    existing = os.path.abspath(folder)
    while not os.path.exists(existing):  # false, unlike pathlib's, where one may not even look
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"cannot write in {folder}: choose another --workdir")


@contextlib.contextmanager
def lock(workdir: epath.PathLike) -> Iterator[None]:
    """Makes `workdir` where it does not exist, and holds it against other runs.

    The lock is `flock` on a file within, so the kernel frees it however the process ends. Behind
    a URL there is no such thing, and on the rare file system without locks it is done without.

    Raises:
      InputError: another run holds it, or it cannot be made or written.
    """
    folder = epath.Path(workdir)
    with input_error(f"cannot write in {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    if not is_local(folder):
        yield
        return
    with input_error(f"cannot write in {folder}"):
        file = open(folder / ".lock", "a+", encoding="ascii")  # noqa: SIM115 - held while we yield
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise InputError(
                f"{folder} is in use by another run (process {owner}): "
                "wait for it or choose another --workdir"
            ) from None
        except OSError:  # no locks here (some network file systems)
            pass
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def in_use(workdir: epath.PathLike) -> bool:
    """Returns whether a run holds the lock of `workdir`; False where there are no locks."""
    file = epath.Path(workdir) / ".lock"
    if not is_local(workdir) or not file.exists():
        return False
    with open(file, "rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def write_bytes(path: epath.PathLike, data: bytes) -> None:
    """Writes a file that is seen whole or not at all, and makes its folder.

    Raises:
      InputError: the place cannot be written.
    """
    path = epath.Path(path)
    # Beside it, for a rename crosses no file system; by a name that no other process takes.
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    with input_error(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)


def write_npz(path: epath.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as a compressed .npz; otherwise as `write_bytes`."""
    data = io.BytesIO()
    np.savez_compressed(data, **dict(arrays))  # type: ignore[arg-type]
    write_bytes(path, data.getvalue())


def write_json(path: epath.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON; otherwise as `write_bytes`."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


@contextlib.contextmanager
def input_error(what: str) -> Iterator[None]:
    """Turns what the file system refuses into one line for the user, an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{what}: {error.strerror or error}") from error
