"""Pictures of samples: a grid of images, or a scatter plot where the samples are points."""

import io
import math
from collections.abc import Sequence

import numpy as np
from etils import epath
from numpy.typing import ArrayLike
from PIL import Image

from gan_jax.runtime import workdir

_CELL = 56  # pixels; smaller images are enlarged, for a digit of 28 is hard to see
_PLOT = 512  # side of a scatter plot in pixels
_REAL, _GENERATED = (150, 150, 150), (31, 90, 180)  # grey beneath, blue above


def is_points(image_shape: Sequence[int]) -> bool:
    """Returns whether examples of `image_shape` (H, W, C) are points in the plane, not images."""
    return tuple(image_shape) == (1, 1, 2)


def to_uint8(images: ArrayLike) -> np.ndarray:
    """Maps [-1, 1] to 0 ... 255 by `rint((x + 1) * 127.5)`, ties to even, and clips the rest.

    The inverse of `u / 127.5 - 1` for each of the 256 values.
    """
    scaled = (np.asarray(images, np.float32) + 1) * 127.5
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def image_grid(images: ArrayLike, columns: int = 10) -> np.ndarray:
    """Tiles images row by row, parted by white lines.

    Images of less than 56 pixels are enlarged by a whole number, each pixel to a square, so that
    what one sees is what was generated.

    Args:
      images: (N, H, W, C) in [-1, 1], C from 1 to 4: grey, grey and alpha, RGB, RGBA.
      columns: images a row; fewer where there are not so many.

    Returns:
      The picture, (H', W', C) uint8.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images) or images.shape[-1] not in (1, 2, 3, 4):
        raise ValueError(f"a grid takes (N, H, W, C) with N >= 1 and C from 1 to 4: {images.shape}")
    n, height, width, channels = images.shape
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    scale = math.ceil(_CELL / min(height, width))
    cells = np.full((rows * columns, height + 1, width + 1, channels), 255, np.uint8)
    cells[:n, 1:, 1:] = to_uint8(images)  # each cell brings the line above it and to its left
    cells = cells.reshape(rows, columns, height + 1, width + 1, channels).swapaxes(1, 2)
    picture = cells.reshape(rows * (height + 1), columns * (width + 1), channels)
    picture = np.pad(picture, ((0, 1), (0, 1), (0, 0)), constant_values=255)
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def scatter(points: ArrayLike, real: ArrayLike | None = None) -> np.ndarray:
    """Draws points of the square [-1, 1]^2 as soft dots, the second coordinate upward.

    A dot is antialiased, and its ink grows thinner with their number: a few are clear, ten thousand
    show where they are dense. What lies outside of the square is not drawn.

    Args:
      points: (N, 1, 1, 2) or (N, 2).
      real: points of the data, drawn in grey beneath.

    Returns:
      The picture, (512, 512, 3) uint8.
    """
    picture = np.full((_PLOT, _PLOT, 3), 255.0)
    for layer, colour in ((real, _REAL), (points, _GENERATED)):
        if layer is not None:
            ink = _ink(np.asarray(layer, np.float64).reshape(-1, 2))[..., None]
            picture = (1 - ink) * picture + ink * np.asarray(colour)
    return np.rint(picture).astype(np.uint8)


def _ink(points: np.ndarray) -> np.ndarray:
    """Returns how far each pixel is covered by the dots of `points` (N, 2), from 0 to 1."""
    margin = 8  # so that a dot on the border is whole
    x, y = ((points * (1, -1) + 1) / 2 * (_PLOT - 1 - 2 * margin) + margin).T
    inside = (np.abs(points) <= 1).all(axis=1)
    x, y = x[inside], y[inside]
    density = np.zeros((_PLOT, _PLOT))
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    for dy in (0, 1):  # a dot between pixels is shared out among the four around it
        for dx in (0, 1):
            share = (1 - np.abs(x - column - dx)) * (1 - np.abs(y - row - dy))
            np.add.at(density, (row + dy, column + dx), share)
    profile = np.exp(-0.5 * (np.arange(-4, 5) / 1.3) ** 2)  # a dot is about 4 pixels wide
    for axis in (0, 1):
        density = sum(p * np.roll(density, k - 4, axis) for k, p in enumerate(profile))
    strength = 2.0 * min(1.0, math.sqrt(500 / max(len(points), 1)))
    return 1 - np.exp(-strength * density)


def write_grid(
    path: epath.PathLike, images: ArrayLike, columns: int = 10, *, real: ArrayLike | None = None
) -> np.ndarray:
    """Writes a PNG of samples, whole or not at all; equal samples give equal bytes.

    Args:
      path: the file.
      images: (N, H, W, C) in [-1, 1], see `image_grid`; (N, 1, 1, 2) are points, see `scatter`.
      columns: images a row.
      real: points of the data to draw beneath the samples, where these are points.

    Returns:
      The picture, (H', W', C) uint8.
    """
    points = is_points(np.shape(images)[1:])
    picture = scatter(images, real) if points else image_grid(images, columns)
    workdir.write_bytes(path, png(picture))
    return picture


def png(picture: np.ndarray) -> bytes:
    """Encodes a picture (H, W, C) uint8, C from 1 to 4, as PNG."""
    data = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(data, "PNG")
    return data.getvalue()
