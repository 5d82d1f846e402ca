"""The minibatch standard deviation against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

import gan_jax
from gan_jax.nn.minibatch_deviation import minibatch_deviation

SHAPE = (12, 3, 4, 2)


def drawn(shape=SHAPE):
    """Rows that differ in how much they differ, so that each group has its own deviation."""
    random = np.random.default_rng(0)
    return np.float32(random.normal(random.normal(0, 3, (shape[0], 1, 1, 1)), 1, shape))


def expected(x, group_size):
    """The channel, row by row."""
    channel = np.empty((*x.shape[:3], 1))
    for first in range(0, len(x), group_size):
        group = np.float64(x[first : first + group_size])
        channel[first : first + group_size] = np.sqrt(group.var(0) + 1e-8).mean()
    return channel


def appended(x, *args):
    return quick_jit(lambda x: minibatch_deviation(x, *args))(x)


@pytest.mark.parametrize("group_size", [1, 2, 3, 4, 6, 12])
def test_groups_are_consecutive_rows(group_size):
    x = drawn()
    found = appended(x, group_size)
    assert found.shape == (12, 3, 4, 3)
    np.testing.assert_array_equal(found[..., :2], x)
    np.testing.assert_allclose(found[..., 2:], expected(x, group_size), rtol=1e-6)
    assert len(np.unique(found[..., 2])) == (12 // group_size if group_size > 1 else 1)


def test_by_default_groups_are_of_4_and_a_smaller_batch_is_one():
    x = drawn()
    np.testing.assert_array_equal(appended(x), appended(x, 4))
    np.testing.assert_allclose(appended(x[:3])[..., 2:], expected(x[:3], 3), rtol=1e-6)


@pytest.mark.parametrize("group_size", [1, 3])
def test_four_devices_append_what_one_does(group_size):
    """Each has three consecutive rows."""
    x = drawn()
    each = quick_jit(jax.vmap(lambda x: minibatch_deviation(x, group_size)))(
        x.reshape(4, 3, *x.shape[1:])
    )
    np.testing.assert_array_equal(each.reshape(12, 3, 4, 3), appended(x, group_size))


def test_groups_that_do_not_divide_the_batch_are_told():
    with pytest.raises(gan_jax.InputError, match=r"groups of 5 .* batch of 12"):
        minibatch_deviation(jnp.zeros(SHAPE), 5)


def test_identical_rows_have_finite_gradients():
    """A square root has none at 0."""
    x = np.repeat(drawn((3, 3, 4, 2)), 4, axis=0)

    @quick_jit
    def gradients(x):
        def total(x):
            return jnp.sum(minibatch_deviation(x)[..., 2:])

        return jax.grad(total)(x), jax.grad(lambda x: jnp.sum(jax.grad(total)(x) ** 2))(x)

    np.testing.assert_allclose(appended(x)[..., 2:], 1e-4, rtol=1e-5)
    for gradient in gradients(x):
        np.testing.assert_array_equal(gradient, 0)  # and not nan


def test_in_half_precision_it_is_computed_in_float32():
    x = jnp.bfloat16(100 + drawn())
    found = appended(x)
    assert found.dtype == jnp.bfloat16
    exact = expected(np.float64(x), 4)
    np.testing.assert_allclose(np.float64(found[..., 2:]), exact, rtol=2**-8)
