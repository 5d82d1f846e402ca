"""Penalties on parameters: their values in NumPy, and what their gradient is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import traverse_util
from runs import quick_jit

import gan_jax
from gan_jax.models.families import FAMILIES
from gan_jax.objectives.generator_penalties import ORTHOGONAL, orthogonal

RANDOM = np.random.default_rng(0)


def off_diagonal(kernel):
    matrix = np.float64(kernel).reshape(-1, kernel.shape[-1])
    gram = matrix.T @ matrix
    return matrix, gram - np.diag(np.diag(gram))


def parameters(family, key, **fields):
    """Of a generator with classes, none of which is 0."""
    network = FAMILIES[family].generator(image_shape=(8, 8, 1), num_classes=3, **fields)
    labels = jnp.zeros(1, jnp.int32)
    shapes = jax.eval_shape(lambda k: network.init(k, jnp.zeros((1, 4)), labels, train=False), key)
    return jax.tree.map(lambda x: jnp.float32(RANDOM.normal(size=x.shape)), shapes["params"])


@pytest.mark.parametrize(
    ("family", "fields", "kernels"),
    [
        ("mlp", {"widths": (5, 6)}, 3),
        ("dcgan", {"width": 4}, 2),
        ("sngan", {"width": 2}, 5),  # a dense one, a block's three, the last
        ("biggan", {"width": 2, "shared_embedding": 3}, 9),  # two for each norm of the block
    ],
)
def test_orthogonal_is_of_every_kernel(family, fields, kernels, key):
    params = traverse_util.flatten_dict(parameters(family, key, **fields))
    found = [value for path, value in params.items() if path[-1] == "kernel"]
    assert len(found) == kernels
    expected = sum(np.square(off_diagonal(kernel)[1]).sum() for kernel in found)
    penalty = quick_jit(orthogonal)(traverse_util.unflatten_dict(params))
    assert (penalty.shape, penalty.dtype) == ((), jnp.float32)
    np.testing.assert_allclose(penalty, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(6, 4), (3, 3, 2, 5), (2, 7)])
def test_the_gradient_of_orthogonal(shape):
    kernel = RANDOM.normal(size=shape)
    matrix, others = off_diagonal(kernel)
    expected = 4 * (matrix @ others).reshape(shape)
    found = jax.grad(orthogonal)({"Conv_0": {"kernel": jnp.float32(kernel)}})
    np.testing.assert_allclose(found["Conv_0"]["kernel"], expected, rtol=1e-4, atol=1e-4)


def test_orthogonal_filters_of_any_length_are_free():
    filters = np.linalg.qr(RANDOM.normal(size=(18, 4)))[0] * [1, 2, 3, 4]
    params = {"kernel": jnp.float32(filters.reshape(3, 3, 2, 4)), "bias": jnp.ones(4)}
    assert orthogonal(params) < 1e-9
    assert orthogonal({"Embed_0": {"embedding": jnp.ones((3, 4))}}) == 0


@pytest.mark.parametrize("accumulate", [1, 2])
def test_both_networks_descend_it(accumulate, key):
    """With SGD an update differs by rate times the weighted gradient; no example matters."""
    shape, rate, weight = (2, 2, 1), 0.1, 0.3
    images, z = jnp.ones((4, *shape)), jnp.ones((4, 3))
    keys = jax.random.split(key, 4)

    def build(entries):
        return gan_jax.gan(
            generator=gan_jax.mlp.MLPGenerator(shape, (5,)),
            discriminator=gan_jax.mlp.MLPDiscriminator((5,)),
            generator_optimizer=optax.sgd(rate),
            discriminator_optimizer=optax.sgd(rate),
            loss=gan_jax.losses.HINGE,
            penalties=entries,
            generator_penalties=entries,
            image_shape=shape,
            latent_dim=3,
            accumulate=accumulate,
        )

    plain, penalized = build(()), build([(ORTHOGONAL, weight)])
    state = quick_jit(plain.init)(key)
    for half, name in (
        ("update_discriminator", "discriminator"),
        ("update_generator", "generator"),
    ):
        before = getattr(state, name).params
        expected, (found, metrics) = (
            quick_jit(getattr(gan, half))(state, images, z, keys=keys) for gan in (plain, penalized)
        )
        np.testing.assert_allclose(metrics["orthogonal"], orthogonal(before), rtol=1e-6)
        gradient = quick_jit(jax.grad(orthogonal))(before)
        step = jax.tree.map(
            lambda p, g: p - rate * weight * g, getattr(expected[0], name).params, gradient
        )
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6),
            getattr(found, name).params,
            step,
        )
        assert optax.tree.norm(gradient) > 0.1


def test_a_penalty_on_parameters_has_a_name_and_is_no_penalty_on_gradients(key):
    """Batch normalization refuses the latter; a function of the parameters is not called for it."""

    def of_the_last(params):
        return jnp.sum(jnp.square(params["Dense_1"]["kernel"]))

    gan = gan_jax.gan(
        generator=gan_jax.mlp.MLPGenerator((2, 2, 1), (5,), norm="batch"),
        discriminator=gan_jax.mlp.MLPDiscriminator((5,)),
        generator_optimizer=optax.sgd(0.1),
        discriminator_optimizer=optax.sgd(0.1),
        loss=gan_jax.losses.HINGE,
        generator_penalties=[(gan_jax.OfParameters(of_the_last), 1.0)],
        image_shape=(2, 2, 1),
        latent_dim=3,
    )
    state, keys = quick_jit(gan.init)(key), jax.random.split(key, 2)
    _, metrics = quick_jit(gan.update_generator)(state, None, jnp.ones((2, 3)), keys=keys)
    np.testing.assert_allclose(metrics["of_the_last"], of_the_last(state.generator.params))
