"""Weight clipping, as a step of optax."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from gan_jax.train_state import PyTree


def clip_weights(limit: float) -> optax.GradientTransformation:
    """Cuts the updates so that every parameter ends within [-limit, limit], but for a rounding.

    The last of a chain.

    Reference: Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1 (c = 0.01).
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple[PyTree, Any]:
        clipped = jax.tree.map(lambda p, u: jnp.clip(p + u, -limit, limit) - p, params, updates)
        return clipped, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
