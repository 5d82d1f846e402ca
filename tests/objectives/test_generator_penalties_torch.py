"""Penalties that need a generator, and their gradients, against PyTorch's autograd.

`golden/make_generator_penalties.py` wrote the expected numbers, and says how.
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import rng
from gan_jax.objectives.generator_penalties import latent_diversity, path_length
from gan_jax.objectives.penalties import latent_consistency

GOLDEN = pathlib.Path(__file__).parent / "golden" / "generator_penalties.npz"
KEYS = jax.random.split(jax.random.key(0), 5)


@jax.jit
def draws(keys):
    """What the penalties draw, for the script that has no JAX."""
    return {
        "direction": rng.normal(rng.substream(keys, "direction"), (6, 4, 3)),
        "perturbation": rng.normal(rng.substream(keys, "perturbation"), (5,)),
    }


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def mlp(weights, z):
    x = jnp.tanh(z @ weights["kernel_0"] + weights["bias_0"])
    x = jax.nn.leaky_relu(x @ weights["kernel_1"] + weights["bias_1"], 0.2)
    return jnp.tanh(x @ weights["kernel_2"] + weights["bias_2"]).reshape(-1, 6, 4, 3)


def conv(weights, z):
    def layer(x, i):
        numbers = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(
            x, weights[f"kernel_{i}"], (1, 1), "SAME", dimension_numbers=numbers
        )
        return x + weights[f"bias_{i}"]

    x = jnp.tanh(z @ weights["kernel_0"] + weights["bias_0"]).reshape(-1, 3, 2, 4)
    x = x.repeat(2, axis=1).repeat(2, axis=2)  # (B, 6, 4, C)
    return jnp.tanh(layer(jax.nn.softplus(layer(x, 1)), 2))


def judge(weights, images):
    x = jnp.tanh(images.reshape(images.shape[0], -1) @ weights["kernel_0"] + weights["bias_0"])
    return (x @ weights["kernel_1"] + weights["bias_1"])[:, 0]


def weights_of(network, golden):
    layers = range(2 if network is judge else 3)
    names = [f"{kind}_{i}" for i in layers for kind in ("kernel", "bias")]
    return {name: golden[f"{network.__name__}/{name}"] for name in names}


def assert_golden(values, gradients, label, golden):
    found = {label: values} | {f"{label}/{weight}": slope for weight, slope in gradients.items()}
    for name, value in found.items():
        assert value.shape == golden[name].shape
        atol = 1e-5 * (np.abs(golden[name]).max() or 1.0)  # consistency cancels the last bias
        np.testing.assert_allclose(value, golden[name], rtol=0, atol=atol, err_msg=name)


def descend(values_of, weights):
    """Values (B,) of weights, and their mean's gradient."""

    @jax.jit
    def both(weights):
        def mean(weights):
            values = values_of(weights)
            return values.mean(), values

        return jax.grad(mean, has_aux=True)(weights)

    gradients, values = both(weights)
    return values, gradients


def penalize(name, generate, golden):
    if name == "latent_diversity":
        return latent_diversity(generate, golden["z"], KEYS, deviation=golden["deviation"])
    controls = {"path_length_average": golden["path_average"]}
    values, more = path_length(generate, golden["z"], KEYS, controls=controls)
    return {"path_length": values, **more}[name]


@pytest.mark.parametrize("name", ["path_length", "path_lengths", "latent_diversity"])
@pytest.mark.parametrize("network", [mlp, conv])
def test_on_the_generator(network, name, golden):
    found = descend(
        lambda weights: penalize(name, lambda z: network(weights, z), golden),
        weights_of(network, golden),
    )
    assert_golden(*found, f"{network.__name__}/{name}", golden)


@pytest.mark.parametrize("network", [mlp, conv])
def test_on_the_discriminator(network, golden):
    generator = weights_of(network, golden)

    def generate(z):
        return network(generator, z)

    def values(weights):
        return latent_consistency(
            lambda images: judge(weights, images),
            None,
            generate(golden["z"]),
            KEYS,
            generate=generate,
            z=golden["z"],
            deviation=golden["deviation"],
        )

    found = descend(values, weights_of(judge, golden))
    assert_golden(*found, f"{network.__name__}/latent_consistency", golden)


def test_the_draws_are_the_golden_ones(golden):
    for name, values in draws(KEYS).items():
        np.testing.assert_allclose(values, golden[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_golden_lengths_lie_on_both_sides_of_their_average(network, golden):
    lengths = golden[f"{network}/path_lengths"]
    assert lengths.min() < golden["path_average"] < lengths.max()


if __name__ == "__main__":
    np.savez(sys.argv[1], **draws(KEYS))
