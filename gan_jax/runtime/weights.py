"""Published weights: a file that the user names, or that is fetched once into the cache folder."""

import hashlib
import http.client
import os
import pathlib
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import InputError
from gan_jax.runtime.cache import cache_folder
from gan_jax.runtime.torch_file import read_tensors

INCEPTION_URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)
"""pytorch-fid's copy of the Inception network of the reference FID, 95.6 MB."""

INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

# What PyTorch calls an array of a layer: which collection it is of, and what Flax calls it.
_CONVOLUTION = {"weight": ("params", "kernel")}
_NORM = {
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}
_CLASSIFIER = {"weight": ("params", "kernel"), "bias": ("params", "bias")}
_LAYERS = {"conv": _CONVOLUTION, "bn": _NORM, "fc": _CLASSIFIER}


def inception_weights(path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Returns the variables of `models.inception.InceptionV3`, on the default device.

    The file is the same whoever brings it: its whole SHA-256 is `INCEPTION_SHA256`, and nothing in
    it is executed.

    Args:
      path: of the file; by default it is looked for in the cache folder, and fetched from
        `INCEPTION_URL` if it is not there.

    Raises:
      InputError: the file cannot be read or fetched, or is another.
    """
    return jax.tree.map(jnp.asarray, inception_variables(read_tensors(inception_file(path))))


def inception_file(path: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Returns where the published weights are, having fetched and verified them.

    Args and errors are those of `inception_weights`.
    """
    path = pathlib.Path(path) if path is not None else _fetched(INCEPTION_URL, INCEPTION_SHA256)
    path = path.expanduser()
    try:
        digest = _sha256(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if digest != INCEPTION_SHA256:
        raise InputError(
            f"{path} is not the published file, whose SHA-256 begins with {INCEPTION_SHA256[:8]}; "
            f"this one's begins with {digest[:8]}. Delete it, or name another"
        )
    return path


def inception_variables(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Names and lays out PyTorch's tensors as `models.inception.InceptionV3` has its variables.

    Modules have the same names on both sides. Kernels (out, in, height, width) become
    (height, width, in, out), and the classifier's matrix (out, in) becomes (in, out). The counts of
    batches that PyTorch keeps are left out.

    Args:
      tensors: by name, as in `Mixed_5b.branch1x1.conv.weight`.

    Returns:
      {"params": ..., "batch_stats": ...}, nested by module.

    Raises:
      InputError: there is a tensor that the network does not have.
    """
    variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for name, tensor in tensors.items():
        *modules, kind = name.split(".")
        if kind == "num_batches_tracked":
            continue
        layer = _LAYERS.get(modules[-1], {}) if modules else {}
        if kind not in layer:
            raise InputError(
                f"{name} is not a tensor of the Inception network of the reference FID"
            )
        collection, leaf = layer[kind]
        place = variables[collection]
        for module in modules:
            place = place.setdefault(module, {})
        place[leaf] = tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T
    return variables


def _fetched(url: str, sha256: str) -> pathlib.Path:
    """Returns where in the cache folder the file is, after fetching it if it is not there."""
    path = cache_folder() / "weights" / url.rpartition("/")[2]
    if path.exists():
        return path
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(url, timeout=30) as source,
            tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as target,
        ):
            partial = pathlib.Path(target.name)
            shutil.copyfileobj(source, target)
        digest = _sha256(partial)
        if digest != sha256:
            raise OSError(f"what came is another file, whose SHA-256 begins with {digest[:8]}")
        partial.replace(path)
    except (OSError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"fetching {url} failed ({reason}); put that file at {path}") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return path


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
