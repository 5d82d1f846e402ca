"""Standing statistics: what batch normalization shall use of a generator that has been averaged."""

from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.algorithms.latents import latents
from gan_jax.errors import InputError
from gan_jax.rng import keys_for, substream
from gan_jax.train_state import PyTree

Array = jax.Array


def standing_statistics(
    generator: Any,
    weights: PyTree,
    key: Array,
    *,
    latent_dim: int,
    batch_size: int,
    batches: int,
    num_classes: int | None = None,
    truncation: float | None = None,
) -> PyTree:
    """Replaces running statistics by their plain mean over training passes of these weights.

    Running statistics are those of the weights of the last updates, which are not the averaged
    ones. A training pass moves each of them from s to `a s + (1 - a) batch`, whatever the layer's
    momentum a is. So f(0) / (1 - f'(0)) of the pass f is the batch's statistic.

    Args:
      generator: Flax module, as for `gan`, built with `axis_name=None`.
      weights: dict by collection, as Flax's `apply` takes it, such as `state.ema`.
      key: typed, shape (). Row i, counted through all batches, is drawn from (key, i) as in
        `sample`.
      latent_dim: the length of z.
      batch_size: of one pass.
      batches: how many passes to average.
      num_classes: of a conditional generator; the classes take turns.
      truncation: of the latents that images are to be drawn from, as for `latents`.

    Returns:
      `weights` with a new collection "batch_stats"; as they are, where they have none.

    Raises:
      InputError: there are no batches, or no rows in them.

    Reference: Brock et al. 2019, "Large scale GAN training for high fidelity natural image
    synthesis", appendix C.1.
    """
    for name, value in (("batch_size", batch_size), ("batches", batches)):
        if value < 1:
            raise InputError(f"{name} is {value}; it must be at least 1")
    if not weights.get("batch_stats"):
        return weights

    def after(statistics: PyTree, batch: Array | int) -> PyTree:
        indices = batch * batch_size + jnp.arange(batch_size)
        keys = keys_for(key, indices)
        _, updates = generator.apply(
            {**weights, "batch_stats": statistics},
            latents(keys, latent_dim, truncation),
            None if num_classes is None else indices % num_classes,
            train=True,
            keys=substream(keys, "generator"),
            mutable=[name for name in weights if name != "params"],
        )
        return updates["batch_stats"]

    zeros = jax.tree.map(jnp.zeros_like, weights["batch_stats"])
    ones = jax.tree.map(jnp.ones_like, zeros)
    # As a derivative and not as f(1) - f(0), which would be rounding where f(0) is large.
    _, kept = jax.jvp(lambda statistics: after(statistics, 0), (zeros,), (ones,))
    added = jax.lax.map(lambda batch: after(zeros, batch), jnp.arange(batches))
    means = jax.tree.map(lambda added, kept: added.mean(0) / (1 - kept), added, kept)
    return {**weights, "batch_stats": means}
