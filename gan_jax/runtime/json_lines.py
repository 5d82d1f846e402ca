"""Files of one JSON object a line, which may end torn, for their writer was killed."""

import json
import os
from collections.abc import Mapping
from typing import Any

from etils import epath

from gan_jax.runtime import workdir


def read(path: epath.PathLike) -> list[dict[str, Any]]:
    """Returns the objects of the whole lines; [] where there is no file."""
    path = epath.Path(path)
    if not path.exists():
        return []
    objects = (_parsed(line) for line in path.read_bytes().splitlines(keepends=True))
    return [line for line in objects if line is not None]


def append(path: epath.PathLike, line: Mapping[str, Any]) -> None:
    """Adds a line, which is on disk when this returns; others may be added meanwhile.

    Begins anew after a torn line. Behind a URL, where nothing can be appended, the whole file is
    written.

    Raises:
      InputError: the file cannot be written.
    """
    text = json.dumps(line, allow_nan=False) + "\n"
    if not workdir.is_local(path):
        before = "".join(json.dumps(each) + "\n" for each in read(path))
        workdir.write_bytes(path, (before + text).encode())
        return
    with workdir.input_error(f"cannot write {path}"), open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            text = text if file.read() == b"\n" else "\n" + text
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def cut(path: epath.PathLike, step: int) -> None:
    """Removes the lines whose `step` is beyond `step`, and torn ones."""
    path = epath.Path(path)
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if (_parsed(line) or {}).get("step", step + 1) <= step]
    if kept != lines:
        workdir.write_bytes(path, b"".join(kept))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Returns the object of a line; None where it is torn."""
    try:
        value = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
