import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.objectives import augment
from gan_jax.objectives.augment import affine, bands, colour, pipeline, supersampling

MANY = 4000
SHAPE = (16, 24, 3)
KEYS = jax.random.split(jax.random.key(5), MANY)


@functools.cache
def draws():
    return quick_jit(jax.vmap(lambda key: pipeline.draws_for(key, ("stage",))["stage"]))(KEYS)


def ada(images, keys, p, policy=augment.POLICIES["bgc"], **options):
    augmentation = functools.partial(augment.ada, policy=policy, **options)
    return quick_jit(augmentation)(images, keys, jnp.float32(p))


def maps(draw_map, p, *shape, **strengths):
    """The matrices of many draws; every transformation that is not named is off."""
    off = dict.fromkeys(MULTIPLIERS[draw_map], 0.0)
    draw = quick_jit(jax.vmap(lambda draws: draw_map(draws, p, *shape, **(off | strengths))))
    return np.asarray(draw(draws()), np.float64)


MULTIPLIERS = {
    pipeline.blit_map: ("flip", "turn", "move"),
    pipeline.warp_map: ("scale", "rotate", "stretch", "move"),
    pipeline.colour_map: ("brightness", "contrast", "luma", "hue", "saturation"),
}


def happened(matrices):
    return (matrices != np.eye(matrices.shape[-1])).any(axis=(1, 2))


def assert_share(events, p):
    assert abs(np.mean(events) - p) < 4 * np.sqrt(p * (1 - p) / MANY), np.mean(events)


def assert_normal(values, sigma):
    assert abs(values.mean()) < 4 * sigma / np.sqrt(MANY)
    assert abs(values.std() - sigma) < 4 * sigma / np.sqrt(2 * MANY)
    assert abs(np.mean(abs(values) < sigma) - 0.683) < 0.03


def assert_uniform(values, bound):
    assert abs(values).max() <= bound * (1 + 1e-5)
    assert abs(values.mean()) < 4 * bound / np.sqrt(3 * MANY)
    assert abs(values.std() - bound / np.sqrt(3)) < 0.03 * bound


def test_blit_flips():
    sides = maps(pipeline.blit_map, 1.0, SHAPE, flip=1.0)
    np.testing.assert_array_equal(abs(sides), np.broadcast_to(np.eye(3), sides.shape))
    assert_share(sides[:, 0, 0] < 0, 0.5)
    assert (sides[:, 1, 1] == 1).all()


def test_blit_turns():
    turned = maps(pipeline.blit_map, 1.0, SHAPE, turn=1.0)
    for turns in range(4):
        c, s = np.round([np.cos(turns * np.pi / 2), np.sin(turns * np.pi / 2)])
        assert_share((turned == [[c, -s, 0], [s, c, 0], [0, 0, 1]]).all(axis=(1, 2)), 0.25)


def test_blit_moves_by_whole_pixels_within_an_eighth():
    moved = maps(pipeline.blit_map, 1.0, SHAPE, move=1.0)
    np.testing.assert_array_equal(moved[:, :, :2], np.broadcast_to(np.eye(3)[:, :2], (MANY, 3, 2)))
    for axis, (size, bound) in enumerate([(24, 3), (16, 2)]):
        pixels = moved[:, axis, 2]
        assert set(pixels) == set(range(-bound, bound + 1))
        assert_share(pixels == 0, 1 / (0.25 * size))


def test_warp_scales():
    scaled = maps(pipeline.warp_map, 1.0, SHAPE, scale=1.0)
    np.testing.assert_array_equal(scaled[:, 0, 0], scaled[:, 1, 1])
    assert_normal(np.log2(scaled[:, 0, 0]), 0.2)


def test_warp_stretches():
    stretched = maps(pipeline.warp_map, 1.0, SHAPE, stretch=1.0)
    np.testing.assert_allclose(stretched[:, 0, 0] * stretched[:, 1, 1], 1.0, rtol=1e-5)
    assert_normal(np.log2(stretched[:, 0, 0]), 0.2)


