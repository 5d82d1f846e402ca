"""What all augmentations promise; what each of them computes stands in test_augment_*.py."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.objectives import augment
from gan_jax.objectives.augment import diffaugment, pipeline

STAGES = (*pipeline.GEOMETRY, *pipeline.PIXELS)
AUGMENTS = {
    "flip": augment.flip,
    "shift": functools.partial(augment.shift, pixels=2),
    "crop": functools.partial(augment.crop, pixels=2),
    "rotate": functools.partial(augment.rotate, degrees=20.0),
    "scale": functools.partial(augment.scale, amount=0.3),
    "noise": functools.partial(augment.noise, sigma=0.1),
    "plain": functools.partial(augment.plain, strengths={"flip": 0.5, "shift": 1, "noise": 0.1}),
    "diff_augment": augment.diff_augment,
    "ada": functools.partial(augment.ada, p=0.8, policy=STAGES),
    "pseudo_augment": lambda real, keys: augment.pseudo_augment(real, real**2, keys, 0.5),
}
OFF = {
    "flip": functools.partial(augment.flip, probability=0.0),
    "shift": functools.partial(augment.shift, pixels=0),
    "crop": functools.partial(augment.crop, pixels=0),
    "rotate": functools.partial(augment.rotate, degrees=0.0),
    "scale": functools.partial(augment.scale, amount=0.0),
    "noise": functools.partial(augment.noise, sigma=0.0),
    "plain": functools.partial(augment.plain, strengths=dict.fromkeys(augment.PLAIN, 0)),
    "diff_augment": functools.partial(augment.diff_augment, policy=()),
    "ada": functools.partial(augment.ada, p=0.0, policy=STAGES),
    "pseudo_augment": lambda real, keys: augment.pseudo_augment(real, -real, keys, 0.0),
}
SHAPES = [(6, 6, 1), (5, 8, 2), (7, 7, 3), (9, 4, 4)]
BATCH = 5


def images_of(shape, batch=BATCH):
    return jnp.float32(np.random.default_rng(0).uniform(-1, 1, (batch, *shape)))


def keys_of(seed, batch=BATCH):
    return jax.random.split(jax.random.key(seed), batch)


@functools.cache
def augmentation(name):
    if name == "ada":  # one program for all p
        return functools.partial(quick_jit(functools.partial(augment.ada, policy=STAGES)), p=0.8)
    return quick_jit(AUGMENTS[name])


def test_every_augmentation_is_listed():
    steering = {"adaptive", "adaptive_pseudo", "adjust_probability", "scheduled"}
    public = {name for name in augment.__all__ if name.islower()} - steering
    assert AUGMENTS.keys() == OFF.keys() == public
    for name in public - {"pseudo_augment"}:
        first, second = list(inspect.signature(getattr(augment, name)).parameters)[:2]
        assert (first, second) in {("images", "keys"), ("image", "key")}


@pytest.mark.parametrize("name", sorted(OFF.keys() - {"ada"}))
def test_strength_zero_is_the_identity_bit_for_bit(name):
    images = images_of((5, 8, 2))
    np.testing.assert_array_equal(OFF[name](images, keys_of(1)), images)


@pytest.mark.parametrize("shape", SHAPES)
def test_ada_is_the_identity_at_p_zero_bit_for_bit(shape):
    images = images_of(shape)
    np.testing.assert_array_equal(augmentation("ada")(images, keys_of(1), p=0.0), images)


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name in AUGMENTS for shape in (SHAPES if name == "ada" else SHAPES[2:3])],
)
def test_shapes_and_change(name, shape):
    images = images_of(shape)
    augmented = augmentation(name)(images, keys_of(1))
    assert augmented.shape == images.shape
    assert augmented.dtype == jnp.float32
    assert np.isfinite(augmented).all()
    assert (augmented != images).any()


@pytest.mark.parametrize("shape", SHAPES[1::2])
@pytest.mark.parametrize("name", ["noise", "diffaugment", "ada"])
def test_colour_operations_and_noise_leave_alpha_alone(name, shape):
    images, keys = images_of(shape), keys_of(1)
    change = {
        "noise": lambda images, keys: augment.noise(images, keys, 0.1),
        "diffaugment": lambda images, keys: augment.diff_augment(images, keys, ("colour",)),
        "ada": lambda images, keys: augment.ada(images, keys, 1.0, ("colour", "noise")),
    }[name]
    changed = quick_jit(change)(images, keys)
    np.testing.assert_array_equal(changed[..., -1], images[..., -1])
    assert (changed[..., :-1] != images[..., :-1]).all()


@pytest.mark.parametrize("name", AUGMENTS)
def test_a_row_depends_on_its_own_image_and_key_only(name):
    images, keys = images_of((7, 7, 3)), keys_of(1)
    augmented = augmentation(name)(images, keys)
    order = np.array([3, 0, 4, 1, 2])
    permuted = augmentation(name)(images[order], keys[order])
    np.testing.assert_allclose(permuted, augmented[order], rtol=1e-4, atol=2e-5)
    others = augmentation(name)(images.at[1:].mul(0.5), keys_of(2).at[0].set(keys[0]))
    np.testing.assert_allclose(others[0], augmented[0], rtol=1e-4, atol=2e-5)
    assert (others[1:] != augmented[1:]).any()
    if name != "pseudo_augment":  # whose coin may well fall the same way twice
        same = augmentation(name)(jnp.tile(images[:1], (BATCH, 1, 1, 1)), keys)
        assert len(np.unique(np.asarray(same), axis=0)) > 1, "all rows share one draw"


@pytest.mark.parametrize("name", sorted(AUGMENTS.keys() - {"ada"}))
def test_plain_jit_and_vmap_agree(name):
    images, keys = images_of((7, 7, 3)), keys_of(1)
    augmented = augmentation(name)(images, keys)
    np.testing.assert_allclose(AUGMENTS[name](images, keys), augmented, rtol=1e-4, atol=2e-5)
    mapped = quick_jit(jax.vmap(AUGMENTS[name]))(images[:, None], keys[:, None])
    np.testing.assert_allclose(mapped[:, 0], augmented, rtol=1e-4, atol=2e-5)


def test_ada_optimized_and_with_p_as_an_argument():
    """As a training step has it. The identity at p = 0 is still one bit for bit."""
    images, keys = images_of((7, 7, 3)), keys_of(1)
    optimized = jax.jit(functools.partial(augment.ada, policy=STAGES))
    np.testing.assert_array_equal(optimized(images, keys, jnp.float32(0.0)), images)
    augmented = augmentation("ada")(images, keys)
    found = optimized(images, keys, jnp.float32(0.8))
    np.testing.assert_allclose(found, augmented, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", AUGMENTS)
def test_gradient_is_that_of_finite_differences(name):
    images, keys = images_of((7, 7, 3)), keys_of(1)
    weights, direction = np.random.default_rng(1).normal(size=(2, *images.shape))

    def total(images):
        return jnp.sum(jnp.float32(weights) * AUGMENTS[name](images, keys))

    gradient = quick_jit(jax.grad(total))(images)
    assert np.isfinite(gradient).all()
    slopes = np.sum(gradient * direction, axis=(1, 2, 3))
    assert (slopes != 0).all()
    # Quadratic at most, so that the central difference is exact at any step.
    above, below = (
        np.sum(
            weights * augmentation(name)(images + sign * jnp.float32(direction), keys), (1, 2, 3)
        )
        for sign in (1, -1)
    )
    np.testing.assert_allclose(slopes, (above - below) / 2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", AUGMENTS)
def test_second_derivative_through_a_gradient_penalty(name):
    images, keys = images_of((7, 7, 3)), keys_of(1)
    weights = jnp.float32(np.random.default_rng(1).normal(size=images.shape[1:]))

    def discriminate(scale, images):
        return jnp.sum(jnp.tanh(scale * weights * AUGMENTS[name](images, keys)))

    def penalty(scale, images):
        return jnp.sum(jax.grad(discriminate, argnums=1)(scale, images) ** 2)

    by_scale, by_image = quick_jit(jax.grad(penalty, argnums=(0, 1)))(1.0, images)
    assert np.isfinite(by_scale)
    assert by_scale != 0
    assert np.isfinite(by_image).all()
    assert (by_image != 0).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", ["diff_augment", "ada"])
def test_unknown_names_are_refused(name):
    function = {"diff_augment": augment.diff_augment, "ada": augment.ada}[name]
    p = {"ada": {"p": 0.5}}.get(name, {})
    with pytest.raises(ValueError, match="color"):
        function(images_of((6, 6, 3)), keys_of(0), policy=("color",), **p)


def test_pseudo_augment_takes_fakes_with_probability_p():
    images, keys = images_of((2, 2, 1), batch=4000), keys_of(3, batch=4000)
    mixed = augment.pseudo_augment(images, images + 5, keys, jnp.float32(0.3))
    faked = np.asarray(mixed != images)
    assert (faked.all(axis=(1, 2, 3)) == faked.any(axis=(1, 2, 3))).all()
    np.testing.assert_array_equal(mixed, np.where(faked, images + 5, images))
    assert abs(faked.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 4000)
    everything = augment.pseudo_augment(images, images + 5, keys, 1.0)
    np.testing.assert_array_equal(everything, images + 5)


def test_operations_of_diffaugment_are_listed():
    assert set(diffaugment.OPERATIONS) == {"colour", "translation", "cutout"}
