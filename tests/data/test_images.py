import numpy as np
import pytest
from PIL import Image

from gan_jax.data import images


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_needs_no_change_is_not_changed(channels):
    array = noise(7, 5, channels)
    np.testing.assert_array_equal(images.refit(array, None, channels), array)
    square = noise(6, 6, channels)
    np.testing.assert_array_equal(images.refit(square, 6, channels), square)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16"]
)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_mode_becomes_every_number_of_channels(mode, channels):
    image = Image.new(mode, (9, 6), 0)
    array = images.fit(image, 4, channels)
    assert array.shape == (4, 4, channels)
    assert array.dtype == np.uint8
    if channels in (2, 4) and mode not in ("LA", "RGBA"):
        assert (array[..., -1] == 255).all()


def test_the_middle_square_is_kept_whole():
    wide = np.zeros((10, 30, 1), np.uint8)
    wide[:, 10:20] = 200
    np.testing.assert_array_equal(images.refit(wide, 10, 1), 200)
    np.testing.assert_array_equal(images.refit(wide.swapaxes(0, 1), 10, 1), 200)


def test_shrinking_averages_instead_of_picking():
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    assert np.abs(images.refit(checkers, 16, 1).astype(int) - 127).max() <= 2


def test_transparency_is_laid_on_white_or_kept():
    array = np.zeros((4, 4, 4), np.uint8)
    array[:2] = (10, 20, 30, 255)
    np.testing.assert_array_equal(images.refit(array, None, 3)[0, 0], (10, 20, 30))
    np.testing.assert_array_equal(images.refit(array, None, 3)[3, 3], 255)
    np.testing.assert_array_equal(images.refit(array, None, 1)[3, 3], 255)
    np.testing.assert_array_equal(images.refit(array, None, 2)[..., 1], array[..., 3])


def test_a_transparent_palette_entry_is_laid_on_white():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    image.putpalette([50, 60, 70, 80, 90, 100])
    image.info["transparency"] = 1
    np.testing.assert_array_equal(images.fit(image, None, 3), [[(50, 60, 70), (255, 255, 255)]])


def test_sixteen_bits_are_scaled_not_clipped():
    image = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    np.testing.assert_array_equal(images.fit(image, None, 1)[0, :, 0], [0, 1, 128, 255])


def test_floating_point_pixels_have_no_meaning():
    with pytest.raises(images.UnsupportedImageError):
        images.fit(Image.fromarray(np.zeros((2, 2), np.float32)), None, 1)


def test_unit_range():
    values = images.to_unit_range(np.array([0, 51, 255], np.uint8))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [-1, -0.6, 1], rtol=1e-6)
    points = np.array([0.3], np.float32)
    assert images.to_unit_range(points) is points
