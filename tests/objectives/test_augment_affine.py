import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.objectives import augment
from gan_jax.objectives.augment import affine

GOLDEN = np.load(pathlib.Path(__file__).parent / "golden" / "augment_affine.npz")
SIZES = [(8, 8), (7, 5), (6, 9)]
# Unoptimized programs compile three times as fast.

KERNELS = {"linear": affine.LINEAR, "cubic": affine.CUBIC}


@functools.cache
def resampler(kernel):
    return quick_jit(functools.partial(affine.resample, kernel=KERNELS[kernel]))


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
    resample = jax.vmap(lambda matrix: affine.resample(image, matrix, affine.LINEAR))
    outputs = quick_jit(resample)(jnp.asarray(GOLDEN["matrices"]))[..., 0]
    np.testing.assert_allclose(outputs, GOLDEN[f"output_{name}"], atol=1e-5)


def test_bicubic_reproduces_parabolas_inside():
    """As, among the bicubic kernels, only a = -1/2 does; whatever the place between the pixels."""
    size = (11, 12)
    x, y = centred(size)
    matrix = np.float32([[0.4, 0.1, 0.3], [-0.2, 0.3, -0.7], [0, 0, 1]])

    def parabola(x, y):
        return 0.1 * x**2 - 0.2 * x * y + 0.05 * y**2 - 0.3 * x + 0.4

    image = np.float32(parabola(x, y))[..., None]
    output = resampler("cubic")(image, matrix)[..., 0]
    read_x, read_y, _ = np.tensordot(matrix, np.stack([x, y, np.ones(size)]), axes=1)
    assert abs(read_x).max() < 12 / 2 - 1.5
    assert abs(read_y).max() < 11 / 2 - 1.5
    np.testing.assert_allclose(output, parabola(read_x, read_y), atol=1e-5)
    linear = resampler("linear")(image, matrix)[..., 0]
    assert abs(linear - parabola(read_x, read_y)).max() > 1e-2


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [(6, 6), (7, 7), (5, 9), (4, 8)])
def test_whole_pixel_maps_copy_bit_for_bit(kernel, size):
    image = image_of(size)
    resample = resampler(kernel)
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


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_mirrors_repeat_for_ever(kernel):
    image = image_of((3, 5))
    far = resampler(kernel)(image, affine.translation(-21.0, 14.0))
    mirrored = np.pad(image, ((14, 14), (21, 21), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(far, mirrored[:3, 42:])
    single = resampler(kernel)(jnp.ones((1, 1, 1)), affine.rotation(0.3))
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
