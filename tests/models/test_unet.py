"""The U-Net discriminator, written out from its parameters."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.models.unet import UNetDiscriminator
from gan_jax.nn.resample import average_down, nearest_up

IMAGES = jnp.float32(np.random.default_rng(0).uniform(-1, 1, (3, 16, 16, 2)))
LABELS = jnp.array([2, 0, 2])
relu = jax.nn.relu


def initialized(key, **fields):
    network = UNetDiscriminator(width=2, **fields)
    init = quick_jit(functools.partial(network.init, train=False))
    return network, init(key, IMAGES, LABELS)


def convolution(x, layer):
    numbers = ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(x, layer["kernel"], (1, 1), "SAME", dimension_numbers=numbers)
    return x + layer["bias"]


def written_out(params, x):
    """What is pooled, and what pixels are judged by, of images of two halvings."""
    layers = iter(range(12))

    def conv(x):
        return convolution(x, params[f"Conv_{next(layers)}"])

    def up(x):
        inner = conv(nearest_up(relu(x)))
        inner = conv(relu(inner))
        return inner + conv(nearest_up(x))

    inner = average_down(conv(relu(conv(x))))
    one = inner + conv(average_down(x))
    inner = average_down(conv(relu(conv(relu(one)))))
    two = inner + conv(average_down(one))
    x = up(jnp.concatenate([up(two), one], axis=-1))
    assert next(layers, None) is None
    return relu(two).sum((1, 2)), x


@pytest.mark.parametrize(
    ("num_classes", "conditioning"), [(None, "concatenate"), (3, "projection"), (3, "concatenate")]
)
def test_it_is_what_is_written_out(num_classes, conditioning, key):
    network, variables = initialized(
        key, spectral=False, num_classes=num_classes, conditioning=conditioning
    )
    params, images = variables["params"], IMAGES
    if num_classes and conditioning == "concatenate":
        planes = jnp.broadcast_to(jnp.eye(3)[LABELS][:, None, None], (3, 16, 16, 3))
        images = jnp.concatenate([IMAGES, planes], axis=-1)
    features, x = quick_jit(written_out)(params, images)
    logits = (features @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"])[:, 0]
    pixel_logits = convolution(x, params["pixel_logits"])[..., 0]
    if conditioning == "projection":
        logits += (features * params["class_embedding"]["embedding"][LABELS]).sum(-1)
        table = params["pixel_embedding"]["embedding"]
        pixel_logits += (x * table[LABELS][:, None, None]).sum(-1)
    found = quick_jit(functools.partial(network.apply, train=True))(variables, IMAGES, LABELS)
    assert found.pixel_logits.shape == (3, 16, 16)
    for ours, expected in ((found.logits, logits), (found.pixel_logits, pixel_logits)):
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * scale)


def test_every_kernel_but_the_one_of_pixels_is_spectrally_normalized(key):
    _, variables = initialized(key, num_classes=3, conditioning="projection")
    assert variables["params"].keys() - variables["spectral"].keys() == {"pixel_logits"}


def test_every_block_halves():
    assert UNetDiscriminator.plan(4, 2) == [(4, True), (4, True)]
    assert UNetDiscriminator.plan(4, 5) == [(times, True) for times in (1, 2, 4, 8, 16)]
    assert UNetDiscriminator.plan(4, 6) == [(times, True) for times in (1, 2, 4, 8, 8, 16)]
