"""Spectral normalization, and the layers that have it, against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gan_jax.nn.dense import Dense, Embed
from gan_jax.nn.spectral_norm import spectrally_normalized

WIDTH, FEATURES = 6, 4
SHAPES = [(6, 4), (4, 6), (3, 3, 2, 5), (5, 1)]


class Kernel(nn.Module):
    """A normalized kernel and nothing else."""

    shape: tuple[int, ...]

    @nn.compact
    def __call__(self, *, train):
        kernel = self.param("kernel", nn.initializers.normal(), self.shape)
        return spectrally_normalized(self, "u", kernel, train=train)


def double(tree):
    return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)


def unit(x):
    return x / np.linalg.norm(x)


def stepped(kernel, u):
    """What a training pass makes of u: (sigma, v, new u)."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    v = unit(matrix @ u)
    new = unit(matrix.T @ v)
    return v @ matrix @ new, v, new


def trained(module, variables, *args):
    return module.apply(variables, *args, train=True, mutable=["spectral"])


def moved(module, variables, *args):
    return {**variables, **trained(module, variables, *args)[1]}


@pytest.fixture
def layer(key):
    """A layer of four features, its variables, and rows for it."""
    x = jax.random.normal(key, (5, WIDTH))
    module = Dense(FEATURES, spectral=True)
    return module, module.init(key, x, train=False), x


@pytest.mark.parametrize("shape", SHAPES)
def test_after_many_passes_the_largest_singular_value_is_1(shape, key):
    module = Kernel(shape)
    variables = module.init(key, train=False)
    step = jax.jit(lambda variables: moved(module, variables))
    for _ in range(200):
        variables = step(variables)
    matrix = double(variables["params"]["kernel"]).reshape(-1, shape[-1])
    expected = matrix / np.linalg.svd(matrix, compute_uv=False)[0]
    for found in (module.apply(variables, train=False), module.apply(variables, train=True)):
        assert found.shape == shape
        np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_training_pass_is_one_step_of_the_power_iteration(shape, key):
    module = Kernel(shape)
    variables = module.init(key, train=False)
    kernel, u = double((variables["params"]["kernel"], variables["spectral"]["u"]))
    sigma, _, new = stepped(kernel, u)
    found, updates = trained(module, variables)
    np.testing.assert_allclose(found, kernel / sigma, rtol=1e-5)
    np.testing.assert_allclose(updates["spectral"]["u"], new, atol=1e-6)
    # Where nothing may be written, the pass is the same.
    np.testing.assert_array_equal(module.apply(variables, train=True), found)


@pytest.mark.parametrize("shape", SHAPES)
def test_other_passes_use_the_vector_as_it_is(shape, key):
    module = Kernel(shape)
    variables = module.init(key, train=False)
    kernel, u = double((variables["params"]["kernel"], variables["spectral"]["u"]))
    found, updates = module.apply(variables, train=False, mutable=["spectral"])
    np.testing.assert_array_equal(updates["spectral"]["u"], variables["spectral"]["u"])
    sigma = np.linalg.norm(kernel.reshape(-1, shape[-1]) @ u)
    np.testing.assert_allclose(found, kernel / sigma, rtol=1e-5)


def test_the_vector_is_drawn_with_length_1_and_stays_where_it_is_while_initializing(key):
    module = Kernel((7, 5))
    variables, training = (module.init(key, train=train) for train in (False, True))
    jax.tree.map(np.testing.assert_array_equal, variables, training)
    u = variables["spectral"]["u"]
    assert (u.shape, u.dtype) == ((5,), jnp.float32)
    np.testing.assert_allclose(np.linalg.norm(double(u)), 1, atol=1e-6)
    other = module.init(jax.random.split(key)[0], train=False)["spectral"]["u"]
    assert np.abs(u - other).max() > 0.01


def test_passes_over_different_rows_agree_on_the_vector_bit_for_bit(layer):
    module, variables, x = layer

    @jax.jit
    def both(variables):
        return [trained(module, variables, rows)[1]["spectral"]["u"] for rows in (x, 2 * x[:3])]

    of_reals, of_fakes = both(variables)
    np.testing.assert_array_equal(of_reals, of_fakes)
    np.testing.assert_array_equal((of_reals + of_fakes) / 2, of_reals)


