"""Every penalty on the generator: its closed form for a linear one, and finite differences."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import rng
from gan_jax.objectives.adaptive import Adaptive, OfParameters
from gan_jax.objectives.generator_penalties import GENERATOR_PENALTIES as ALL
from gan_jax.objectives.generator_penalties import PATH_LENGTH

# Those of examples; the others are in `test_parameter_penalties.py`.
GENERATOR_PENALTIES = {name: x for name, x in ALL.items() if not isinstance(x, OfParameters)}
RANDOM = np.random.default_rng(0)
LATENTS = RANDOM.normal(size=(5, 4))
MATRIX = RANDOM.normal(size=(4, 6)) / 2
KEYS = jax.random.split(jax.random.key(0), 5)
AVERAGE = 0.7


def bound(name):
    """The penalty as `(generate, z, keys)`, given its controls."""
    penalty = GENERATOR_PENALTIES[name]
    if not isinstance(penalty, Adaptive):
        return penalty
    return lambda *arguments: penalty.function(
        *arguments, controls={"path_length_average": AVERAGE}
    )


def values_of(found):
    return found[0] if isinstance(found, tuple) else found


def linear(z):
    """G(z) = z M, an image of 2 x 3 pixels."""
    return (z @ jnp.asarray(MATRIX, z.dtype)).reshape(-1, 2, 3, 1)


def drawn(stream, shape):
    """What a penalty draws in float64, in which it is compared: rounding shows in small moves."""
    with jax.enable_x64(True):
        return np.asarray(rng.normal(rng.substream(KEYS, stream), shape))


LENGTHS = np.linalg.norm(drawn("direction", (6,)) / np.sqrt(6) @ MATRIX.T, axis=-1)
CASES = {
    "path_length": (LENGTHS - AVERAGE) ** 2,
    "latent_diversity": -np.square(0.03 * drawn("perturbation", (4,)) @ MATRIX).sum(-1),
}


def test_every_penalty_has_a_case():
    assert GENERATOR_PENALTIES.keys() == CASES.keys()
    assert LENGTHS.min() < AVERAGE < LENGTHS.max(), "nothing for which the sides differ"


@pytest.mark.parametrize("name", GENERATOR_PENALTIES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_values(name, transform):
    with jax.enable_x64(True):
        found = transform(lambda z, keys: bound(name)(linear, z, keys))(LATENTS, KEYS)
        values = np.asarray(values_of(found))
    assert values.shape == (5,)
    np.testing.assert_allclose(values, CASES[name], rtol=0, atol=1e-6 * np.abs(CASES[name]).max())


def test_path_length_tells_the_lengths():
    with jax.enable_x64(True):
        _, more = bound("path_length")(linear, LATENTS, KEYS)
    assert more.keys() == {"path_lengths"}
    np.testing.assert_allclose(more["path_lengths"], LENGTHS, rtol=0, atol=1e-6 * LENGTHS.max())


def test_a_row_never_sees_another():
    """Permuted rows, with their keys, give permuted values."""
    order = np.array([3, 0, 4, 1, 2])
    for name in GENERATOR_PENALTIES:
        values = values_of(bound(name)(linear, jnp.float32(LATENTS), KEYS))
        permuted = values_of(bound(name)(linear, jnp.float32(LATENTS[order]), KEYS[order]))
        np.testing.assert_allclose(permuted, values[order], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", GENERATOR_PENALTIES)
def test_the_gradient_by_the_weights_is_finite_differences(name):
    """Through the gradient by the latent: of a network with two layers, in float64."""
    with jax.enable_x64(True):
        theta = np.random.default_rng(1).normal(size=30)

        @jax.jit
        def total(theta):
            def generate(z):
                hidden = jnp.tanh(z @ theta[:12].reshape(4, 3))
                return jnp.tanh(hidden @ theta[12:].reshape(3, 6)).reshape(-1, 2, 3, 1)

            return values_of(bound(name)(generate, LATENTS, KEYS)).sum()

        found = jax.grad(total)(theta)
        steps = 1e-6 * np.eye(30)
        expected = np.array([(total(theta + e) - total(theta - e)) / 2e-6 for e in steps])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("name", GENERATOR_PENALTIES)
def test_a_constant_generator_has_a_gradient_too(name):
    """|0| is not differentiable: it must not become NaN."""

    def total(scale):
        values = values_of(bound(name)(lambda z: scale * linear(z), jnp.float32(LATENTS), KEYS))
        return values.sum()

    assert jax.grad(total)(0.0) == 0


def test_path_length_follows_the_mean_length():
    controls = {name: jnp.float32(value) for name, value in PATH_LENGTH.initial.items()}
    for _ in range(3):
        controls = PATH_LENGTH.update(controls, {"path_lengths": jnp.float32(2)})
    assert controls.keys() == PATH_LENGTH.initial.keys()
    np.testing.assert_allclose(controls["path_length_average"], 2 * (1 - 0.99**3), rtol=1e-6)


@pytest.mark.parametrize("name", GENERATOR_PENALTIES)
def test_conventions(name):
    penalty = GENERATOR_PENALTIES[name]
    function = penalty.function if isinstance(penalty, Adaptive) else penalty
    parameters = list(inspect.signature(function).parameters)
    assert parameters[:3] == ["generate", "z", "keys"]
    assert set(parameters[3:]) <= {"controls", "deviation"}
    assert ("controls" in parameters) == isinstance(penalty, Adaptive)
