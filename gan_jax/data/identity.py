"""The name under which a user's own folder is prepared: it changes whenever the folder does."""

import os
import re
from collections.abc import Iterable

from etils import epath

from gan_jax.data.source import fingerprint


def of(folder: epath.Path, files: Iterable[epath.Path], *settings: object) -> str:
    """Names a folder's present content.

    Args:
      folder: The folder, an absolute path.
      files: The files in it that count. Their paths, sizes and times of change are hashed, not
        their bytes: a start must not read a whole data set to see that it is the same.
      *settings: What else the prepared set depends on.

    Returns:
      The folder's own name and a hash, such as "photos-1f0c9a7be2d4c553"; safe as a file name.
    """
    stats = sorted((str(file), *_size_and_time(file)) for file in files)
    readable = re.sub(r"[^\w\-.]+", "_", folder.name, flags=re.ASCII).strip("._") or "folder"
    return f"{readable}-{fingerprint(stats, settings)}"


def _size_and_time(file: epath.Path) -> tuple[int, int]:
    if "://" in os.fspath(file):
        remote = file.stat()
        return remote.length, remote.mtime
    # The time of change, not of modification: archives set the latter to whatever they like.
    local = os.stat(file)
    return local.st_size, local.st_ctime_ns
