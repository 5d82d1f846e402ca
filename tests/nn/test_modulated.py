"""Modulated convolution against a kernel of its own for each example, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import modulated
from runs import quick_jit
from test_convolution import assert_near

from gan_jax.nn.modulated import ModulatedConv


@pytest.mark.parametrize(
    ("k", "up", "demodulate", "size"),
    [
        (1, False, False, 7),
        (3, False, True, 4),
        (1, True, False, 4),
        (3, True, True, 4),
        (3, True, True, 7),
        (5, True, True, 4),
    ],
)
def test_each_example_has_a_kernel_of_its_own(key, k, up, demodulate, size):
    random = np.random.default_rng(k)
    x, w = (np.float32(random.normal(size=shape)) for shape in ((3, size, size, 4), (3, 6)))
    layer = ModulatedConv(5, k, up=up, demodulate=demodulate)
    params = quick_jit(layer.init)(key, x, w)["params"]
    assert params["EqualizedDense_0"]["bias"].tolist() == [1] * 4
    outputs = (3, *2 * (2 * size if up else size,), 5)
    assert jax.eval_shape(layer.apply, {"params": params}, x, w).shape == outputs
    outputs = np.float32(random.normal(size=outputs))

    def everything(function):
        """Outputs, first gradients, and those of a penalty on the first by w and x."""

        def compute(params, x, w, weights):
            def total(*arguments):
                return jnp.sum(jnp.tanh(function(*arguments)) * weights)

            def penalty(params, x, w):
                by_x, by_w = jax.grad(total, (1, 2))(params, x, w)
                return jnp.sum(by_x**2) + jnp.sum(by_w**2)

            arguments = params, x, w
            return (
                function(*arguments),
                jax.grad(total, (0, 1, 2))(*arguments),
                jax.grad(penalty, (0, 1, 2))(*arguments),
            )

        return compute

    arguments = params, x, w, outputs
    found = quick_jit(everything(lambda params, x, w: layer.apply({"params": params}, x, w)))(
        *arguments
    )
    expected = everything(lambda *args: modulated(*args, up=up, demodulate=demodulate))
    with jax.enable_x64(True):
        wide = jax.tree.map(np.float64, arguments)
        expected = jax.tree.map(np.asarray, quick_jit(expected)(*wide))
    assert_near(found, expected)


def test_demodulated_outputs_keep_their_size_whatever_the_style(key):
    x, w = jax.random.normal(key, (4, 16, 16, 32)), 10 * jax.random.normal(key, (4, 8))
    layer = ModulatedConv(16)
    variables = quick_jit(layer.init)(key, x, w)
    outputs = quick_jit(layer.apply)(variables, x, w)[:, 1:-1, 1:-1]
    np.testing.assert_allclose(outputs.std((1, 2)).mean(1), 1, atol=0.15)


def test_half_precision_is_near_and_stays_in_its_type(key):
    x, w = jax.random.normal(key, (2, 6, 6, 64)), jax.random.normal(key, (2, 8))
    layer = ModulatedConv(16, up=True)
    variables = quick_jit(layer.init)(key, x, w)
    half = quick_jit(ModulatedConv(16, up=True, dtype=jnp.bfloat16).apply)(variables, x, w)
    assert half.dtype == jnp.bfloat16
    full = quick_jit(layer.apply)(variables, x, w)
    np.testing.assert_allclose(half, full, atol=0.05 * float(jnp.abs(full).max()))
