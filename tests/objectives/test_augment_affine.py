import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.objectives import augment
from gan_jax.objectives.augment import affine, supersampling

GOLDEN = np.load(pathlib.Path(__file__).parent / "golden" / "augment_affine.npz")
SIZES = [(8, 8), (7, 5), (6, 9)]
resample = quick_jit(affine.resample)
supersample = quick_jit(supersampling.resample)


def image_of(size, channels=2):
    return np.float32(np.random.default_rng(0).uniform(-1, 1, (*size, channels)))


def centred(size):
    """The coordinates (x, y) of the pixels from the image's centre, (H, W) each."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    return x - (width - 1) / 2, y - (height - 1) / 2


@pytest.mark.parametrize("size", SIZES)
def test_bilinear_is_scipys(size):
    name = "{}x{}".format(*size)
    image = jnp.asarray(GOLDEN[f"image_{name}"])[..., None]
    over_maps = jax.vmap(affine.resample, in_axes=(None, 0))
    outputs = quick_jit(over_maps)(image, jnp.asarray(GOLDEN["matrices"]))[..., 0]
    np.testing.assert_allclose(outputs, GOLDEN[f"output_{name}"], atol=1e-5)


def test_the_filter_is_sym6():
    """Orthonormal to its even shifts, six vanishing moments, a delay near the centre."""
    taps, index = np.array(supersampling.SYM6), np.arange(12)
    for shift in range(6):
        assert taps[2 * shift :] @ taps[: 12 - 2 * shift] == pytest.approx(
            float(shift == 0), abs=1e-11
        )
    for power in range(6):
        assert taps @ ((-1.0) ** index * (index - 5) ** power) == pytest.approx(0, abs=1e-9)
    for frequency in np.linspace(0.1, np.pi / 2, 10):
        response = taps @ np.exp(-1j * frequency * (index - supersampling.CENTRE))
        assert abs(np.angle(response) / frequency) < 0.3


@pytest.mark.parametrize("size", [*SIZES, (1, 2), (2, 3)])
def test_supersampling_by_no_map_is_the_identity(size):
    image = image_of(size)
    np.testing.assert_allclose(supersample(image, np.eye(3)), image, atol=1e-6)


def test_a_ramp_stays_a_ramp_at_twice_the_resolution():
    """Wherever it is turned, stretched and moved to, it is off by less than a tenth of a pixel."""
    size = (21, 24)
    x, y = centred(size)
    matrix = np.float32([[-0.3, 0.1, 0.3], [-0.2, 0.3, -0.7], [0, 0, 1]])
    ramps = np.float32(np.stack([x, y], axis=-1)) / 10
    read = np.tensordot(matrix, np.stack([x, y, np.ones(size)]), axes=1)[:2] / 10
    off = 10 * (supersample(ramps, matrix) - np.moveaxis(read, 0, -1))
    assert off.std(axis=(0, 1)).max() < 1e-4
    assert abs(off).max() < 0.1


def test_supersampling_keeps_more_of_a_wave_that_moves_by_a_quarter_pixel():
    """One of five pixels; about three times more of it, between its samples too."""
    x, _ = centred((20, 20))
    wave, moved = (np.float32(np.cos(0.4 * np.pi * at))[..., None] for at in (x + 0.25, x))
    errors = [
        abs(function(wave, affine.translation(0.25, 0.0)) - moved)[8:12, 6:14].max()
        for function in (supersample, resample)
    ]
    assert errors[0] < 0.06
    assert errors[1] > 2 * errors[0]


def test_supersampling_keeps_a_shrunken_wave_from_aliasing():
    """Of 0.4 cycles a pixel, at 0.7 of the size: 0.57, which the pixels cannot show."""
    x, _ = centred((40, 40))
    wave = np.float32(np.cos(0.8 * np.pi * x))[..., None]
    shrink = affine.scaling(0.7, 0.7)
    left = [abs(function(wave, shrink))[10:30, 10:30].max() for function in (supersample, resample)]
    assert left[0] < 0.6 * left[1]


@pytest.mark.parametrize("size", [(6, 6), (7, 7), (5, 9), (4, 8)])
def test_whole_pixel_maps_copy_bit_for_bit(size):
    image = image_of(size)
    for turns in range(4):
        if turns % 2 == 0 or size[0] == size[1]:
            turned = resample(image, affine.quarter_turns(jnp.array(turns)))
            np.testing.assert_array_equal(turned, np.rot90(image, turns))
    np.testing.assert_array_equal(resample(image, affine.scaling(-1.0, 1.0)), image[:, ::-1])
    np.testing.assert_array_equal(resample(image, affine.scaling(1.0, -1.0)), image[::-1])
    moved = resample(image, affine.translation(2.0, -1.0))
    mirrored = np.pad(image, ((0, 1), (2, 0), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(moved, mirrored[1:, : size[1]])
    back = resample(moved, affine.translation(-2.0, 1.0))
    np.testing.assert_array_equal(back[1:, :-2], image[1:, :-2])


@pytest.mark.parametrize("resample", [resample, supersample])
def test_the_mirrors_repeat_for_ever(resample):
    image = image_of((3, 5))
    far = resample(image, affine.translation(-21.0, 14.0))
    mirrored = np.pad(image, ((14, 14), (21, 21), (0, 0)), mode="reflect")
    np.testing.assert_allclose(far, mirrored[:3, 42:], atol=1e-6)
    single = resample(jnp.ones((1, 1, 1)), affine.rotation(0.3))
    np.testing.assert_allclose(single, 1.0, atol=1e-6)


def test_maps_by_the_point_that_they_move():
    """The matrix of a map takes where the pixel went back to where it came from."""
    here = np.array([3.0, 1.0, 1.0])
    angle = 0.7
    there = {  # y points down, and counter-clockwise is as seen
        "translation": (affine.translation(5.0, -2.0), [8.0, -1.0, 1.0]),
        "scaling": (affine.scaling(2.0, 0.5), [6.0, 0.5, 1.0]),
        "rotation": (
            affine.rotation(angle),
            [3 * np.cos(angle) + np.sin(angle), -3 * np.sin(angle) + np.cos(angle), 1.0],
        ),
    }
    for name, (matrix, moved) in there.items():
        np.testing.assert_allclose(matrix @ jnp.array(moved), here, atol=1e-6, err_msg=name)
    # First the move, then the rotation.
    both = affine.chain(affine.translation(1.0, 0.0), affine.rotation(np.pi / 2))
    np.testing.assert_allclose(both @ jnp.array([1.0, -4.0, 1.0]), here, atol=1e-6)


def test_quarter_turns_are_rotations():
    for turns in range(4):
        exact = affine.quarter_turns(jnp.array(turns))
        np.testing.assert_allclose(exact, affine.rotation(turns * np.pi / 2), atol=1e-6)


def test_rotate_and_scale_stay_within_their_strengths():
    """By the gradient of a ramp, which an affine map turns and stretches."""
    x, y = centred((15, 15))
    ramps = np.float32(np.stack([x, y], axis=-1))
    keys = jax.random.split(jax.random.key(0), 300)
    images = jnp.broadcast_to(ramps, (300, 15, 15, 2))

    def at_centre(images):
        """The map's matrix (2, 2), by central differences at the centre."""
        images = np.asarray(images)
        by_x = (images[:, 7, 9] - images[:, 7, 5]) / 4
        by_y = (images[:, 9, 7] - images[:, 5, 7]) / 4
        return np.stack([by_x, by_y], axis=-1)

    turned = at_centre(quick_jit(functools.partial(augment.rotate, degrees=30.0))(images, keys))
    angles = np.degrees(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]))
    np.testing.assert_allclose(turned[:, 0, 0] ** 2 + turned[:, 1, 0] ** 2, 1.0, rtol=1e-3)
    assert -30.01 < angles.min() < -28
    assert 28 < angles.max() < 30.01
    assert abs(angles.mean()) < 4 * 30 / np.sqrt(3 * 300)

    scaled = at_centre(quick_jit(functools.partial(augment.scale, amount=0.5))(images, keys))
    factors = 1 / scaled[:, 0, 0]
    np.testing.assert_allclose(scaled[:, 0, 0], scaled[:, 1, 1], rtol=1e-3)
    assert 1 / 1.501 < factors.min() < 0.69
    assert 1.45 < factors.max() < 1.501
    assert abs(np.log(factors).mean()) < 4 * np.log(1.5) / np.sqrt(3 * 300)
