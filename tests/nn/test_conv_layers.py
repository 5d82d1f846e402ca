"""Convolutional layers against Flax's, and their spectral normalization against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from runs import quick_jit

from gan_jax.nn.conv import Conv, ConvTranspose
from gan_jax.nn.convolution import convolve, convolve_transposed

FEATURES = 6


@pytest.fixture(scope="module")
def x():
    return np.float32(np.random.default_rng(0).normal(size=(2, 5, 6, 4)))


def initialized(module, key, x, **options):
    return quick_jit(lambda key, x: module.init(key, x, **options))(key, x)


def applied(module, variables, x, **options):
    return quick_jit(lambda variables, x: module.apply(variables, x, **options))(variables, x)


def with_random_bias(variables):
    bias = np.float32(np.random.default_rng(1).normal(size=FEATURES))
    return {**variables, "params": {**variables["params"], "bias": bias}}


def assert_near(found, expected, tolerance=1e-5):
    assert found.shape == expected.shape
    near = {"rtol": 0, "atol": tolerance * np.abs(expected).max()}
    np.testing.assert_allclose(found, expected, **near)


def test_without_options_parameters_and_outputs_are_flax_s(x, key):
    for options in ({}, {"groups": 2}, {"use_bias": False}):
        ours = Conv(FEATURES, **options)
        sizes = options.get("groups", 1)
        theirs = nn.Conv(
            FEATURES,
            (3, 3),
            use_bias=ours.use_bias,
            feature_group_count=sizes,
            padding="SAME",
        )
        variables = initialized(ours, key, x, train=False)
        expected = initialized(theirs, key, x)
        jax.tree.map(np.testing.assert_array_equal, variables, expected)
        assert variables["params"]["kernel"].shape == (3, 3, 4 // sizes, FEATURES)
        assert ("bias" in variables["params"]) == ours.use_bias
        if ours.use_bias:
            variables = with_random_bias(variables)
        assert_near(applied(ours, variables, x, train=True), applied(theirs, variables, x))


def test_options_are_those_of_the_convolution(x, key):
    module = Conv(FEATURES, 4, stride=2, padding=((3, 0), (1, 2)), groups=2)
    variables = with_random_bias(initialized(module, key, x, train=False))
    kernel, bias = variables["params"]["kernel"], variables["params"]["bias"]
    options = {"stride": 2, "padding": ((3, 0), (1, 2)), "groups": 2}
    expected = quick_jit(lambda x: convolve(x, kernel, **options) + bias)(x)
    assert_near(applied(module, variables, x, train=False), expected)


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_transposed_layer_doubles_the_size(use_bias, x, key):
    module = ConvTranspose(FEATURES, use_bias=use_bias)
    variables = initialized(module, key, x)
    shapes = {"kernel": (4, 4, FEATURES, 4)} | ({"bias": (FEATURES,)} if use_bias else {})
    assert jax.tree.map(jnp.shape, variables["params"]) == shapes
    bias = 0
    if use_bias:
        variables = with_random_bias(variables)
        bias = variables["params"]["bias"]
    found = applied(module, variables, x)
    assert found.shape == (2, 10, 12, FEATURES)
    kernel = variables["params"]["kernel"]
    assert_near(found, quick_jit(lambda x: convolve_transposed(x, kernel) + bias)(x))


def test_a_transposed_layer_s_kernel_is_drawn_for_its_inputs(key):
    """By the variance 1 / (k k C), where C is on the last axis."""
    x = np.zeros((1, 2, 2, 64), np.float32)
    kernel = initialized(ConvTranspose(16), key, x)["params"]["kernel"]
    np.testing.assert_allclose(np.var(kernel) * 4 * 4 * 64, 1, rtol=0.05)


@pytest.mark.parametrize("train", [True, False])
def test_after_many_passes_the_kernel_is_divided_by_its_largest_singular_value(train, x, key):
    module = Conv(FEATURES, spectral=True)
    variables = with_random_bias(initialized(module, key, x, train=False))
    step = quick_jit(lambda variables: module.apply(variables, x, train=True, mutable=["spectral"]))
    for _ in range(200):
        variables = {**variables, **step(variables)[1]}
    kernel, bias = (np.float64(variables["params"][name]) for name in ("kernel", "bias"))
    sigma = np.linalg.svd(kernel.reshape(-1, FEATURES), compute_uv=False)[0]
    assert abs(sigma - 1) > 0.1  # it makes a difference
    expected = np.float64(convolve(x, np.float32(kernel))) / sigma + bias
    assert_near(applied(module, variables, x, train=train), expected)


def test_the_spectral_vector_moves_while_training_where_it_may(x, key):
    module = Conv(FEATURES, spectral=True)
    plain, variables = (
        initialized(layer, key, x, train=True) for layer in (Conv(FEATURES), module)
    )
    jax.tree.map(np.testing.assert_array_equal, plain["params"], variables["params"])
    u = variables["spectral"]["u"]
    assert u.shape == (FEATURES,)
    for train in (True, False):
        _, updates = applied(module, variables, x, train=train, mutable=["spectral"])
        assert np.any(np.abs(updates["spectral"]["u"] - u) > 1e-3) == train
        assert applied(module, variables, x, train=train).shape == (2, 5, 6, FEATURES)


def test_in_half_precision_parameters_are_float32(x, key):
    for module, options in (
        (Conv(FEATURES, dtype=jnp.bfloat16, spectral=True), {"train": False}),
        (ConvTranspose(FEATURES, dtype=jnp.bfloat16), {}),
    ):
        variables = initialized(module, key, x, **options)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
        found = applied(module, variables, x, **options)
        assert found.dtype == jnp.bfloat16
        exact = applied(module.clone(dtype=None), variables, x, **options)
        assert exact.dtype == jnp.float32
        assert_near(np.float32(found), exact, tolerance=0.02)
