"""The name under which a user's own folder is prepared: it changes whenever the folder does."""

import os
import re
from collections.abc import Iterable

from etils import epath

from gan_jax.data.source import fingerprint


def of(folder: epath.Path, files: Iterable[str], *settings: object) -> str:
    """Names a folder's present content.

    Args:
      folder: The folder, an absolute path.
      files: The files in it that count, relative to it. Their names, sizes and times of change are
        hashed, not their bytes: a start must not read a whole data set to see that it is the same.
      *settings: What else the prepared set depends on.

    Returns:
      The folder's own name and a hash, such as "photos-1f0c9a7be2d4c553"; safe as a file name.
    """
    top = os.fspath(folder)
    stats = sorted((file, *_size_and_time(os.path.join(top, file))) for file in files)
    readable = re.sub(r"[^\w\-.]+", "_", folder.name, flags=re.ASCII).strip("._") or "folder"
    return f"{readable}-{fingerprint(top, stats, settings)}"


def _size_and_time(path: str) -> tuple[int, int]:
    if "://" in path:
        remote = epath.Path(path).stat()
        return remote.length, remote.mtime
    try:
        local = os.stat(path)
    except OSError:  # a link to nowhere; reading it will say so
        return -1, -1
    # The time of change, not of modification: archives set the latter to whatever they like.
    return local.st_size, local.st_ctime_ns