def test_warp_rotates_with_probability_p_in_all():
    rotated = maps(pipeline.warp_map, 0.6, SHAPE, rotate=1.0)
    assert_share(happened(rotated), 0.6)
    np.testing.assert_allclose(np.linalg.det(rotated), 1.0, atol=1e-5)
    once = maps(pipeline.warp_map, 1.0, SHAPE, rotate=0.36, degrees=90.0)
    # Each with 1 - sqrt(1 - 0.36) = 0.2: both, whose angles add up to more than 90, are rare.
    angles = np.degrees(np.arctan2(once[:, 1, 0], once[:, 0, 0]))
    assert_share(happened(once), 0.36)
    assert_share(abs(angles) > 90 + 1e-3, 0.2**2 / 4)


def test_warp_moves_by_an_eighth():
    moved = maps(pipeline.warp_map, 1.0, SHAPE, move=1.0)
    assert_normal(moved[:, 0, 2], 0.125 * 24)
    assert_normal(moved[:, 1, 2], 0.125 * 16)
    assert abs(np.corrcoef(moved[:, :2, 2], rowvar=False)[0, 1]) < 4 / np.sqrt(MANY)


def test_colours():
    brightened = maps(pipeline.colour_map, 1.0, brightness=1.0)[:, 3, :3]
    np.testing.assert_array_equal(brightened, brightened[:, :1].repeat(3, 1))
    assert_normal(brightened[:, 0], 0.2)
    contrasted = maps(pipeline.colour_map, 1.0, contrast=1.0)
    assert_normal(np.log2(contrasted[:, 1, 1]), 0.5)
    assert_share(np.linalg.det(maps(pipeline.colour_map, 1.0, luma=1.0)) < 0, 0.5)
    chroma = np.array([1.0, -1.0, 0.0, 0.0])
    across = np.array([1.0, 1.0, -2.0, 0.0]) / np.sqrt(3)
    turned = chroma @ maps(pipeline.colour_map, 1.0, hue=1.0)
    assert_uniform(np.arctan2(turned @ across, turned @ chroma), np.pi)
    saturated = chroma @ maps(pipeline.colour_map, 1.0, saturation=1.0)
    assert_normal(np.log2(saturated[:, 0]), 1.0)


@pytest.mark.parametrize("draw_map", MULTIPLIERS)
def test_each_transformation_happens_with_its_multiple_of_p(draw_map):
    shape = () if draw_map is pipeline.colour_map else (SHAPE,)
    found = {}
    for name in MULTIPLIERS[draw_map]:
        found[name] = happened(maps(draw_map, 0.8, *shape, **{name: 0.5}))
        # A flip, a quarter turn or a small move may well leave the image as it is.
        idle = {"flip": 0.5, "luma": 0.5, "turn": 0.25}.get(name, 0.0)
        if (draw_map, name) == (pipeline.blit_map, "move"):
            idle = 1 / (0.25 * 24) / (0.25 * 16)
        assert_share(found[name], 0.4 * (1 - idle))
    assert abs(np.corrcoef(list(found.values())) - np.eye(len(found))).max() < 5 / np.sqrt(MANY)


def test_filter_gains_keep_the_power_of_a_natural_image():
    impulse = jnp.zeros((1, 1, 1))
    seen = []

    def equalize(image, gains):
        seen.append(gains)
        return image

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "equalize", equalize)

        def gains(draws, p, band):
            pipeline.filter_bands(impulse, draws, p, band=band)
            return seen.pop()

        always, rarely = (
            np.asarray(jax.vmap(lambda d, band=band: gains(d, 0.8, band))(draws()), np.float64)
            for band in (1.25, 0.05)
        )
    power = np.array([10, 1, 1, 1]) / 13
    # Where one band at most is amplified, power is kept exactly.
    np.testing.assert_allclose(np.median(rarely**2 @ power), 1.0)
    single = (rarely != 1).any(axis=1)
    assert_share(single, 1 - 0.96**4)
    kept = np.isclose(rarely**2 @ power, 1.0, rtol=1e-5)
    assert_share(~kept, 1 - 0.96**4 - 4 * 0.04 * 0.96**3)
    # The normalizations cancel in ratios: log2 g_i / g_j = n_i - n_j, of variance 2.
    for i, j in [(0, 1), (1, 2), (3, 0)]:
        assert_normal(np.log2(always[:, i] / always[:, j]), np.sqrt(2))


