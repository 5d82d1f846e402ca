"""From the last features of a discriminator to its `Outputs`: where a class may come in."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.outputs import Outputs

Array = jax.Array

CONDITIONINGS = ("concatenate", "projection", "classifier", "twin_classifier")
"""How a discriminator of `num_classes` = K classes sees, or tells, the class:

- "concatenate": the one-hot label is part of its input (Mirza & Osindero 2014, "Conditional
  generative adversarial nets"), which is the network's business and not the head's;
- "projection": the logit has the term <embedding of the label, features> (Miyato & Koyama 2018,
  "cGANs with projection discriminator", equation 3);
- "classifier": `class_logits` (B, K), for an auxiliary classifier (Odena et al. 2017, "Conditional
  image synthesis with auxiliary classifier GANs");
- "twin_classifier": `class_logits` (B, 2 K), for classes of reals, then of fakes (Hou et al. 2022,
  "Conditional GANs with auxiliary discriminative classifier").
"""


def head(
    features: Array, labels: Array | None, num_classes: int | None, conditioning: str
) -> Outputs:
    """Makes `Outputs` of features (B, D); its layers are those of the module that calls it.

    Args:
      features: (B, D).
      labels: (B,) int32, for "projection".
      num_classes: K, for a conditional discriminator.
      conditioning: one of `CONDITIONINGS`; read where there are classes.

    Raises:
      InputError: there is no such conditioning.
    """
    if conditioning not in CONDITIONINGS:
        raise InputError(f"conditioning is {conditioning!r}; there are {', '.join(CONDITIONINGS)}")
    logits = nn.Dense(1)(features)[:, 0]
    class_logits = None
    if num_classes is not None and conditioning == "projection":
        embedding = nn.Embed(num_classes, features.shape[-1], name="class_embedding")
        logits = logits + jnp.sum(embedding(labels) * features, axis=-1)
    elif num_classes is not None and conditioning != "concatenate":
        outputs = num_classes * (2 if conditioning == "twin_classifier" else 1)
        class_logits = nn.Dense(outputs, name="class_logits")(features)
    return Outputs(logits=logits, features=features, class_logits=class_logits)
