"""Grids and scatter plots, pixel by pixel."""

import io

import numpy as np
import pytest
from PIL import Image

from gan_jax.runtime import grid


def read(path):
    with Image.open(path) as image:
        return image.mode, np.asarray(image)


def noise(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def test_every_byte_survives_the_round_trip():
    values = np.arange(256)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(grid.to_uint8((values / 127.5 - 1).astype(dtype)), values)


def test_rounding_and_clipping():
    given = np.array([-9, -1, -0.9962, -0.9960, 0, 1, 9], np.float32)
    np.testing.assert_array_equal(grid.to_uint8(given), [0, 0, 0, 1, 128, 255, 255])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_each_image_stands_in_its_cell(channels):
    images = noise(5, 28, 30, channels)
    picture = grid.image_grid(images, columns=3)
    scale = 2  # 28 pixels become 56
    assert picture.dtype == np.uint8
    assert picture.shape == (scale * (2 * 29 + 1), scale * (3 * 31 + 1), channels)
    for dy in range(scale):  # each of the pixels that one pixel became
        for dx in range(scale):
            plain = picture[dy::scale, dx::scale]
            lines = np.ones(plain.shape[:2], bool)
            for i, image in enumerate(images):
                y, x = 1 + i // 3 * 29, 1 + i % 3 * 31
                np.testing.assert_array_equal(plain[y : y + 28, x : x + 30], grid.to_uint8(image))
                lines[y : y + 28, x : x + 30] = False
            assert (plain[lines] == 255).all()


@pytest.mark.parametrize(("size", "scale"), [(8, 7), (28, 2), (32, 2), (56, 1), (64, 1), (256, 1)])
def test_small_images_are_enlarged_by_a_whole_number(size, scale):
    assert grid.image_grid(noise(1, size, size, 3)).shape == ((size + 2) * scale,) * 2 + (3,)


def test_a_row_is_as_wide_as_there_are_images():
    assert grid.image_grid(noise(100, 28, 28, 1)).shape == (582, 582, 1)
    assert grid.image_grid(noise(4, 28, 28, 1)).shape == (60, 2 * (4 * 29 + 1), 1)


@pytest.mark.parametrize("shape", [(0, 8, 8, 1), (3, 8, 8), (3, 8, 8, 5), (3, 8, 8, 0)])
def test_what_is_no_batch_of_images_is_refused(shape):
    with pytest.raises(ValueError, match="C from 1 to 4"):
        grid.image_grid(np.zeros(shape))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_a_png_holds_the_grid_and_equal_samples_give_equal_bytes(tmp_path, channels, mode):
    images = noise(3, 16, 16, channels)
    picture = grid.write_grid(tmp_path / "samples" / "a.png", images, columns=2)
    grid.write_grid(tmp_path / "samples" / "b.png", images, columns=2)
    got_mode, got = read(tmp_path / "samples" / "a.png")
    assert got_mode == mode
    np.testing.assert_array_equal(got.reshape(picture.shape), grid.image_grid(images, columns=2))
    first, second = ((tmp_path / "samples" / f"{n}.png").read_bytes() for n in "ab")
    assert first == second
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["a.png", "b.png"]


# ---- points --------------------------------------------------------------------------------------


def darkest(picture):
    """Returns where the most ink is, in the coordinates of the data."""
    row, column = np.unravel_index(picture.sum(axis=-1).argmin(), picture.shape[:2])
    return (column - 255.5) / 247.5, (255.5 - row) / 247.5


@pytest.mark.parametrize("point", [(0, 0), (-1, -1), (1, 1), (1, -1), (0.5, -0.25)])
def test_a_point_is_drawn_where_it_is(point):
    picture = grid.scatter([point])
    assert picture.shape == (512, 512, 3)
    np.testing.assert_allclose(darkest(picture), point, atol=0.005)
    drawn = (picture < 250).any(axis=-1)
    assert 9 < drawn.sum() < 80  # a dot
    assert (picture[~drawn] > 240).all()


def test_a_dot_between_pixels_is_antialiased():
    """Its centre of ink is where the point is, to a hundredth of a pixel."""
    point = np.array([0.1234, -0.4321])
    red = grid.scatter([point])[..., 0].astype(float)  # from 255 on white to 31 in full ink
    ink = -np.log((red - 31) / 224)
    rows, columns = np.mgrid[:512, :512]
    centre = np.array([(ink * columns).sum(), (ink * rows).sum()]) / ink.sum()
    expected = 8 + 247.5 * (point * (1, -1) + 1)
    np.testing.assert_allclose(centre, expected, atol=0.05)


def test_points_outside_the_square_are_not_drawn():
    inside = [[0.3, 0.4]]
    picture = grid.scatter([*inside, [1.01, 0], [0, -1.5], [9, 9], [np.inf, 0]])
    np.testing.assert_array_equal(picture, grid.scatter(inside))
    assert (grid.scatter(np.zeros((0, 2))) == 255).all()


def test_ten_thousand_points_show_where_they_are_dense():
    points = 0.25 * np.random.default_rng(0).normal(size=(10_000, 1, 1, 2))
    picture = grid.scatter(points).astype(int)
    rings = [picture[256, 256 + r - 8 : 256 + r + 8].mean() for r in (0, 80, 140, 190, 240)]
    assert (np.diff(rings) > 5).all(), rings
    assert rings[1] > rings[0] + 30  # the ink is not used up where they are dense
    alone = grid.scatter(points[:1]).min()
    assert alone < 100  # one point by itself is plain to see


def test_real_points_lie_in_grey_beneath(tmp_path):
    generated, real = noise(10, 1, 1, 2) / 4 + 0.5, noise(10, 1, 1, 2) / 4 - 0.5
    picture = grid.write_grid(tmp_path / "a.png", generated, real=real)
    mode, got = read(tmp_path / "a.png")
    assert mode == "RGB"
    np.testing.assert_array_equal(got, picture)
    lower_left, upper_right = picture[256:, :256].astype(int), picture[:256, 256:].astype(int)
    assert (np.ptp(lower_left, axis=-1) <= 1).all()
    assert lower_left.min() < 200
    assert np.ptp(upper_right, axis=-1).max() > 100
    both = grid.scatter(real, real=real)  # blue covers grey
    assert (both[..., 2].astype(int) - both[..., 0]).max() > 80


def test_png_bytes_are_those_that_are_written(tmp_path):
    picture = grid.write_grid(tmp_path / "a.png", noise(2, 8, 8, 3))
    assert grid.png(picture) == (tmp_path / "a.png").read_bytes()
    with Image.open(io.BytesIO(grid.png(picture))) as image:
        assert image.size == picture.shape[1::-1]
