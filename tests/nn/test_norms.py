"""Normalizations by example, and batch normalization by vectors, against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from runs import quick_jit

import gan_jax
from gan_jax.nn.batch_norm import BatchNorm
from gan_jax.nn.norms import NORMS, InstanceNorm, LayerNorm, normalize, pixel_norm

SHAPE, WIDTH = (4, 3, 5, 6), 7


def drawn(*shape, seed=0):
    return np.float32(np.random.default_rng(seed).normal(1, 2, shape))


def normalized(x, axes, epsilon):
    x = np.float64(x)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + epsilon)


def by_pixel(x, epsilon=1e-8):
    x = np.float64(x)
    return x / np.sqrt(np.mean(x**2, -1, keepdims=True) + epsilon)


class Normalized(nn.Module):
    """What `normalize` makes of images."""

    norm: str
    options: dict

    @nn.compact
    def __call__(self, x, condition=None, *, train=True):
        return normalize(self.norm, x, condition, train=train, **self.options)


def run(module, x, *args, params=None, **options):
    """(outputs, variables), with the parameters in `params` in place of those at first."""

    @quick_jit
    def compute(x, *args):
        variables = module.init(jax.random.key(0), x, *args, **options)
        variables = {**variables, "params": {**variables.get("params", {}), **(params or {})}}
        return module.apply(variables, x, *args, **options), variables

    return compute(x, *args)


def assert_near(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("build", "axes"), [(InstanceNorm, (1, 2)), (LayerNorm, (1, 2, 3))])
@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
def test_each_example_by_its_own_mean_and_variance(epsilon, build, axes):
    x = drawn(*SHAPE)
    found, variables = run(build(epsilon), x)
    np.testing.assert_array_equal(variables["params"]["scale"], np.ones(6))
    np.testing.assert_array_equal(variables["params"]["bias"], np.zeros(6))
    expected = normalized(x, axes, epsilon)
    assert_near(found, expected)
    params = {"scale": drawn(6, seed=1), "bias": drawn(6, seed=2)}
    found, _ = run(build(epsilon), x, params=params)
    assert_near(found, expected * params["scale"] + params["bias"])


@pytest.mark.parametrize("epsilon", [1e-8, 0.5])
@pytest.mark.parametrize("shape", [SHAPE, (4, 6)])
def test_pixel_norm_is_by_the_mean_square_over_channels(shape, epsilon):
    x = drawn(*shape)
    assert_near(quick_jit(lambda x: pixel_norm(x, epsilon))(x), by_pixel(x, epsilon))


@pytest.mark.parametrize("norm", ["instance", "layer", "pixel"])
def test_other_rows_change_nothing(norm):
    x = drawn(*SHAPE)
    other = np.concatenate([x[:1], 100 * drawn(*SHAPE, seed=1)[1:]])
    first, second = (run(Normalized(norm, {}), rows)[0] for rows in (x, other))
    np.testing.assert_array_equal(first[0], second[0])
    assert np.abs(first[1] - second[1]).max() > 0.1


@pytest.mark.parametrize("norm", ["instance", "layer", "pixel"])
def test_constant_images_have_finite_values_and_gradients(norm):
    x = np.zeros(SHAPE, np.float32)
    module = Normalized(norm, {})
    variables = module.init(jax.random.key(0), x)
    loss = jax.value_and_grad(lambda x: jnp.sum(module.apply(variables, x)))
    for leaf in jax.tree.leaves(quick_jit(loss)(x)):
        assert np.isfinite(leaf).all()


def test_names_choose_the_layer():
    x = drawn(*SHAPE)
    expected = {
        "none": x,
        "batch": normalized(x, (0, 1, 2), 1e-5),
        "instance": normalized(x, (1, 2), 1e-5),
        "layer": normalized(x, (1, 2, 3), 1e-5),
        "pixel": by_pixel(x),
    }
    assert set(expected) == set(NORMS)
    for norm, values in expected.items():
        assert_near(run(Normalized(norm, {}), x)[0], values)
        half = run(Normalized(norm, {"dtype": jnp.bfloat16}), jnp.bfloat16(x))[0]
        assert half.dtype == jnp.bfloat16


def test_options_reach_batch_normalization():
    x, labels = drawn(*SHAPE), np.array([1, 0, 2, 1])
    params = {"BatchNorm_0": {"gain": drawn(3, 6, seed=1), "bias": drawn(3, 6, seed=2)}}
    module = Normalized("batch", {"num_classes": 3, "epsilon": 0.5})
    gain, bias = (params["BatchNorm_0"][name][labels][:, None, None] for name in ("gain", "bias"))
    found, _ = run(module, x, labels, params=params)
    assert_near(found, normalized(x, (0, 1, 2), 0.5) * (1 + gain) + bias)
    found, _ = run(module, x, labels, params=params, train=False)
    assert_near(found, np.float64(x) / np.sqrt(1.5) * (1 + gain) + bias)


def test_unknown_names_are_told_with_those_there_are():
    with pytest.raises(gan_jax.InputError, match="'groups'; there are none, batch, instance"):
        Normalized("groups", {}).init(jax.random.key(0), drawn(*SHAPE))


@pytest.mark.parametrize("shape", [SHAPE, (4, 6)])
def test_gain_and_bias_of_batch_normalization_by_vectors(shape):
    x, vectors = drawn(*shape), drawn(4, WIDTH, seed=1)
    params = {
        name: {"kernel": drawn(WIDTH, 6, seed=seed)} for name, seed in (("gain", 2), ("bias", 3))
    }
    found, variables = run(BatchNorm(), x, vectors, params=params, train=True)
    # Neither of them has a bias, nor is there any other parameter.
    assert jax.tree.structure(variables["params"]) == jax.tree.structure(params)
    rows = (4, *[1] * (len(shape) - 2), 6)
    gain, bias = (
        (np.float64(vectors) @ params[name]["kernel"]).reshape(rows) for name in ("gain", "bias")
    )
    axes = tuple(range(len(shape) - 1))
    assert_near(found, normalized(x, axes, 1e-5) * (1 + gain) + bias)


def test_maps_of_vectors_may_be_spectrally_normalized():
    x, vectors = drawn(*SHAPE), drawn(4, WIDTH, seed=1)
    module = BatchNorm(spectral=True)
    found, variables = run(module, x, vectors, train=False)
    gain, bias = (
        np.float64(vectors) @ kernel / np.linalg.norm(kernel @ np.float64(u))
        for kernel, u in (
            (np.float64(variables["params"][name]["kernel"]), variables["spectral"][name]["u"])
            for name in ("gain", "bias")
        )
    )
    rows = np.float64(x) / np.sqrt(1 + 1e-5)
    assert_near(found, rows * (1 + gain[:, None, None]) + bias[:, None, None])
