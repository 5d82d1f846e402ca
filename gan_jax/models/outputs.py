"""What every discriminator returns."""

from typing import Any, NamedTuple

import jax


class Outputs(NamedTuple):
    """The outputs of a discriminator.

    Attributes:
      logits: (B,) float32; positive means real.
      features: (B, D), the last hidden layer.
      class_logits: (B, K) where the network classifies, or what else its class loss reads (see
        `heads.CONDITIONINGS`); else None.
      pixel_logits: (B, H, W) float32 where the network judges every pixel, too; else None.
    """

    logits: jax.Array
    features: Any
    class_logits: jax.Array | None = None
    pixel_logits: jax.Array | None = None
