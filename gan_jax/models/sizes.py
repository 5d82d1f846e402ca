"""Which image sizes convolutional networks can make, in how many doublings of what widths."""

from collections.abc import Sequence

from gan_jax.errors import InputError

LEAST, MOST = 4, 7
"""The sizes that doubling begins with, and halving ends at."""


def doublings(image_shape: Sequence[int]) -> tuple[int, int]:
    """Returns (base, n), n > 0, with size = base 2^n and 4 <= base <= 7: 32 is 4 2^3, 28 is 7 2^2.

    Args:
      image_shape: (H, W, ...).

    Raises:
      InputError: the image is not square, or of another size; names the nearest two that would do.
    """
    height, width = image_shape[:2]
    if height != width:
        raise InputError(
            f"images are {height} x {width}; convolutional networks need square ones: set "
            "config.data.image_size"
        )
    base, count = height, 0
    while base > MOST and base % 2 == 0:
        base, count = base // 2, count + 1
    if not count or base < LEAST or base > MOST:
        able = [first * 2**power for power in range(1, 16) for first in range(LEAST, MOST + 1)]
        near = [size for size in able if size < height][-1:] + [s for s in able if s > height][:1]
        raise InputError(
            f"images of {height} x {width} cannot be made by doubling 4, 5, 6 or 7 pixels: set "
            f"config.data.image_size to {' or '.join(map(str, near))}"
        )
    return base, count


def by_stage(widths: Sequence[int], base: int, count: int) -> Sequence[int]:
    """Returns the widths, one for each size that `count` doublings of `base` pixels go through.

    Raises:
      InputError: they are fewer or more.
    """
    if len(widths) != count + 1:
        raise InputError(
            f"widths has {len(widths)} entries; images of {base * 2**count} pixels take "
            f"{count + 1}, from {base} pixels up"
        )
    return widths