def test_noise_has_its_own_strength_for_each_image():
    images = jnp.zeros((MANY, 6, 6, 3))
    noisy = np.asarray(ada(images, KEYS, 0.5, ("noise",)))
    strengths = noisy.std(axis=(1, 2, 3))
    assert_share(strengths > 0, 0.5)
    drawn = noisy[strengths > 0]
    assert abs(np.mean(drawn**2) / 0.1**2 - 1) < 4 * np.sqrt(2 / (MANY / 2)) + 0.02
    assert abs(np.mean(strengths[strengths > 0]) / (0.1 * np.sqrt(2 / np.pi)) - 1) < 0.06


@pytest.mark.parametrize("size", [(8, 6), (5, 9)])
def test_cutout_is_half_of_each_side_about_a_uniform_centre(size):
    image = jnp.full((MANY, *size, 2), 0.5)
    cut = np.asarray(ada(image, KEYS, 0.5, ("cutout",)) == 0)
    assert (cut[..., 0] == cut[..., 1]).all()
    cut = cut[..., 0]
    rows, columns = cut.any(axis=2), cut.any(axis=1)
    np.testing.assert_array_equal(cut, rows[:, :, None] & columns[:, None])
    centres = (np.arange(100_000) + 0.5) / 100_000
    shares = []
    for length in size:
        start, stop = (np.round((centres + side) * length) for side in (-0.25, 0.25))
        index = np.arange(length)[:, None]
        shares.append(((start <= index) & (index < stop)).mean(axis=1))
    assert abs(cut.mean(axis=0) - 0.5 * np.outer(*shares)).max() < 4.5 * 0.5 / np.sqrt(MANY)
    assert_share(cut.any(axis=(1, 2)), 0.5)


