"""The blocks of BigGAN-deep, written out, and what its normalizations read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import InputError
from gan_jax.models.biggan_deep import BigGANDeepDiscriminator, BigGANDeepGenerator
from gan_jax.nn.resample import average_down, nearest_up

IMAGES = jnp.float32(np.random.default_rng(0).normal(size=(2, 6, 6, 8)))
relu = jax.nn.relu


def same(x):
    return x


class Kernels:
    """`conv` of the kernels that are drawn for it, one a call: (kernel size, inputs, outputs)."""

    def __init__(self, scale=1.0):
        self.random, self.scale, self.shapes = np.random.default_rng(1), scale, []

    def __call__(self, x, features, size, inside=True):
        self.shapes.append((size, x.shape[-1], features, inside))
        kernel = self.random.normal(size=(size, size, x.shape[-1], features)) * self.scale
        return jax.lax.conv_general_dilated(
            x, jnp.float32(kernel), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )


def generator_block(x, features, conv):
    return BigGANDeepGenerator.block(x, features, conv, relu)


def discriminator_block(x, features, conv, *, first=False, halves=True):
    network = BigGANDeepDiscriminator()
    return network.block(x, features, conv, relu, first=first, halves=halves)


def assert_close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


def test_a_stage_of_the_generator_written_out():
    conv, by_hand = Kernels(), Kernels()
    found = generator_block(IMAGES, 4, conv)

    def inner(x, features, up):
        y = by_hand(relu(x), 2, 1)
        y = by_hand(up(relu(y)), 2, 3)
        y = by_hand(relu(y), 2, 3)
        return by_hand(relu(y), features, 1)

    x = IMAGES + inner(IMAGES, 8, same)
    assert_close(found, nearest_up(x[..., :4]) + inner(x, 4, nearest_up))
    assert found.shape == (2, 12, 12, 4)
    one = [(1, 8, 2, True), (3, 2, 2, True), (3, 2, 2, True)]
    assert conv.shapes == [*one, (1, 2, 8, True), *one, (1, 2, 4, True)]


@pytest.mark.parametrize("halves", [True, False])
def test_a_stage_of_the_discriminator_written_out(halves):
    conv, by_hand = Kernels(), Kernels()
    found = discriminator_block(IMAGES, 12, conv, halves=halves)
    down = average_down if halves else same

    def inner(x, down):
        y = by_hand(relu(x), 3, 1)
        y = by_hand(relu(y), 3, 3)
        y = by_hand(relu(y), 3, 3)
        return by_hand(down(relu(y)), 12, 1)

    y, x = inner(IMAGES, down), down(IMAGES)
    x = jnp.concatenate([x, by_hand(x, 4, 1)], axis=-1) + y
    assert_close(found, x + inner(x, same))
    assert found.shape == (2, *((3, 3) if halves else (6, 6)), 12)
    assert [shape for shape in conv.shapes if not shape[-1]] == [(1, 8, 4, False)]


@pytest.mark.parametrize(("count", "halvings"), [(1, 1), (2, 2), (3, 2), (4, 4), (5, 5), (6, 6)])
def test_stages_halve_after_the_first_convolution(count, halvings):
    """Twice at most where images are small, as in the other residual networks."""
    (_, first), *stages = BigGANDeepDiscriminator.plan(4, count)
    assert not first
    assert [halves for _, halves in stages] == [n < halvings for n in range(len(stages))]


def test_the_discriminator_begins_with_a_convolution():
    found = discriminator_block(IMAGES, 5, Kernels(), first=True, halves=False)
    assert_close(found, Kernels()(IMAGES, 5, 3))


def test_shortcuts_keep_what_they_carry():
    nothing = Kernels(scale=0.0)
    up = generator_block(IMAGES, 3, nothing)
    np.testing.assert_array_equal(up, nearest_up(IMAGES[..., :3]))
    down = discriminator_block(IMAGES, 9, nothing)
    np.testing.assert_array_equal(down[..., :8], average_down(IMAGES))
    np.testing.assert_array_equal(down[..., 8:], 0)
    calls = len(nothing.shapes)
    np.testing.assert_array_equal(discriminator_block(IMAGES, 8, nothing, halves=False), IMAGES)
    assert len(nothing.shapes) == calls + 8  # no convolution in a shortcut that adds no channel


def test_all_read_the_embedding_and_then_the_latent():
    z, embedding = jnp.ones((2, 3)), jnp.zeros((2, 1))
    shares = BigGANDeepGenerator.shares(z, embedding, 4)
    assert len(shares) == 5
    for share in shares:
        np.testing.assert_array_equal(share, [[0, 1, 1, 1]] * 2)


def inputs_of_layers(**fields):
    """Lengths of what the dense layer, and normalizations inside blocks, read."""
    network = BigGANDeepGenerator((8, 8, 1), 2, **fields)
    z, labels = jnp.zeros((1, 5)), jnp.zeros(1, jnp.int32)
    params = jax.eval_shape(lambda k: network.init(k, z, labels, train=False), jax.random.key(0))
    params = params["params"]
    norms = [params[f"BatchNorm_{block}"] for block in range(8)]
    assert params["BatchNorm_8"].keys() == {"scale", "bias"}
    read = {norm[name]["kernel"].shape[0] for norm in norms for name in ("gain", "bias")}
    return params["Dense_0"]["kernel"].shape[0], *read


def test_all_normalizations_read_the_embedding_and_the_whole_latent():
    assert inputs_of_layers() == (5, 5)
    assert inputs_of_layers(num_classes=3) == (133, 133)
    assert inputs_of_layers(num_classes=3, shared_embedding=4) == (9, 9)
    assert inputs_of_layers(num_classes=3, shared_embedding=4, hierarchical=False) == (5, 4)
    with pytest.raises(InputError, match="set shared_embedding"):
        inputs_of_layers(num_classes=3, shared_embedding=0)
