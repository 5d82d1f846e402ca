"""Equalized layers against their formulas in NumPy, and their pace under Adam."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from references import convolved, filtered, padded
from runs import quick_jit

from gan_jax.nn.equalized import EqualizedConv, EqualizedDense, scaled_leaky_relu


def drawn(*shape, seed=0):
    return np.float32(np.random.default_rng(seed).normal(size=shape))


def assert_near(found, expected, tolerance=1e-5):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def with_bias(variables, seed=1):
    params = variables["params"]
    return {"params": {**params, "bias": drawn(*params["bias"].shape, seed=seed)}}


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_a_dense_layer_is_its_formula(key, rate):
    x, layer = drawn(3, 50), EqualizedDense(7, rate=rate, bias=1.0)
    variables = quick_jit(layer.init)(key, x)
    np.testing.assert_array_equal(variables["params"]["bias"], np.ones(7))
    deviation = float(variables["params"]["kernel"].std())
    np.testing.assert_allclose(deviation, 1 / rate, rtol=0.1)
    variables = with_bias(variables)
    kernel, bias = map(np.float64, (variables["params"]["kernel"], variables["params"]["bias"]))
    found = quick_jit(layer.apply)(variables, x)
    assert_near(found, np.float64(x) @ kernel * rate / np.sqrt(50) + rate * bias)


def test_one_step_of_adam_moves_wide_and_narrow_layers_alike(key):
    adam = optax.adam(0.1)
    for rate in (1.0, 0.1):
        moves = []
        for inputs in (4, 400):
            layer, x = EqualizedDense(5, rate=rate), jnp.ones((2, inputs))
            variables = quick_jit(layer.init)(key, x)

            def outputs(variables, layer=layer, x=x):
                return layer.apply(variables, x)

            @quick_jit
            def step(variables, outputs=outputs):
                gradient = jax.grad(lambda variables: outputs(variables).sum())(variables)
                updates, _ = adam.update(gradient, adam.init(variables))
                return outputs(optax.apply_updates(variables, updates)) - outputs(variables)

            moved = step(variables)
            moves.append(float(jnp.abs(moved).max()) / np.sqrt(inputs))
        np.testing.assert_allclose(moves, [rate * 0.1 + rate * 0.1 / 2, rate * 0.105], rtol=1e-3)


@pytest.mark.parametrize("size", [6, 8])
@pytest.mark.parametrize(("k", "down"), [(1, False), (3, False), (1, True), (3, True), (5, True)])
def test_a_convolution_is_its_formula(key, k, down, size):
    x, layer = drawn(2, size, size, 4), EqualizedConv(5, k, down=down)
    variables = with_bias(quick_jit(layer.init)(key, x))
    kernel, bias = variables["params"]["kernel"], variables["params"]["bias"]
    expected = padded(x, k // 2, k // 2)
    if down:  # the filter sees no border: the image is filtered beyond it, and then cut
        expected = filtered(padded(x, k // 2 + 1, k // 2 + 1))
    expected = convolved(expected, kernel, 2 if down else 1) / np.sqrt(k * k * 4) + bias
    assert expected.shape[1] == (size // 2 if down else size)
    assert_near(quick_jit(layer.apply)(variables, x), expected)


def test_without_a_bias_there_is_none(key):
    for layer, x in ((EqualizedDense(2, use_bias=False), 3), (EqualizedConv(2, use_bias=False), 4)):
        x = drawn(*(2,) * (x - 2), 4, 4)
        assert list(quick_jit(layer.init)(key, x)["params"]) == ["kernel"]


def test_the_activation_keeps_the_size_of_normal_values():
    x = jnp.asarray(drawn(100_000))
    found = np.asarray(scaled_leaky_relu(x))
    np.testing.assert_allclose(found, np.sqrt(2) * np.where(x > 0, x, 0.2 * x), rtol=1e-6)
    np.testing.assert_allclose(np.square(found).mean(), 1.04, atol=0.02)
