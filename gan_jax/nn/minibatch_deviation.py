"""Minibatch standard deviation: a channel that tells a discriminator how much examples differ."""

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError

Array = jax.Array


def minibatch_deviation(x: Array, group_size: int = 4) -> Array:
    """Appends to each example the mean deviation, over positions and channels, in its group.

        sigma[h, w, c] = sqrt(mean_i (x[i, h, w, c] - mean_j x[j, h, w, c])^2 + 1e-8)

    over the i of a group, `group_size` consecutive rows; the channel is the mean of sigma. Devices
    hold consecutive rows too, so that groups are the same on any number of devices whose share of
    the batch a group divides. (The authors' groups are of rows n apart, n being the number of
    groups of a device.)

    Args:
      x: (B, H, W, C).
      group_size: divides B; a smaller batch is one group.

    Returns:
      (B, H, W, C + 1).

    Raises:
      InputError: `group_size` does not divide B.

    Reference: Karras et al. 2018, "Progressive growing of GANs", section 3.
    """
    batch, height, width, channels = x.shape
    group_size = max(1, min(group_size, batch))
    if batch % group_size:
        raise InputError(
            f"groups of {group_size} examples do not divide a device's batch of {batch}: choose a "
            "batch size that they divide, or another minibatch group"
        )
    groups = x.astype(jnp.float32).reshape(batch // group_size, group_size, height, width, channels)
    centred = groups - groups.mean(1, keepdims=True)
    deviation = jnp.sqrt(jnp.square(centred).mean(1) + 1e-8)  # (B / g, H, W, C)
    told = jnp.repeat(deviation.mean((1, 2, 3)), group_size).astype(x.dtype)
    told = jnp.broadcast_to(told[:, None, None, None], (batch, height, width, 1))
    return jnp.concatenate([x, told], axis=-1)
