"""Gradients by example do not exist where batch statistics couple the examples: checks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.algorithms.weighted import Part, Penalties, given
from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import Controls, OfParameters
from gan_jax.train_state import PyTree

Array = jax.Array
Network = Callable[[Any], Array]


def check_discriminator_penalties(
    penalties: Penalties,
    controls: Controls,
    variables: PyTree,
    images: Array,
    z: Array,
    keys: Array,
) -> None:
    """Refuses penalties on gradients of a discriminator with batch normalization.

    Args:
      penalties: of the discriminator.
      controls: as they are before the first update.
      variables: of the discriminator, by collection.
      images: (B, H, W, C), of which only the shape counts, here and below.
      z: (B, Z).
      keys: (B,).

    Raises:
      InputError: names these penalties.
    """

    def apply(penalty: Part, discriminate: Network) -> Any:
        function = given(penalty, controls, generate=lambda z: images, z=z)
        return function(discriminate, images, images, keys)

    _check("discriminator", penalties, variables, apply, ())


def check_generator_penalties(
    penalties: Penalties,
    controls: Controls,
    variables: PyTree,
    images: Array,
    z: Array,
    keys: Array,
) -> None:
    """Refuses penalties on gradients of a generator with batch normalization.

    Args and Raises as above, of the generator.
    """

    def apply(penalty: Part, generate: Network) -> Any:
        return given(penalty, controls)(generate, z, keys)

    _check("generator", penalties, variables, apply, images.shape[1:])


def _check(
    name: str,
    penalties: Penalties,
    variables: PyTree,
    apply: Callable[[Part, Network], Any],
    output_shape: Sequence[int],
) -> None:
    if "batch_stats" not in variables:
        return
    found = [
        penalty_name
        for penalty_name, (penalty, _) in sorted((penalties.steady | penalties.lazy).items())
        if not isinstance(penalty, OfParameters)
        and _differentiates(partial(apply, penalty), output_shape)
    ]
    if found:
        raise InputError(
            f"{', '.join(found)}: penalties on gradients need one for each example, which a {name} "
            "with batch normalization does not have: use another normalization or drop the "
            "penalties"
        )


def _differentiates(function: Callable[[Network], Any], output_shape: Sequence[int]) -> bool:
    """Returns whether a function of a network asks for the network's derivative."""
    asked = []

    @jax.custom_jvp
    def network(inputs: Any) -> Array:
        return jnp.zeros((len(inputs), *output_shape))

    @network.defjvp
    def derivative(primals: Any, tangents: Any) -> tuple[Array, Array]:
        del tangents
        asked.append(True)
        outputs = network(*primals)
        return outputs, jnp.zeros_like(outputs)

    jax.eval_shape(lambda: function(network))
    return bool(asked)
