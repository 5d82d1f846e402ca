"""Resampling against SciPy in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from runs import quick_jit

from gan_jax.errors import InputError
from gan_jax.nn.resample import average_down, blur, filter_down, filter_up, nearest_up

SYMMETRIC = [(1, 1), (1, 3, 3, 1)]
FILTERS = [*SYMMETRIC, (1, 2, 5, 2, 7, 1)]
EVEN, ODD = (2, 6, 8, 3), (2, 5, 7, 3)


def drawn(shape, seed=0):
    return np.float32(np.random.default_rng(seed).normal(size=shape))


def assert_near(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def compiled(function, x, *args):
    return jax.tree.map(np.asarray, quick_jit(lambda x: function(x, *args))(x))


def by_plane(function, x):
    """A function of matrices (H, W), of each channel of each image."""
    x = np.float64(x)
    rows = [[function(x[n, :, :, c]) for c in range(x.shape[3])] for n in range(x.shape[0])]
    return np.moveaxis(np.array(rows), 1, 3)


def blurred(plane, filter):
    f = np.array(filter) / sum(filter)
    return scipy.signal.convolve2d(plane, np.outer(f, f))


def along_both(matrix_of, x):
    """M X N^T of each channel, where M and N are the matrices of a map of signals by length."""
    return by_plane(lambda plane: matrix_of(len(plane)) @ plane @ matrix_of(plane.shape[1]).T, x)


def matrix(function):
    """The matrix of a linear function of signals by their length."""
    return lambda length: np.stack([function(row) for row in np.eye(length)], axis=1)


def down(filter):
    f, n = np.array(filter) / sum(filter), len(filter)
    return matrix(lambda x: np.convolve(f, x)[n // 2 :: 2][: len(x) // 2])


def up(filter):
    f, n = 2 * np.array(filter) / sum(filter), len(filter)
    return matrix(
        lambda x: scipy.signal.upfirdn(f, [*x, 0, 0, 0], up=2)[n // 2 - 1 :][: 2 * len(x)]
    )


@pytest.mark.parametrize("shape", [EVEN, ODD])
def test_nearest_and_average_are_as_numpy_s(shape):
    x = drawn(shape)
    doubled = np.kron(np.float64(x), np.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(compiled(nearest_up, x), doubled)
    x = drawn(doubled.shape)
    expected = np.float64(x).reshape(shape[0], shape[1], 2, shape[2], 2, shape[3]).mean((2, 4))
    assert_near(compiled(average_down, x), expected)


@pytest.mark.parametrize("halve", [average_down, filter_down])
@pytest.mark.parametrize("size", [(3, 4), (4, 1)])
def test_odd_sizes_are_not_halved(halve, size):
    with pytest.raises(InputError, match=f"{size[0]} x {size[1]} cannot be halved"):
        halve(jnp.zeros((2, *size, 3)))


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("shape", [EVEN, ODD])
def test_a_blur_is_scipy_s_full_convolution(shape, filter):
    x = drawn(shape)
    assert_near(compiled(blur, x, filter), by_plane(lambda plane: blurred(plane, filter), x))


@pytest.mark.parametrize("filter", FILTERS)
def test_filtering_down_is_every_second_pixel_of_a_blur(filter):
    x, n = drawn(EVEN), len(filter)
    places = (slice(n // 2, n // 2 + EVEN[1], 2), slice(n // 2, n // 2 + EVEN[2], 2))
    found = compiled(filter_down, x, filter)
    assert_near(found, by_plane(lambda plane: blurred(plane, filter)[places], x))
    assert_near(found, along_both(down(filter), x))


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("shape", [EVEN, ODD])
def test_filtering_up_is_scipy_s_upfirdn(shape, filter):
    x = drawn(shape)
    assert_near(compiled(filter_up, x, filter), along_both(up(filter), x))


@pytest.mark.parametrize("filter", SYMMETRIC)
@pytest.mark.parametrize("shape", [EVEN, ODD])
def test_filtering_up_is_4_times_the_transpose_of_filtering_down(shape, filter):
    (n, h, w, c), x = shape, drawn(shape)
    doubled = jax.ShapeDtypeStruct((n, 2 * h, 2 * w, c), jnp.float32)
    (transposed,) = compiled(jax.linear_transpose(lambda y: filter_down(y, filter), doubled), x)
    assert_near(compiled(filter_up, x, filter), 4 * transposed)


@pytest.mark.parametrize(
    ("function", "filter"),
    # Every second tap makes one of two neighbours: only if both halves weigh the same do constants
    # stay when filtered up.
    [
        *itertools.product((blur, filter_down), FILTERS),
        *itertools.product((filter_up,), [*SYMMETRIC, (1, 2, 5, 4, 2, 2)]),
    ],
)
def test_constants_keep_their_value_inside(function, filter):
    edge = len(filter) - 1
    found = compiled(function, np.full((1, 20, 20, 1), 3.0, np.float32), filter)
    np.testing.assert_allclose(found[:, edge:-edge, edge:-edge], 3, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "matrix_of"),
    [
        (nearest_up, up((1, 1))),
        (average_down, down((1, 1))),
        *[
            (lambda x, f=filter: blur(x, f), matrix(lambda x, f=filter: np.convolve(f, x) / sum(f)))
            for filter in FILTERS
        ],
        *[(lambda x, f=filter: filter_down(x, f), down(filter)) for filter in FILTERS],
        *[(lambda x, f=filter: filter_up(x, f), up(filter)) for filter in FILTERS],
    ],
)
def test_gradients_of_both_orders_are_those_of_the_matrices(function, matrix_of):
    """Of L = sum(u tanh(y)), and of |dL/dx|^2."""
    x = drawn(EVEN)
    by = drawn(jax.eval_shape(function, x).shape, seed=1)

    @quick_jit
    def gradients(x):
        def total(x):
            return jnp.sum(by * jnp.tanh(function(x)))

        return jax.grad(total)(x), jax.grad(lambda x: jnp.sum(jax.grad(total)(x) ** 2))(x)

    def transposed(y):
        rows, columns = (matrix_of(size) for size in EVEN[1:3])
        return by_plane(lambda plane: rows.T @ plane @ columns, y)

    y = np.tanh(along_both(matrix_of, x))
    first = transposed(by * (1 - y**2))
    second = transposed(by * -2 * y * (1 - y**2) * along_both(matrix_of, 2 * first))
    for found, expected in zip(gradients(x), (first, second), strict=True):
        assert_near(found, expected)
