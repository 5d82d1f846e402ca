"""Penalties by gradients, and LeCam's, against PyTorch's autograd; their gradients as well.

`golden/make_penalties.py` wrote the expected numbers, and says how.
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import rng
from gan_jax.objectives.adaptive import Adaptive
from gan_jax.objectives.penalties import PENALTIES

GOLDEN = pathlib.Path(__file__).parent / "golden" / "penalties.npz"
KEYS = jax.random.split(jax.random.key(0), 5)


@jax.jit
def draws(keys):
    """What the penalties draw, for the script that has no JAX."""

    def uniform(stream, shape):
        draw = jax.vmap(lambda key: jax.random.uniform(key, shape))
        return draw(rng.substream(keys, stream))

    return {"share": uniform("between", ()), "noise": uniform("around", (7, 6, 3))}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def mlp(weights, images):
    x = images.reshape(images.shape[0], -1)
    x = jax.nn.leaky_relu(x @ weights["kernel_0"] + weights["bias_0"], 0.2)
    x = jnp.tanh(x @ weights["kernel_1"] + weights["bias_1"])
    x = jax.nn.leaky_relu(x @ weights["kernel_2"] + weights["bias_2"], 0.2)
    return (x @ weights["kernel_3"] + weights["bias_3"])[:, 0]


def conv(weights, images):
    def layer(x, i):
        kernel, padding = weights[f"kernel_{i}"], [(1, 1), (1, 1)]
        x = jax.lax.conv_general_dilated(
            x, kernel, (2, 2), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return x + weights[f"bias_{i}"]

    x = jax.nn.leaky_relu(layer(images, 0), 0.2)  # (B, 4, 3, 6)
    x = jnp.tanh(layer(x, 1))  # (B, 2, 2, 8)
    return (x.reshape(x.shape[0], -1) @ weights["kernel_2"] + weights["bias_2"])[:, 0]


def weights_of(network, golden):
    layers = range(4 if network is mlp else 3)
    names = [f"{kind}_{i}" for i in layers for kind in ("kernel", "bias")]
    return {name: golden[f"{network.__name__}/{name}"] for name in names}


def assert_near(found, expected, what):
    assert found.shape == expected.shape
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * largest, err_msg=what)


@pytest.mark.parametrize("name", ["r1", "r2", "wgan_gp", "one_sided_gp", "dragan", "lecam"])
@pytest.mark.parametrize("network", [mlp, conv])
def test_values_and_gradients(network, name, golden):
    penalty, options = PENALTIES[name], {}
    if isinstance(penalty, Adaptive):
        options["controls"] = {control: golden[control] for control in penalty.initial}
        penalty = penalty.function

    @jax.jit
    def found(weights, real, fake, keys):
        def mean(weights):
            values = penalty(lambda x: network(weights, x), real, fake, keys, **options)
            return values.mean(), values

        return jax.grad(mean, has_aux=True)(weights)

    gradients, values = found(weights_of(network, golden), golden["real"], golden["fake"], KEYS)
    label = f"{network.__name__}/{name}"
    assert_near(values, golden[label], label)
    for weight, gradient in gradients.items():
        assert_near(gradient, golden[f"{label}/{weight}"], weight)


def test_the_draws_are_the_golden_ones(golden):
    for name, values in draws(KEYS).items():
        np.testing.assert_array_equal(values, golden[name], name)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_golden_slopes_lie_on_both_sides_of_one(network, golden):
    """Else the one-sided penalty would be the two-sided one, or nothing."""
    one_sided = golden[f"{network}/one_sided_gp"]
    assert (one_sided == 0).any()
    assert one_sided.max() > 0.01


if __name__ == "__main__":
    np.savez(sys.argv[1], **draws(KEYS))
