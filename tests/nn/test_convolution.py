"""Convolutions against XLA's own in float64, with their gradients of first and second order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

import gan_jax
from gan_jax.nn.convolution import convolve, convolve_transposed

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def reference(x, kernel, stride=1, padding=None, groups=1):
    if padding is None:
        padding = [(k // 2, (k - 1) // 2) for k in kernel.shape[:2]]
    if isinstance(padding, int):
        padding = [(padding, padding)] * 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding,
        dimension_numbers=DIMENSIONS,
        feature_group_count=groups,
    )


def transposed_reference(x, kernel, stride=2, padding=None):
    """Zeros between the pixels, and the kernel turned around."""
    if padding is None:
        padding = [((k - stride + 1) // 2, (k - stride) // 2) for k in kernel.shape[:2]]
    if isinstance(padding, int):
        padding = [(padding, padding)] * 2
    around = [
        (k - 1 - before, k - 1 - after)
        for k, (before, after) in zip(kernel.shape[:2], padding, strict=True)
    ]
    return jax.lax.conv_general_dilated(
        x,
        kernel[::-1, ::-1].swapaxes(2, 3),
        (1, 1),
        around,
        lhs_dilation=(stride, stride),
        dimension_numbers=DIMENSIONS,
    )


def everything(convolution, **options):
    """The outputs, their gradients by images and kernel, and those of a penalty of both."""

    def compute(x, kernel, weights):
        def total(x, kernel):
            outputs = convolution(x, kernel, **options)
            return jnp.sum(jnp.tanh(outputs) * weights), outputs

        def penalty(x, kernel):
            by_x, by_kernel = jax.grad(lambda *args: total(*args)[0], (0, 1))(x, kernel)
            # A gradient of the kernel sums over all positions; none of the two shall drown.
            sums = jnp.sum(jnp.square(by_x)), jnp.sum(jnp.square(by_kernel))
            return sums[0] + sums[1] / np.prod(weights.shape[:3]), by_kernel

        (_, outputs), by_x = jax.value_and_grad(total, has_aux=True)(x, kernel)
        second, by_kernel = jax.grad(penalty, (0, 1), has_aux=True)(x, kernel)
        return outputs, by_x, by_kernel, second

    return compute


def arguments(convolution, x_shape, kernel_shape, **options):
    """Images, a kernel that keeps their scale, and weights of the outputs, as float32."""
    random = np.random.default_rng([*x_shape, *kernel_shape])
    x = random.normal(size=x_shape)
    kernel = random.normal(size=kernel_shape) / np.sqrt(np.prod(kernel_shape[:3]))
    outputs = jax.eval_shape(lambda *args: convolution(*args, **options), x, kernel)
    return [np.float32(array) for array in (x, kernel, random.normal(size=outputs.shape))]


def in_float64(function, args):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, quick_jit(function)(*map(np.float64, args)))


def assert_near(found, expected, within=1e-5):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=within * np.abs(other).max())


def assert_as_reference(ours, theirs, x_shape, kernel_shape, within=1e-5, **options):
    args = arguments(theirs, x_shape, kernel_shape, **options)
    found = quick_jit(everything(ours, **options))(*args)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}
    assert_near(found, in_float64(everything(theirs, **options), args), within)


# ---- convolve ------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [(3, 5), (5, 3)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", range(1, 8))
def test_small_kernels_are_as_xla_s_in_float64(k, stride, channels):
    x_shape = (2, 7, 8, channels[0])
    assert_as_reference(convolve, reference, x_shape, (k, k, *channels), stride=stride)


@pytest.mark.parametrize(
    ("size", "k", "stride"),
    [
        *(((7, 8), 2, 1), ((8, 8), 3, 1), ((7, 8), 4, 2), ((8, 8), 6, 2)),
        *(((6, 8), 3, 1), ((7, 5), 3, 1)),  # rows by short tiles; by long ones, the last cut off
    ],
)
def test_many_channels_are_too(size, k, stride):
    """Here minimal filtering is at work: of the outputs, of both gradients, or of all."""
    assert_as_reference(convolve, reference, (2, *size, 32), (k, k, 32, 40), stride=stride)


def test_rounding_stays_small_with_very_many_channels():
    """With long tiles along both axes it would not."""
    shapes = (2, 16, 16, 256), (3, 3, 256, 64)
    assert_as_reference(convolve, reference, *shapes, within=5e-6)  # with them it is 6.6e-6


@pytest.mark.parametrize(
    ("size", "taps", "options"),
    [
        ((9, 7), (4, 4), {"padding": ((5, 0), (2, 4)), "stride": 2}),
        ((7, 8), (5, 2), {"padding": ((2, 1), (0, 3)), "stride": 3}),
        ((5, 4), (1, 2), {"padding": 0, "stride": 3}),  # some places meet no tap
        ((5, 2), (3, 3), {"padding": ((1, 1), (1, 2)), "stride": 3}),  # fewer places than phases
    ],
)
def test_many_channels_with_other_strides_and_paddings_are_too(size, taps, options):
    assert_as_reference(convolve, reference, (2, *size, 32), (*taps, 32, 8), **options)


@pytest.mark.parametrize(
    ("batch", "size", "k", "stride", "groups"),
    [
        (2, (7, 8), 3, 1, 2),
        (3, (8, 7), 3, 2, 2),
        (17, (3, 4), 2, 1, 2),
        (32, (4, 5), 4, 2, 2),
        (2, (4, 4), 1, 1, 2),
        (2, (3, 4), 3, 1, 33),
    ],
)
def test_groups_of_some_channels_are_too(batch, size, k, stride, groups):
    """Batches of less than sixteen, of two times sixteen, and of a prime number; many groups."""
    options = {"stride": stride, "groups": groups}
    shapes = (batch, *size, 16 * groups), (k, k, 16, 20 * groups)
    assert_as_reference(convolve, reference, *shapes, **options)


@pytest.mark.parametrize(
    ("groups", "inputs", "outputs", "stride"), [(4, 32, 40, 2), (2, 64, 64, 1), (8, 8, 16, 1)]
)
def test_groups_of_more_or_of_fewer_are_too(groups, inputs, outputs, stride):
    """Two groups side by side, twice; each alone; and all together."""
    shapes = (2, 5, 6, inputs * groups), (3, 3, inputs, outputs * groups)
    assert_as_reference(convolve, reference, *shapes, groups=groups, stride=stride)


def test_groups_of_some_channels_under_vmap_are_those_of_each():
    """Of several networks at once, and of their penalties' gradients."""
    random = np.random.default_rng(0)
    xs, kernels = (
        jnp.float32(random.normal(size=shape)) for shape in ((3, 2, 5, 5, 32), (3, 3, 3, 16, 32))
    )

    def penalty(x, kernel):
        slope = jax.grad(lambda x: jnp.sum(convolve(x, kernel, groups=2) ** 3))(x)
        return jnp.sum(slope**2)

    found = quick_jit(jax.vmap(jax.grad(penalty, argnums=1)))(xs, kernels)
    each = quick_jit(jax.grad(penalty, argnums=1))
    for x, kernel, gradient in zip(xs, kernels, found, strict=True):
        expected = each(x, kernel)
        np.testing.assert_allclose(gradient, expected, atol=1e-6 * float(abs(expected).max()))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_of_no_images_there_are_no_outputs_and_no_gradient_of_the_kernel(groups):
    x, kernel = jnp.zeros((0, 6, 6, 64)), jnp.ones((3, 3, 64 // groups, 64))
    y, back = jax.vjp(lambda x, kernel: convolve(x, kernel, groups=groups), x, kernel)
    assert y.shape == x.shape
    np.testing.assert_array_equal(back(y)[1], jnp.zeros_like(kernel))


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", [1, 3])
def test_groups_are_too(k, stride, groups):
    options = {"stride": stride, "groups": groups}
    assert_as_reference(convolve, reference, (2, 7, 8, 6), (k, k, 6 // groups, 12), **options)


@pytest.mark.parametrize(
    ("taps", "options"),
    [
        ((3, 3), {"padding": 0}),
        ((3, 3), {"padding": 1, "stride": 2}),
        ((2, 2), {"padding": 0, "stride": 2}),  # the last of 5 rows is never seen
        ((1, 1), {"padding": 1}),
        ((3, 3), {"padding": 4}),
        ((3, 3), {"padding": ((3, 4), (3, 3)), "stride": 2, "groups": 5}),
        ((4, 4), {"padding": ((5, 0), (2, 4)), "stride": 2}),
        ((2, 4), {"padding": ((1, 0), (1, 2)), "stride": 2}),
        ((2, 3), {"padding": ((2, 0), (0, 1))}),
        ((1, 4), {"padding": ((0, 3), (1, 2)), "stride": 2}),
        ((2, 5), {"stride": 3}),
    ],
)
def test_explicit_padding_and_other_kernels_are_too(taps, options):
    """Of 3 images of odd sizes, for products of an odd number of rows."""
    inputs = 5 // options.get("groups", 1)
    assert_as_reference(convolve, reference, (3, 5, 7, 5), (*taps, inputs, 10), **options)


@pytest.mark.parametrize("k", range(1, 8))
def test_by_default_a_stride_of_1_keeps_the_size(k):
    x, kernel = jnp.zeros((2, 7, 8, 3)), jnp.zeros((k, k, 3, 5))
    assert jax.eval_shape(convolve, x, kernel).shape == (2, 7, 8, 5)


# ---- convolve_transposed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "options"),
    [
        (2, {}),
        (3, {}),
        (4, {}),
        (5, {}),
        (3, {"stride": 1}),
        (4, {"stride": 3}),
        (3, {"padding": 0}),
        (4, {"padding": ((0, 3), (2, 1))}),
    ],
)
def test_the_transpose_is_as_xla_s_in_float64(k, options):
    x_shape, kernel_shape = (2, 4, 5, 5), (k, k, 3, 5)
    assert_as_reference(convolve_transposed, transposed_reference, x_shape, kernel_shape, **options)


def test_the_transpose_of_many_channels_is_too():
    x_shape, kernel_shape = (2, 5, 5, 40), (4, 4, 32, 40)
    assert_as_reference(convolve_transposed, transposed_reference, x_shape, kernel_shape)


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_by_default_it_doubles_the_size_and_is_the_transpose_of_a_convolution(k):
    """<convolve(y), x> = <y, convolve_transposed(x)>, of the padding that doubling takes."""
    padding = (((k - 1) // 2, (k - 2) // 2),) * 2
    random = np.random.default_rng(k)
    x, y, kernel = (
        np.float32(random.normal(size=shape))
        for shape in ((2, 4, 5, 7), (2, 8, 10, 3), (k, k, 3, 7))
    )

    @quick_jit
    def both(x, y, kernel):
        down = convolve(y, kernel, stride=2, padding=padding)
        return down, convolve_transposed(x, kernel)

    down, up = map(np.float64, both(x, y, kernel))
    assert (down.shape, up.shape) == (x.shape, y.shape)
    scale = np.linalg.norm(down) * np.linalg.norm(x)
    assert abs(np.sum(down * x) - np.sum(y * up)) < 1e-6 * scale


# ---- backends, types and shapes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "kernel_shape", "options"),
    [
        (convolve, reference, (3, 3, 4, 6), {}),
        (convolve, reference, (4, 3, 4, 6), {"stride": 2, "padding": ((2, 0), (3, 1))}),
        (convolve, reference, (3, 3, 2, 6), {"stride": 2, "groups": 2}),
        (convolve_transposed, transposed_reference, (4, 4, 6, 4), {}),
    ],
)
def test_accelerators_take_xla_s_convolution_and_give_the_same(ours, theirs, kernel_shape, options):
    """The program for them, which a CPU can run too, though it would never choose it."""
    args = arguments(theirs, (2, 7, 8, 4), kernel_shape, **options)
    function = jax.jit(everything(ours, **options))
    traced = function.trace(*args)
    assert "stablehlo.convolution" not in traced.lower().as_text()
    assert "stablehlo.convolution" in traced.lower(lowering_platforms=("cuda",)).as_text()
    unchecked = [jax.export.DisabledSafetyCheck.platform()]
    exported = jax.export.export(function, platforms=["cuda"], disabled_checks=unchecked)(*args)
    assert_near(quick_jit(exported.call)(*args), in_float64(everything(theirs, **options), args))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(convolve, reference), (convolve_transposed, transposed_reference)]
)
def test_half_precision_rounds_nothing_but_the_results(ours, theirs):
    args = [jnp.bfloat16(x) for x in arguments(theirs, (2, 6, 6, 16), (4, 4, 16, 16), stride=2)]

    def outputs_and_gradients(convolution):
        def compute(x, kernel, weights):
            outputs, back = jax.vjp(lambda *args: convolution(*args, stride=2), x, kernel)
            return outputs, *back(weights)

        return compute

    found = quick_jit(outputs_and_gradients(ours))(*args)
    expected = in_float64(outputs_and_gradients(theirs), args)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == jnp.bfloat16
        # Half a unit of the last of 8 bits; and the sums' own rounding.
        near = {"rtol": 2**-8, "atol": 1e-5 * np.abs(other).max()}
        np.testing.assert_allclose(np.float64(one), other, **near)


@pytest.mark.parametrize(
    ("convolution", "kernel_shape", "options"),
    [
        (convolve, (3, 3, 4, 6), {"groups": 1}),
        (convolve, (2, 2, 2, 6), {"groups": 2, "stride": 2}),
        (convolve_transposed, (4, 4, 6, 4), {}),
    ],
)
def test_many_at_once_are_as_each_alone(convolution, kernel_shape, options):
    """Over images, as for gradients by example, over kernels, as for seeds, or over both."""
    args = arguments(convolution, (2, 5, 6, 4), kernel_shape, **options)
    many = [np.stack([x, x[::-1], -x]) for x in args]
    function = everything(convolution, **options)
    alone = quick_jit(function)
    for axes in ((0, None, None), (None, 0, None), (0, 0, 0)):

        def chosen(i, axes=axes):
            triples = zip(args, many, axes, strict=True)
            return [one if axis is None else several[i] for one, several, axis in triples]

        together = quick_jit(jax.vmap(function, axes))(*chosen(slice(None)))
        for i in range(3):
            assert_near(jax.tree.map(lambda x, i=i: x[i], together), alone(*chosen(i)))


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda zeros: convolve(zeros(2, 8, 8, 3), zeros(3, 3, 4, 5)), "1 groups of a kernel"),
        (lambda zeros: convolve(zeros(2, 8, 8, 4), zeros(3, 3, 4, 6), groups=2), "2 groups"),
        (lambda zeros: convolve(zeros(2, 8, 8, 4), zeros(3, 3, 2, 5), groups=2), "must divide"),
        (
            lambda zeros: convolve(zeros(2, 8, 2, 4), zeros(3, 3, 4, 5), padding=0),
            r"images \(2, 8, 2, 4\) are smaller than a kernel \(3, 3, 4, 5\)",
        ),
        (lambda zeros: convolve_transposed(zeros(2, 8, 8, 4), zeros(3, 3, 4, 5)), "O differs"),
        (lambda zeros: convolve_transposed(zeros(2, 8, 8, 4), zeros(1, 1, 3, 4)), "negative"),
        (
            lambda zeros: convolve_transposed(zeros(2, 1, 1, 4), zeros(2, 2, 3, 4), padding=1),
            "leaves nothing",
        ),
        (lambda zeros: convolve(zeros(8, 8, 4), zeros(3, 3, 4, 5)), r"images are \(N, H, W, C\)"),
        (
            lambda zeros: convolve(zeros(2, 8, 8, 4).astype(np.uint8), zeros(3, 3, 4, 5)),
            "images of uint8 and a kernel of float32",
        ),
        (
            lambda zeros: convolve(zeros(2, 8, 8, 4).astype(jnp.bfloat16), zeros(3, 3, 4, 5)),
            "images of bfloat16 and a kernel of float32",
        ),
        (
            lambda zeros: convolve(*(zeros(2, 2, 4, 4).astype(int) for _ in range(2))),
            "images of int32 and a kernel of int32",
        ),
    ],
)
def test_shapes_and_types_that_do_not_fit_are_told(call, line):
    with pytest.raises(gan_jax.InputError, match=line) as error:
        call(lambda *shape: jnp.zeros(shape))
    assert "\n" not in str(error.value)
