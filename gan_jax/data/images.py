"""From any picture to an array of the asked size and channels: the one function for all sets."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps

# Pillow's mode for each number of channels: grey, grey + alpha, color, color + alpha.
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class UnsupportedImageError(ValueError):
    """A sound picture that has no meaning as 8-bit pixels; the message says why in a few words."""


def fit(image: Image.Image, size: int | None, channels: int) -> np.ndarray:
    """Resizes and converts a picture.

    The shorter side becomes `size` (Lanczos, antialiased) and the middle square is kept. Where
    transparency has to go, the picture is laid on white; where it has to come, it is opaque.

    Args:
      image: Any picture that Pillow reads, except floating-point ones, whose range is undefined.
      size: Height and width of the result; None keeps both.
      channels: 1 grey, 2 grey and alpha, 3 color, 4 color and alpha.

    Returns:
      (H, W, channels) uint8.

    Raises:
      UnsupportedImageError: Floating-point pixels.
      OSError: The data of the picture are damaged.
    """
    image = _convert(_eight_bits(image), channels)
    if size is not None and image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(image.height, image.width, channels)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Maps 16-bit grey, which Pillow would clip at 255, to 8 bits."""
    if image.mode == "F":
        raise UnsupportedImageError("floating-point pixels")
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))


def _convert(image: Image.Image, channels: int) -> Image.Image:
    if image.mode == MODES[channels] and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if channels in (1, 3):
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
    elif image.mode not in ("1", "L", "LA", "RGB"):
        image = image.convert("RGB")
    return image.convert(MODES[channels])


def refit(array: np.ndarray, size: int | None, channels: int) -> np.ndarray:
    """Applies `fit` to an image that is already an array, (H, W, C) uint8, C from 1 to 4."""
    squeezed = array[..., 0] if array.shape[-1] == 1 else array
    return fit(Image.fromarray(squeezed), size, channels)


def decode(encoded: bytes, size: int | None, channels: int) -> np.ndarray:
    """Decodes a PNG, JPEG, ... file's bytes, then `fit`s it."""
    with Image.open(io.BytesIO(encoded)) as image:
        return fit(image, size, channels)


def as_channels(images: Any) -> Any:
    """Stacks grey images, (..., K, H, W, 1), as the channels of one, (..., H, W, K).

    For NumPy's arrays as well as JAX's, compiled or not.
    """
    return images[..., 0].swapaxes(-3, -2).swapaxes(-2, -1)


def to_unit_range(images: Any) -> Any:
    """Maps uint8 to float32 in [-1, 1] by `u / 127.5 - 1`; leaves float32 as it is.

    For NumPy's arrays as well as JAX's, compiled or not.
    """
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(127.5) - 1
    return images
