"""Mean and deviation of a data set, per channel."""

import numpy as np

from gan_jax.data.images import to_unit_range
from gan_jax.data.source import Source, blocks


def mean_and_deviation(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mean and the standard deviation of each channel over a whole split.

    The split is read in blocks, so that its size does not matter.

    Args:
      source: The split.

    Returns:
      mean (C,) and deviation (C,), float64, of pixels in [-1, 1]; the deviation is that of the
      population (divided by the number of pixels).
    """
    count = 0
    total = squares = np.zeros(source.image_shape[-1])
    for block in blocks(len(source)):
        pixels = to_unit_range(source.read(block)["image"]).astype(np.float64)
        count += pixels[..., 0].size
        total = total + pixels.sum((0, 1, 2))
        squares = squares + np.square(pixels).sum((0, 1, 2))
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - np.square(mean), 0))
