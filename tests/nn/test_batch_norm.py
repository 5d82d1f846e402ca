"""Batch normalization against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gan_jax
from gan_jax.nn.batch_norm import BatchNorm

CLASSES, CHANNELS = 3, 2
LABELS = np.array([0, 2, 2, 1, 0, 1, 2, 0])
SHAPES = [(8, 5, 4, CHANNELS), (8, CHANNELS)]


def drawn(shape, seed=0):
    random = np.random.default_rng(seed)
    return np.float32(random.normal([1.0, -2.0], [0.5, 3.0], shape))


def normalized(x, epsilon=1e-5):
    x = np.float64(x)
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon)


def assert_near(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def trained(module, variables, *args):
    return module.apply(variables, *args, train=True, mutable=["batch_stats"])


def with_random_parameters(variables, seed=1):
    random = np.random.default_rng(seed)
    params = {
        name: np.float32(random.normal(size=x.shape)) for name, x in variables["params"].items()
    }
    return {**variables, "params": params}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_training_pass_uses_the_batch_and_moves_the_running_statistics(shape, key):
    module, x = BatchNorm(momentum=0.75, epsilon=0.1), drawn(shape)
    variables = with_random_parameters(module.init(key, x, train=False))
    assert jax.tree.map(jnp.shape, variables["params"]) == {"scale": (2,), "bias": (2,)}
    start = {"mean": jnp.array([4.0, -4.0]), "var": jnp.array([2.0, 3.0])}
    found, updates = trained(module, {**variables, "batch_stats": start}, x)
    scale, bias = variables["params"]["scale"], variables["params"]["bias"]
    assert_near(found, normalized(x, 0.1) * scale + bias)
    axes = tuple(range(x.ndim - 1))
    for name, batch in (("mean", np.float64(x).mean(axes)), ("var", np.float64(x).var(axes))):
        assert_near(updates["batch_stats"][name], 0.75 * np.float64(start[name]) + 0.25 * batch)
    # Where nothing may be written, the pass is the same.
    np.testing.assert_array_equal(module.apply(variables, x, train=True), found)


def test_other_passes_use_the_running_statistics(key):
    module, x = BatchNorm(epsilon=0.1), drawn(SHAPES[0])
    variables = with_random_parameters(module.init(key, x, train=False))
    start = {"mean": jnp.array([4.0, -4.0]), "var": jnp.array([2.0, 3.0])}
    variables = {**variables, "batch_stats": start}
    found, updates = module.apply(variables, x, train=False, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, updates["batch_stats"], start)
    expected = (np.float64(x) - [4, -4]) / np.sqrt([2.1, 3.1])
    assert_near(found, expected * variables["params"]["scale"] + variables["params"]["bias"])


def test_a_large_mean_does_not_drown_the_variance(key):
    x = 1000 + drawn((64, CHANNELS))
    module = BatchNorm(momentum=0.0)
    _, updates = trained(module, module.init(key, x, train=False), x)
    expected = np.float64(x).var(0)
    np.testing.assert_allclose(updates["batch_stats"]["var"], expected, rtol=1e-4)


@pytest.mark.parametrize("num_classes", [None, CLASSES])
@pytest.mark.parametrize("shape", SHAPES)
def test_at_first_gain_is_1_and_bias_is_0(shape, num_classes, key):
    """A conditional gain that is not centred at 1 would make all of it 0."""
    module, x = BatchNorm(num_classes), drawn(shape)
    variables = module.init(key, x, LABELS, train=True)
    np.testing.assert_array_equal(variables["batch_stats"]["mean"], 0)
    np.testing.assert_array_equal(variables["batch_stats"]["var"], 1)
    assert_near(trained(module, variables, x, LABELS)[0], normalized(x))


@pytest.mark.parametrize("shape", SHAPES)
def test_gain_and_bias_go_by_the_label(shape, key):
    module, x = BatchNorm(CLASSES), drawn(shape)
    variables = with_random_parameters(module.init(key, x, LABELS, train=False))
    gain, bias = variables["params"]["gain"], variables["params"]["bias"]
    assert gain.shape == bias.shape == (CLASSES, CHANNELS)
    expected = [
        row * (1 + gain[label]) + bias[label]
        for row, label in zip(normalized(x), LABELS, strict=True)
    ]
    assert_near(trained(module, variables, x, LABELS)[0], np.stack(expected))


def test_classes_need_labels(key):
    with pytest.raises(gan_jax.InputError, match="labels"):
        BatchNorm(CLASSES).init(key, drawn(SHAPES[0]), train=False)


def test_devices_share_the_statistics_and_the_gradients_of_the_whole_batch(key):
    """Four parts of a batch, each seen by one device."""
    shape = SHAPES[0]
    x, by = drawn(shape), drawn(shape, seed=2)
    whole, part = BatchNorm(CLASSES), BatchNorm(CLASSES, axis_name="devices")
    variables = with_random_parameters(part.init(key, x, LABELS, train=True))

    def run(module, params, x, labels, by):
        def loss(params, x):
            outputs, updates = trained(module, {**variables, "params": params}, x, labels)
            return jnp.mean(by * outputs), (outputs, updates["batch_stats"])

        grads, (outputs, statistics) = jax.grad(loss, (0, 1), has_aux=True)(params, x)
        return grads, outputs, statistics

    def spread(x):
        return x.reshape(4, 2, *x.shape[1:])

    one = jax.jit(lambda *args: run(whole, variables["params"], *args))
    (by_params, by_x), outputs, statistics = one(x, LABELS, by)

    def on_device(*args):
        (by_params, by_x), *rest = run(part, variables["params"], *args)
        return (jax.lax.pmean(by_params, "devices"), by_x), *rest

    four = jax.jit(jax.vmap(on_device, axis_name="devices"))
    (their_params, their_x), their_outputs, their_statistics = four(*map(spread, (x, LABELS, by)))
    assert_near(their_outputs, spread(outputs))
    assert_near(their_x / 4, spread(by_x))  # of the mean of four losses
    for i in range(4):
        jax.tree.map(lambda all, one, i=i: assert_near(all[i], one), their_statistics, statistics)
        jax.tree.map(lambda all, one, i=i: assert_near(all[i], one), their_params, by_params)


def test_in_half_precision_statistics_are_computed_in_float32(key):
    x = jnp.bfloat16(drawn((500, CHANNELS)))
    module = BatchNorm(momentum=0.0, dtype=jnp.bfloat16)
    variables = module.init(key, x, train=False)
    found, updates = trained(module, variables, x)
    statistics = updates["batch_stats"]
    exact = np.float64(x)
    assert_near(statistics["mean"], exact.mean(0))
    assert_near(statistics["var"], exact.var(0))
    assert {x.dtype for x in jax.tree.leaves((variables, statistics))} == {jnp.dtype("float32")}
    assert found.dtype == jnp.bfloat16
    # Half a unit of the last of bfloat16's 8 bits: nothing was rounded but the result.
    np.testing.assert_allclose(np.float64(found), normalized(x), rtol=2**-8, atol=1e-5)
