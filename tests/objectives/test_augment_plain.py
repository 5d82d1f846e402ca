import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import rng
from gan_jax.objectives import augment

MANY = 2000


def keys_of(count):
    return jax.random.split(jax.random.key(7), count)


def numbered(height, width):
    """Each pixel has its own value, in (0, 1]: one tells where it came from."""
    return np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width, 1) / 100


def windows(canvas, height, width):
    """All windows of a canvas, in order: (places, H, W, 1)."""
    rows, columns = canvas.shape[0] - height + 1, canvas.shape[1] - width + 1
    return np.stack(
        [canvas[y : y + height, x : x + width] for y in range(rows) for x in range(columns)]
    )


def assert_uniform_over(images, places):
    """Every image is one of the places, and each place is met about equally often."""
    images = np.asarray(images).reshape(len(images), 1, -1)
    matches = (images == places.reshape(1, len(places), -1)).all(axis=-1)
    assert (matches.sum(axis=1) == 1).all()
    counts, mean = matches.sum(axis=0), len(images) / len(places)
    assert abs(counts - mean).max() < 5 * np.sqrt(mean)


def many(image):
    return jnp.broadcast_to(image, (MANY, *image.shape))


def test_flip():
    images = many(numbered(3, 4))
    flipped = np.asarray(augment.flip(images, keys_of(MANY), probability=0.3))
    happened = (flipped != images).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(flipped[happened], images[happened][:, :, ::-1])
    assert abs(happened.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / MANY)
    always = augment.flip(images, keys_of(MANY), probability=1.0)
    twice = augment.flip(always, keys_of(MANY), probability=1.0)
    np.testing.assert_array_equal(twice, images)


@pytest.mark.parametrize("size", [(4, 5), (3, 3)])
def test_shift_is_uniform_and_fills_from_outside(size):
    image = numbered(*size)
    shifted = augment.shift(many(image), keys_of(MANY), 2, fill=-0.5)
    canvas = np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=-0.5)
    assert_uniform_over(shifted, windows(canvas, *size))


def test_shift_fills_with_black():
    shifted = augment.shift(many(numbered(4, 4)), keys_of(MANY), 1)
    assert (np.asarray(shifted) == -1).any()
    assert (np.asarray(shifted) >= -1).all()


@pytest.mark.parametrize("size", [(4, 5), (3, 3)])
def test_crop_is_uniform_and_mirrors(size):
    image = numbered(*size)
    cropped = augment.crop(many(image), keys_of(MANY), 1)
    canvas = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    assert_uniform_over(cropped, windows(canvas, *size))


def test_plain_is_its_parts_one_after_the_other():
    images, keys = many(numbered(4, 5))[:50], keys_of(50)
    flipped = augment.flip(images, rng.substream(keys, "flip"), 0.3)
    moved = augment.crop(flipped, rng.substream(keys, "crop"), 2)
    expected = augment.noise(moved, rng.substream(keys, "noise"), 0.1)
    found = augment.plain(images, keys, {"noise": 0.1, "crop": 2, "flip": 0.3})
    np.testing.assert_array_equal(found, expected)


def test_noise():
    images = many(numbered(4, 4))
    noise = np.asarray(augment.noise(images, keys_of(MANY), 0.25) - images)
    assert abs(noise.mean()) < 4 * 0.25 / np.sqrt(noise.size)
    assert abs(noise.std() - 0.25) < 4 * 0.25 / np.sqrt(2 * noise.size)
    correlation = np.corrcoef(noise.reshape(MANY, -1), rowvar=False) - np.eye(16)
    assert abs(correlation).max() < 5 / np.sqrt(MANY)
