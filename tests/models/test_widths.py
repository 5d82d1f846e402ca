"""Widths by stage: those of a family again, other ones, and which are refused."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.families import FAMILIES
from gan_jax.models.sizes import doublings

FAMILIES_OF_BLOCKS = ("sngan", "sagan", "biggan", "biggan_deep", "unet")
LATENT = 60


def parameters(network, inputs):
    variables = jax.eval_shape(lambda: network.init(jax.random.key(0), inputs, train=False))
    return jax.tree.map(lambda x: x.shape, variables["params"])


@pytest.mark.parametrize(
    "size", [28, *(pytest.param(size, marks=pytest.mark.slow) for size in (14, 64))]
)
@pytest.mark.parametrize("family", FAMILIES_OF_BLOCKS)
def test_a_familys_own_widths_make_the_same_network(family, size):
    networks, place = FAMILIES[family], doublings((size, size))
    latents, images = jnp.zeros((1, LATENT)), jnp.zeros((1, size, size, 3))
    multipliers = networks.generator.multipliers(*place)
    usual, named = (
        networks.generator(image_shape=(size, size, 3), **fields)
        for fields in ({"width": 4}, {"widths": tuple(4 * times for times in multipliers)})
    )
    assert parameters(named, latents) == parameters(usual, latents)
    plan = networks.discriminator.plan(*place)
    usual, named = (
        networks.discriminator(**fields)
        for fields in ({"width": 4}, {"widths": tuple(4 * times for times, _ in plan)})
    )
    assert parameters(named, images) == parameters(usual, images)


def levels(family, size, widths):
    """The shapes (height, channels) of what each block of a discriminator makes."""

    class Levels(FAMILIES[family].discriminator):
        @nn.compact
        def __call__(self, images):
            return self.encode(images, None, *self.layers(train=False), train=False)

    images = jnp.zeros((1, size, size, 1))
    made, _ = jax.eval_shape(
        lambda: Levels(widths=widths).init_with_output(jax.random.key(0), images)
    )
    return [(level.shape[1], level.shape[3]) for level in made]


@pytest.mark.parametrize(
    ("family", "size", "widths", "expected"),
    [
        ("sngan", 28, (5, 6), [(14, 5), (7, 6)]),
        ("sngan", 28, (5, 6, 7), [(14, 5), (7, 6), (7, 7)]),
        ("sngan", 8, (5, 5, 6, 6, 7), [(4, 5), *[(4, 5), (4, 6), (4, 6)], (4, 7)]),
        ("biggan", 32, (8, 4), [(16, 8), (8, 4)]),
        ("biggan_deep", 16, (2, 4, 6), [(16, 2), (8, 4), (4, 6)]),
        ("biggan_deep", 8, (2, 4, 8), [(8, 2), (4, 4), (4, 8)]),
        ("unet", 32, (3, 4, 5), [(16, 3), (8, 4), (4, 5)]),
    ],
)
def test_a_discriminator_has_a_block_for_each_width(family, size, widths, expected):
    assert levels(family, size, widths) == expected


@pytest.mark.parametrize(
    ("family", "widths", "words"),
    [
        ("sngan", (4,), "widths has 1 entries; images of 32 pixels take 2"),
        ("biggan_deep", (4, 4), "take 3 or more"),
        ("unet", (4, 4), "take 3 or more"),
        ("biggan_deep", (8, 4, 4), "widths fall from 8 to 4"),
        ("unet", (4, 4, 4, 4), "widths has 4 entries; a U-Net of images of 32 pixels takes 3"),
    ],
)
def test_widths_that_do_not_fit_are_refused(family, widths, words):
    with pytest.raises(InputError, match=words):
        parameters(FAMILIES[family].discriminator(widths=widths), jnp.zeros((1, 32, 32, 3)))


@pytest.mark.parametrize("family", [*FAMILIES_OF_BLOCKS, "r3gan"])
def test_a_generator_takes_a_width_for_each_size(family):
    network = FAMILIES[family].generator(image_shape=(32, 32, 3), widths=(16, 16))
    with pytest.raises(InputError, match="widths has 2 entries; images of 32 pixels take 4, from"):
        parameters(network, jnp.zeros((1, LATENT)))


def test_channels_of_the_deep_generator_never_rise():
    network = FAMILIES["biggan_deep"].generator(image_shape=(32, 32, 3), widths=(8, 8, 4, 5))
    with pytest.raises(InputError, match="widths rise from 4 to 5"):
        parameters(network, jnp.zeros((1, LATENT)))


@pytest.mark.parametrize(
    ("size", "width", "expected"),
    [
        (32, 768, [768] * 4),
        (256, 768, [768, 768, 768, 768, 384, 192, 96]),
        (48, 768, [768, 768, 768, 512]),
        (56, 768, [768, 768, 768, 432]),
        (80, 768, [768, 768, 768, 608, 304]),
        (64, 3, [3, 3, 3, 3, 1]),
        (64, 8, [8, 8, 8, 8, 8]),
    ],
)
def test_r3gan_has_fewer_channels_beyond_32_pixels_in_whole_groups(size, width, expected):
    """Where groups of 16 do not divide what an expansion of 2 makes of the width's share: fewer."""
    group_size = 2 if width == 3 else 16
    fields = {"width": width, "group_size": group_size, "blocks": 1}
    images, latents = jnp.zeros((1, size, size, 3)), jnp.zeros((1, 8))
    for network, inputs in (
        (FAMILIES["r3gan"].generator(image_shape=(size, size, 3), **fields), latents),
        (FAMILIES["r3gan"].discriminator(**fields), images),
    ):
        blocks = [v for k, v in parameters(network, inputs).items() if k.startswith("Block")]
        found = [block["Conv_0"]["kernel"][2] for block in blocks]
        assert sorted(found, reverse=True) == expected
