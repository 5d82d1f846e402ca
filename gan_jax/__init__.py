"""Generative adversarial networks as pure jitted update functions over a TrainState pytree."""

from gan_jax import rng, schedules
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.algorithms.ema import half_life_decay
from gan_jax.algorithms.gan import GAN, gan
from gan_jax.errors import InputError
from gan_jax.models import mlp
from gan_jax.models.outputs import Outputs
from gan_jax.models.standardized import StandardizedDiscriminator, StandardizedGenerator
from gan_jax.objectives import augment, class_losses, losses, penalties
from gan_jax.objectives.adaptive import Adaptive
from gan_jax.train_state import NetState, TrainState

__all__ = [
    "GAN",
    "Adaptive",
    "Algorithm",
    "InputError",
    "NetState",
    "Outputs",
    "StandardizedDiscriminator",
    "StandardizedGenerator",
    "TrainState",
    "augment",
    "class_losses",
    "gan",
    "half_life_decay",
    "losses",
    "mlp",
    "penalties",
    "rng",
    "schedules",
]
