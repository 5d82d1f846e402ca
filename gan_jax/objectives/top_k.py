"""Top-k training: the generator learns from its most realistic fakes alone.

Reference: Sinha et al. 2020, "Top-k training of GANs: improving GAN performance by throwing away
bad samples", algorithm 1.
"""

import jax
import jax.numpy as jnp

from gan_jax.axis import gathered, mean_over

Array = jax.Array


def top_k_weights(
    fake_logits: Array, fraction: Array | float, axis_name: str | None = None
) -> Array:
    """Returns weights (B,) whose mean with a loss is the mean over the best `fraction` of fakes.

    The k = ceil(fraction * N) highest of the N logits of the whole batch weigh N / k, the others 0;
    where logits are equal to the k-th, all of these count. Nothing is differentiated.

    Args:
      fake_logits: (B,) float32, as this device sees them.
      fraction: in (0, 1], shape ().
      axis_name: the mapped axis that the batch is spread over.
    """
    logits = jax.lax.stop_gradient(fake_logits)
    everywhere = gathered(logits, axis_name)
    k = jnp.ceil(fraction * everywhere.size).astype(jnp.int32)
    kept = (logits >= jnp.sort(everywhere)[-k]).astype(logits.dtype)
    return kept / mean_over(kept.mean(), axis_name)


def top_k_fraction(
    images_seen: Array | float, *, epoch: float, decay: float = 0.99, least: float = 0.5
) -> Array:
    """Returns the fraction of fakes to keep: `max(least, decay ** (images_seen / epoch))`.

    Args:
      images_seen: any shape.
      epoch: images in which the fraction decays once; the paper's is the size of the data set.
      decay: the paper's gamma.
      least: the paper's nu.
    """
    return jnp.maximum(least, jnp.float32(decay) ** (images_seen / epoch))
