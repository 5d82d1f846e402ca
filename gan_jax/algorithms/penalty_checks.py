"""Checks, abstractly, that penalties go with their network.

Gradients by example do not exist where batch statistics couple the examples; and not every
discriminator says all that a penalty may read.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.algorithms.weighted import Part, Penalties, given
from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import Controls, OfOutputs, OfParameters
from gan_jax.train_state import PyTree

Array = jax.Array
Network = Callable[[Any], Any]


def check_discriminator_penalties(
    penalties: Penalties,
    controls: Controls,
    variables: PyTree,
    judge: Network,
    images: Array,
    z: Array,
    keys: Array,
) -> None:
    """Refuses penalties on gradients of a discriminator with batch normalization.

    And those that read what the discriminator does not say: such a penalty refuses it itself.

    Args:
      penalties: of the discriminator.
      controls: as they are before the first update.
      variables: of the discriminator, by collection.
      judge: the discriminator.
      images: (B, H, W, C), of which only the shape counts, here and below.
      z: (B, Z).
      keys: (B,).

    Raises:
      InputError: names what does not go together.
    """

    def apply(penalty: Part, discriminate: Network) -> Any:
        function = given(penalty, controls, generate=lambda z: images, z=z)
        return function(discriminate, images, images, keys)

    def network(penalty: Part) -> Network:
        return judge if isinstance(penalty, OfOutputs) else lambda images: jnp.zeros(len(images))

    for penalty, _ in (penalties.steady | penalties.lazy).values():
        if isinstance(penalty, OfOutputs):
            jax.eval_shape(partial(apply, penalty, judge))
    _check("discriminator", penalties, variables, apply, network)


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

    def network(penalty: Part) -> Network:
        del penalty
        return lambda z: jnp.zeros((len(z), *images.shape[1:]))

    _check("generator", penalties, variables, apply, network)


def _check(
    name: str,
    penalties: Penalties,
    variables: PyTree,
    apply: Callable[[Part, Network], Any],
    network: Callable[[Part], Network],
) -> None:
    if "batch_stats" not in variables:
        return
    found = [
        penalty_name
        for penalty_name, (penalty, _) in sorted((penalties.steady | penalties.lazy).items())
        if not isinstance(penalty, OfParameters)
        and differentiates(partial(apply, penalty), network(penalty))
    ]
    if found:
        raise InputError(
            f"{', '.join(found)}: penalties on gradients need one for each example, which a {name} "
            "with batch normalization does not have: use another normalization or drop the "
            "penalties"
        )


def differentiates(function: Callable[[Network], Any], network: Network) -> bool:
    """Returns whether a function of a network asks for the network's derivative."""
    asked = []
    watched = jax.custom_jvp(network)

    @watched.defjvp
    def derivative(primals: Any, tangents: Any) -> tuple[Any, Any]:
        del tangents
        asked.append(True)
        outputs = network(*primals)
        return outputs, jax.tree.map(jnp.zeros_like, outputs)

    jax.eval_shape(lambda: function(watched))
    return bool(asked)