def differences(function, x, step=1e-5):
    """The gradient of a function of a float64 array, by central differences."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[i] = step
        gradient[i] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient


@pytest.mark.parametrize("train", [True, False])
def test_gradients_flow_through_the_kernel_and_not_through_the_vectors(train, key):
    module = Kernel((6, 4))
    variables = module.init(key, train=False)
    kernel, u = double((variables["params"]["kernel"], variables["spectral"]["u"]))
    by = np.random.default_rng(0).normal(size=kernel.shape)
    _, v, new = stepped(kernel, u)
    new = new if train else u

    def total(params):
        return jnp.sum(by * module.apply({**variables, "params": params}, train=train))

    found = jax.grad(total)(variables["params"])["kernel"]
    expected = differences(lambda kernel: np.sum(by * kernel / (v @ kernel @ new)), kernel)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_a_gradient_penalty_has_the_right_gradient(layer):
    """Of |grad_x sum_j tanh(x W / sigma)_j|^2 by W."""
    module, variables, x = layer
    kernel, u = double((variables["params"]["kernel"], variables["spectral"]["u"]))
    _, v, new = stepped(kernel, u)

    def penalty(params):
        def logits(x):
            outputs = module.apply({**variables, "params": params}, x, train=True)
            return jnp.tanh(outputs).sum()

        return jnp.square(jax.grad(logits)(x)).sum()

    def reference(kernel):
        kernel = kernel / (v @ kernel @ new)
        return np.square((1 - np.tanh(double(x) @ kernel) ** 2) @ kernel.T).sum()

    np.testing.assert_allclose(penalty(variables["params"]), reference(kernel), rtol=1e-5)
    found = jax.jit(jax.grad(penalty))(variables["params"])["kernel"]
    expected = differences(reference, kernel)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_many_seeds_at_once_are_as_each_alone(key):
    module, keys = Kernel((6, 4)), jax.random.split(key, 3)

    def run(key):
        variables = module.init(key, train=False)
        return trained(module, variables)

    together = jax.jit(jax.vmap(run))(keys)
    for i, key in enumerate(keys):
        jax.tree.map(
            lambda all, one, i=i: np.testing.assert_allclose(all[i], one, rtol=1e-5, atol=1e-6),
            together,
            run(key),
        )


def test_a_kernel_of_zeros_stays_and_has_a_gradient(layer):
    module, variables, x = layer
    params = {**variables["params"], "kernel": jnp.zeros((WIDTH, FEATURES))}
    variables = {**variables, "params": params}

    def total(params):
        return trained(module, {**variables, "params": params}, x)[0].sum()

    np.testing.assert_array_equal(trained(module, variables, x)[0], 0)
    after = moved(module, variables, x)["spectral"]["u"]
    np.testing.assert_array_equal(after, variables["spectral"]["u"])
    found = jax.grad(total)(variables["params"])["kernel"]
    np.testing.assert_allclose(found, np.tile(x.sum(0)[:, None], FEATURES), rtol=1e-5)


# ---- layers --------------------------------------------------------------------------------------


def assert_equal_trees(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    assert jax.tree.map(lambda x: x.dtype, a) == jax.tree.map(lambda x: x.dtype, b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("dtype", [None, jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("rows", [(5,), (2, 3), ()])
def test_without_it_a_dense_layer_is_flax_s(rows, dtype, use_bias, key):
    x = jax.random.normal(key, (*rows, WIDTH))
    ours = Dense(FEATURES, use_bias, dtype).init_with_output(key, x, train=True)
    theirs = nn.Dense(FEATURES, use_bias, dtype).init_with_output(key, x)
    assert_equal_trees(ours, theirs)


def test_without_it_an_embedding_is_flax_s(key):
    labels = jnp.array([[0, 4], [2, 4], [1, 3]])
    ours = Embed(5, FEATURES).init_with_output(key, labels, train=True)
    assert_equal_trees(ours, nn.Embed(5, FEATURES).init_with_output(key, labels))


@pytest.mark.parametrize("train", [True, False])
def test_layers_use_the_normalized_kernel_and_start_as_without_it(train, key):
    x, labels = jax.random.normal(key, (5, WIDTH)), jnp.array([0, 4, 2, 4])
    for build, inputs, name, rows in (
        (Dense, x, "kernel", lambda kernel: double(x) @ kernel),
        (Embed, labels, "embedding", lambda table: table[labels]),
    ):
        sizes = (FEATURES,) if build is Dense else (5, FEATURES)
        plain, spectral = build(*sizes), build(*sizes, spectral=True)
        variables = spectral.init(key, inputs, train=False)
        assert_equal_trees(variables["params"], plain.init(key, inputs, train=False)["params"])
        if build is Dense:
            variables["params"]["bias"] += 1
        kernel, u = double((variables["params"][name], variables["spectral"]["u"]))
        sigma = stepped(kernel, u)[0] if train else np.linalg.norm(kernel @ u)
        expected = rows(kernel / sigma) + (build is Dense)
        found = spectral.apply(variables, inputs, train=train)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_in_half_precision_it_is_computed_in_float32(layer):
    module, variables, x = layer
    expected = moved(module, variables, x)["spectral"]["u"]
    half = Dense(FEATURES, dtype=jnp.bfloat16, spectral=True)
    found, updates = trained(half, variables, x)
    assert_equal_trees(updates["spectral"]["u"], expected)
    kernel = variables["params"]["kernel"]
    sigma = stepped(double(kernel), double(variables["spectral"]["u"]))[0]
    normalized = jnp.bfloat16(kernel / sigma)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found, jnp.bfloat16(x) @ normalized)


def test_a_kernel_of_half_precision_is_normalized_in_float32(layer):
    """Its vector is of float32 too, and would be 0.4 % off in bfloat16."""

    class Half(nn.Module):
        @nn.compact
        def __call__(self, kernel, *, train):
            return spectrally_normalized(self, "u", kernel, train=train)

    _, variables, _ = layer
    kernel = jnp.bfloat16(variables["params"]["kernel"])
    u = variables["spectral"]
    with jax.numpy_dtype_promotion("strict"):  # types meet by intent alone
        found, updates = trained(Half(), {"spectral": u}, kernel)
    sigma, _, new = stepped(double(kernel), double(u["u"]))
    assert (found.dtype, updates["spectral"]["u"].dtype) == (jnp.bfloat16, jnp.float32)
    np.testing.assert_allclose(updates["spectral"]["u"], new, atol=1e-6)
    np.testing.assert_array_equal(found, jnp.bfloat16(double(kernel) / sigma))
