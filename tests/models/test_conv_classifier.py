"""The convolutional classifier: shapes, and what it must not do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.errors import InputError
from gan_jax.models.classifier import ConvClassifier


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("size", [1, 28, 32, 33])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_any_size_and_number_of_channels(size, channels, dtype, key):
    network = ConvClassifier(7, features=50, dtype=dtype)
    images = jnp.zeros((5, size, size - size // 8, channels))
    outputs, variables = jax.eval_shape(
        lambda key: network.init_with_output(key, images, train=False), key
    )
    assert (outputs.logits.shape, outputs.logits.dtype) == ((5, 7), jnp.float32)
    assert (outputs.features.shape, outputs.features.dtype) == ((5, 50), jnp.float32)
    assert set(variables) == {"params"}
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_the_layers_are_those_that_the_docstring_tells_of(key):
    """By hand, for an odd size: its last row and column are pooled alone."""
    network = ConvClassifier(3, widths=(2, 3, 4), features=5)
    images = jax.random.normal(key, (2, 7, 6, 1))
    variables = quick_jit(lambda key: network.init(key, images, train=False))(key)
    params, x = variables["params"], np.float64(images)
    for layer in range(3):
        kernel, bias = (np.float64(params[f"Conv_{layer}"][name]) for name in ("kernel", "bias"))
        _, height, width, _ = x.shape
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = sum(
            padded[:, i : i + height, j : j + width] @ kernel[i, j]
            for i in range(3)
            for j in range(3)
        )
        x = np.maximum(x + bias, 0)
        if layer < 2:
            rows, columns = range(0, height, 2), range(0, width, 2)
            pooled = [[x[:, i : i + 2, j : j + 2].max((1, 2)) for j in columns] for i in rows]
            x = np.array(pooled).transpose(2, 0, 1, 3)
    assert x.shape == (2, 2, 2, 4)
    features, logits = (params[f"Dense_{layer}"] for layer in range(2))
    x = np.maximum(x.reshape(2, -1) @ features["kernel"] + features["bias"], 0)
    outputs = quick_jit(lambda v: network.apply(v, images, train=True))(variables)
    np.testing.assert_allclose(outputs.features, x, atol=1e-5)
    expected = x @ logits["kernel"] + logits["bias"]
    np.testing.assert_allclose(outputs.logits, expected, atol=1e-5)


@pytest.mark.parametrize("train", [False, True])
def test_no_example_sees_another(train, key):
    """The gradient of a row's logits is 0 at every other row's image, and not at its own."""
    network = ConvClassifier(10, widths=(4, 4, 4), features=16)
    images = jax.random.normal(key, (4, 28, 28, 1))
    variables = quick_jit(lambda key: network.init(key, images, train=False))(key)

    @quick_jit
    def by_images(images):
        return jax.grad(lambda x: network.apply(variables, x, train=train).logits[1].sum())(images)

    moved = np.abs(by_images(images)).max((1, 2, 3))
    assert moved[1] > 0
    assert (np.delete(moved, 1) == 0).all()


@pytest.mark.parametrize("shape", [(28, 28, 1), (33, 32, 3)])
def test_every_parameter_learns(shape, key):
    network = ConvClassifier(10, widths=(4, 4, 4), features=16)
    images = jax.random.uniform(key, (16, *shape), minval=-1)

    @quick_jit
    def gradient(key):
        params = network.init(key, images, train=False)["params"]
        return jax.grad(
            lambda params: (network.apply({"params": params}, images, train=True).logits ** 2).sum()
        )(params)

    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(key)):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


def test_half_precision_is_of_the_computation_alone(key):
    network, images = ConvClassifier(10, dtype=jnp.bfloat16), jnp.zeros((5, 28, 28, 1))
    variables = jax.eval_shape(lambda key: network.init(key, images, train=False), key)
    program = jax.jit(lambda v: network.apply(v, images, train=True).logits).lower(variables)
    assert "bf16" in program.as_text()


def test_half_a_million_parameters_for_digits(key):
    images = jnp.zeros((1, 28, 28, 1))
    variables = jax.eval_shape(lambda key: ConvClassifier(10).init(key, images, train=False), key)
    convolutions = [(1, 16), (16, 32), (32, 64), (64, 64)]
    dense = [(7 * 7 * 64, 128), (128, 10)]
    expected = sum(9 * i * o + o for i, o in convolutions) + sum(i * o + o for i, o in dense)
    assert count(variables) == expected


def test_no_widths_are_refused(key):
    with pytest.raises(InputError, match="widths"):
        ConvClassifier(3, widths=()).init(key, jnp.zeros((1, 4, 4, 1)), train=False)
