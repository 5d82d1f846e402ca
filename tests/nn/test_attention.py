"""Self-attention against NumPy in float64, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.errors import InputError
from gan_jax.nn.attention import SelfAttention


def drawn(*shape):
    return np.float32(np.random.default_rng(0).normal(size=shape))


def pooled(x):
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))


def attended(x, params):
    """x + gamma W_o (softmax(q k^T) v), image by image."""
    x = np.float64(x)
    kernels = {
        name: np.float64(params[name]["kernel"][0, 0])
        for name in ("queries", "keys", "values", "output")
    }
    outputs = []
    for image in x:
        queries = (image @ kernels["queries"]).reshape(-1, kernels["queries"].shape[1])
        keys, values = (
            pooled(image[None] @ kernels[name]).reshape(-1, kernels[name].shape[1])
            for name in ("keys", "values")
        )
        weights = np.exp(queries @ keys.T)
        weights /= weights.sum(1, keepdims=True)  # of each query, over keys
        found = (weights @ values @ kernels["output"]).reshape(image.shape)
        outputs.append(image + np.float64(params["gamma"]) * found)
    return np.stack(outputs)


def initialized(module, key, x):
    return quick_jit(lambda key, x: module.init(key, x, train=False))(key, x)


def applied(module, variables, x, **options):
    return quick_jit(lambda variables, x: module.apply(variables, x, **options))(variables, x)


@pytest.mark.parametrize("channels", [16, 4])
def test_each_position_adds_what_it_finds_at_others(channels, key):
    x = drawn(2, 4, 6, channels)
    module = SelfAttention(spectral=False)
    params = {**initialized(module, key, x)["params"], "gamma": jnp.float32(1.5)}
    assert params["queries"]["kernel"].shape == (1, 1, channels, max(1, channels // 8))
    found, expected = applied(module, {"params": params}, x, train=True), attended(x, params)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert np.abs(expected - x).max() > 0.1


@pytest.mark.parametrize("spectral", [True, False])
def test_at_first_it_changes_nothing(spectral, key):
    x, module = drawn(2, 4, 6, 16), SelfAttention(spectral=spectral)
    np.testing.assert_array_equal(applied(module, initialized(module, key, x), x, train=False), x)


def test_parameters_are_a_gamma_and_one_and_a_quarter_of_the_square_of_the_channels(key):
    variables = initialized(SelfAttention(), key, drawn(1, 2, 2, 64))
    counts = jax.tree.map(np.size, variables["params"])
    assert sum(jax.tree.leaves(counts)) == 1.25 * 64**2 + 1
    assert set(variables["spectral"]) == {"queries", "keys", "values", "output"}


def test_its_maps_are_spectrally_normalized_by_default(key):
    x = drawn(2, 4, 6, 16)
    variables = initialized(SelfAttention(), key, x)
    params = {**variables["params"], "gamma": jnp.float32(1.5)}
    variables = {**variables, "params": params}
    divided = {"gamma": params["gamma"]}
    for name, vectors in variables["spectral"].items():
        kernel = np.float64(params[name]["kernel"])
        divided[name] = {"kernel": kernel / np.linalg.norm(kernel[0, 0] @ np.float64(vectors["u"]))}
    expected = attended(x, divided)
    found, updates = applied(SelfAttention(), variables, x, train=False, mutable=["spectral"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    jax.tree.map(np.testing.assert_array_equal, updates["spectral"], variables["spectral"])
    _, updates = applied(SelfAttention(), variables, x, train=True, mutable=["spectral"])
    for name, vectors in variables["spectral"].items():
        assert np.abs(updates["spectral"][name]["u"] - vectors["u"]).max() > 1e-3


def test_in_half_precision_parameters_are_float32(key):
    x = jnp.bfloat16(drawn(2, 4, 6, 16))
    module = SelfAttention(spectral=False, dtype=jnp.bfloat16)
    params = {**initialized(module, key, x)["params"], "gamma": jnp.float32(1.5)}
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    found, expected = applied(module, {"params": params}, x, train=True), attended(x, params)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float64(found), expected, atol=0.02 * np.abs(expected).max())


def test_an_empty_batch_finds_nothing(key):
    module, x = SelfAttention(), jnp.zeros((0, 4, 6, 8))
    found, _ = jax.eval_shape(lambda key: module.init_with_output(key, x, train=True), key)
    assert found.shape == x.shape


def test_odd_sizes_are_refused():
    with pytest.raises(InputError, match="7 x 7"):
        SelfAttention().init(jax.random.key(0), jnp.zeros((1, 7, 7, 8)), train=False)
