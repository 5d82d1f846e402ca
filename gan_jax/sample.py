"""Draws images from a workdir's averaged generator and writes them."""

import math
import sys
from collections.abc import Sequence
from functools import partial

import jax
import numpy as np
from etils import epath

from gan_jax import trained
from gan_jax.errors import InputError
from gan_jax.runtime import workdir as workdirs
from gan_jax.runtime.grid import is_points, png, to_uint8, write_grid

CHUNK = 1_000
"""Images drawn at a time; image i is the same whatever the chunk."""


def sample(
    workdir: epath.PathLike,
    output: epath.PathLike,
    *,
    checkpoint: str = "newest",
    num_samples: int = 100,
    seed: int = 0,
    labels: Sequence[int | str] | None = None,
    standing_batches: int = 0,
    truncation: float | None = None,
) -> None:
    """Writes images drawn from a checkpoint's averaged generator.

    Args:
      workdir: the folder of a run.
      output: FILE.png, a grid; FILE.npz with `images` uint8 (N, H, W, C) and, where there are
        classes, `labels` int32 (N,); or a folder, one PNG an image. Points stay float32.
      checkpoint: "newest", "best" or a step.
      num_samples: N, at least 1.
      seed: names an endless sequence of images, of which the first N are drawn.
      labels: classes to ask for, in turn; all of them by default. For a conditional GAN only.
      standing_batches: for batch normalization, how many batches of samples to take its statistics
        from; 0 for those that training averaged.
      truncation: below 1, fewer kinds of images and better ones; None for all that the generator
        makes. See `gan_jax.gan`.

    Raises:
      InputError: something asked for cannot be done; nothing is written.
    """
    output = epath.Path(output)
    if num_samples < 1:
        raise InputError(f"--num_samples is {num_samples}; ask for at least 1")
    if standing_batches < 0:
        raise InputError(f"--standing_batches is {standing_batches}; it must not be negative")
    if truncation is not None and not 0 <= truncation < math.inf:
        raise InputError(f"--truncation is {truncation}; it must be a number from 0 on")
    if output.suffix not in ("", ".png", ".npz"):
        raise InputError(f"--output={output}: name a FILE.png, a FILE.npz or a folder")
    run = trained.load(workdir, checkpoint)
    asked = _labels_in_turn(labels, run.num_classes, num_samples)
    if standing_batches and (run.algorithm.standing is None or "batch_stats" not in run.weights):
        raise InputError("--standing_batches: this run's generator has no batch normalization")
    options = {} if truncation is None else {"truncation": truncation}
    draw = jax.jit(partial(run.algorithm.sample, num_samples=min(CHUNK, num_samples), **options))
    weights, key = jax.device_put(run.weights), jax.random.key(seed)
    if standing_batches and run.algorithm.standing is not None:
        options |= {"batches": standing_batches, "batch_size": run.config.batch_size}
        weights = jax.jit(partial(run.algorithm.standing, **options))(weights, key)
    chunks = []
    for offset in range(0, num_samples, CHUNK):
        here = None
        if asked is not None:
            here = np.resize(asked[offset : offset + CHUNK], min(CHUNK, num_samples))
        chunks.append(np.asarray(draw(weights, key, labels=here, offset=offset)))
    _write(output, np.concatenate(chunks)[:num_samples], asked)
    for note in (*run.notes, f"{num_samples} samples of step {run.step} in {output}"):
        print(note, file=sys.stderr)


def _labels_in_turn(
    labels: Sequence[int | str] | None, num_classes: int | None, num_samples: int
) -> np.ndarray | None:
    """The class of each image, int32 (N,); None where the network has no classes."""
    if num_classes is None:
        if labels:
            raise InputError("--labels: this run's networks have no classes; leave the flag out")
        return None
    classes = {str(number): number for number in range(num_classes)}
    for label in labels or ():
        if str(label) not in classes:
            raise InputError(f"--labels: {label} is not a class; there are 0 to {num_classes - 1}")
    asked = [classes[str(label)] for label in labels or classes]
    return np.resize(np.asarray(asked, np.int32), num_samples)


def _write(output: epath.Path, images: np.ndarray, labels: np.ndarray | None) -> None:
    points = is_points(images.shape[1:])
    if output.suffix == ".png":
        write_grid(output, images, columns=max(10, math.isqrt(len(images) - 1) + 1))
        return
    arrays = {"images": images if points else to_uint8(images)}
    if labels is not None:
        arrays["labels"] = labels
    if output.suffix == ".npz":
        workdirs.write_npz(output, arrays)
        return
    if points:
        raise InputError(f"--output={output}: points are no images; name a FILE.npz or a FILE.png")
    digits = len(str(len(images) - 1))
    for number, image in enumerate(arrays["images"]):
        workdirs.write_bytes(output / f"{number:0{digits}d}.png", png(image))