def test_policies_are_the_papers_and_stages_keep_their_draws():
    assert list(augment.POLICIES) == ["b", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc", "r3gan"]
    assert augment.POLICIES["r3gan"] == ("blit", "warp", "colour", "cutout")
    assert augment.POLICIES["bgc"] == ("blit", "warp", "colour")
    images = jnp.float32(np.random.default_rng(0).uniform(-1, 1, (20, 7, 7, 3)))
    keys = KEYS[:20]
    whole = ada(images, keys, 0.9)
    moved = ada(images, keys, 0.9, ("blit", "warp"))
    np.testing.assert_array_equal(ada(moved, keys, 0.9, ("colour",)), whole)
    upright = {"blit": {"turn": 0.0, "flip": 0.0}, "warp": {"rotate": 0.0}}
    ramp = jnp.broadcast_to(jnp.linspace(-1, 1, 7)[:, None, None], images.shape)
    straight = ada(ramp, keys, 1.0, ("blit", "warp"), strengths=upright)
    np.testing.assert_allclose(straight, straight[:, :, :1].repeat(7, axis=2), atol=1e-5)


def test_where_the_warp_leaves_whole_pixels_they_are_copied():
    images = jnp.float32(np.random.default_rng(0).uniform(-1, 1, (50, 6, 6, 3)))
    still = {"warp": dict.fromkeys(MULTIPLIERS[pipeline.warp_map], 0.0)}
    copied = ada(images, KEYS[:50], 1.0, ("blit",))
    assert (copied != images).any(axis=(1, 2, 3)).mean() > 0.9
    moved = ada(images, KEYS[:50], 1.0, ("blit", "warp"), strengths=still)
    np.testing.assert_array_equal(moved, copied)


def test_a_quarter_turn_that_falls_between_the_pixels_copies_none():
    image = jnp.float32(np.random.default_rng(0).uniform(-1, 1, (7, 8, 1)))
    for turns, function in ((1, supersampling.resample), (2, affine.resample)):
        matrix = affine.quarter_turns(jnp.array(turns))
        moved = pipeline._moved(image, matrix, copies=False)
        np.testing.assert_array_equal(moved, function(image, matrix))


def test_a_grey_image_is_a_colour_of_equal_channels():
    grey = jnp.float32(np.random.default_rng(0).uniform(-1, 1, (50, 3, 4, 1)))
    keys = KEYS[:50]
    as_colour = ada(grey.repeat(3, axis=-1), keys, 1.0, ("colour",))
    np.testing.assert_allclose(as_colour, as_colour[..., :1].repeat(3, axis=-1), atol=1e-5)
    as_grey = ada(grey, keys, 1.0, ("colour",))
    np.testing.assert_allclose(as_grey, as_colour[..., :1], atol=1e-5)
    only = {"brightness": 0.0, "contrast": 0.0, "luma": 0.0}
    unchanged = ada(grey, keys, 1.0, ("colour",), strengths={"colour": only})
    np.testing.assert_allclose(unchanged, grey, atol=1e-6)


def test_adjust_probability():
    def adjust(p, r, images=1000, **options):
        return float(augment.adjust_probability(jnp.float32(p), jnp.float32(r), images, **options))

    assert adjust(0.5, 0.7) == pytest.approx(0.5 + 1000 / 500_000)
    assert adjust(0.5, 0.59) == pytest.approx(0.5 - 1000 / 500_000)
    assert adjust(0.5, -1.0) == pytest.approx(0.5 - 1000 / 500_000)
    assert adjust(0.5, 0.7, target=0.8) < 0.5 < adjust(0.5, 0.7, target=0.5)
    assert adjust(0.5, 0.9, speed_images=10_000) == pytest.approx(0.6)
    assert adjust(0.5, 0.6) == 0.5
    assert adjust(0.0, -1.0) == 0.0
    assert adjust(0.999, 1.0, images=10_000) == 1.0
    assert adjust(0.001, 0.0, images=10_000) == 0.0


# Colours, in the order (r, g, b, 1) @ matrix.

V = np.ones(3) / np.sqrt(3)
ONTO_GREY = np.outer(V, V)


def homogeneous(matrix, offset=0.0):
    full = np.eye(4)
    full[:3, :3] = matrix
    full[3, :3] = offset
    return full


def test_colour_matrices():
    cases = {
        "brightness": (colour.brightness(0.3), homogeneous(np.eye(3), 0.3)),
        "contrast": (colour.contrast(1.7), homogeneous(1.7 * np.eye(3))),
        # A reflection in the plane across the grey axis (Householder).
        "luma": (colour.luma(-1.0), homogeneous(np.eye(3) - 2 * ONTO_GREY)),
        "saturation": (
            colour.saturation(2.5),
            homogeneous(ONTO_GREY + 2.5 * (np.eye(3) - ONTO_GREY)),
        ),
        "grey": (colour.saturation(0.0), homogeneous(np.full((3, 3), 1 / 3))),
        # A third of the circle takes red to green, green to blue, blue to red.
        "hue": (colour.hue(2 * np.pi / 3), homogeneous(np.roll(np.eye(3), 1, axis=1))),
    }
    for name, (matrix, expected) in cases.items():
        np.testing.assert_allclose(matrix, expected, atol=1e-6, err_msg=name)
    small = np.asarray(colour.hue(0.4), np.float64)[:3, :3]
    np.testing.assert_allclose(small @ small.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(V @ small, V, atol=1e-6)
    np.testing.assert_allclose(np.trace(small), 1 + 2 * np.cos(0.4), atol=1e-6)


def test_recolour_maps_every_pixel():
    image = np.random.default_rng(0).uniform(-1, 1, (4, 5, 3))
    matrix = homogeneous(np.random.default_rng(1).normal(size=(3, 3)), [0.1, -0.2, 0.3])
    pixels = np.concatenate([image, np.ones((4, 5, 1))], axis=-1)
    mapped = colour.recolour(jnp.float32(image), jnp.float32(matrix))
    np.testing.assert_allclose(mapped, (pixels @ matrix)[..., :3], atol=1e-5)
