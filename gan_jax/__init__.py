"""Generative adversarial networks as pure jitted update functions over a TrainState pytree."""

from gan_jax import metrics, rng, schedules
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.algorithms.classifier import Classifier, classifier
from gan_jax.algorithms.ema import half_life_decay
from gan_jax.algorithms.gan import GAN, gan
from gan_jax.algorithms.standing import standing_statistics
from gan_jax.algorithms.weight_clipping import clip_weights
from gan_jax.errors import InputError
from gan_jax.models import (
    biggan,
    biggan_deep,
    dcgan,
    mlp,
    r3gan,
    sagan,
    sngan,
    stylegan2,
    unet,
)
from gan_jax.models.outputs import Outputs
from gan_jax.models.standardized import StandardizedDiscriminator, StandardizedGenerator
from gan_jax.nn.convolution import convolve, convolve_transposed
from gan_jax.objectives import augment, class_losses, generator_penalties, losses, penalties
from gan_jax.objectives.adaptive import Adaptive, OfLatents, OfOutputs, OfParameters, OfStep
from gan_jax.train_state import NetState, TrainState

__all__ = [
    "GAN",
    "Adaptive",
    "Algorithm",
    "Classifier",
    "InputError",
    "NetState",
    "OfLatents",
    "OfOutputs",
    "OfParameters",
    "OfStep",
    "Outputs",
    "StandardizedDiscriminator",
    "StandardizedGenerator",
    "TrainState",
    "augment",
    "biggan",
    "biggan_deep",
    "class_losses",
    "classifier",
    "clip_weights",
    "convolve",
    "convolve_transposed",
    "dcgan",
    "gan",
    "generator_penalties",
    "half_life_decay",
    "losses",
    "metrics",
    "mlp",
    "penalties",
    "r3gan",
    "rng",
    "sagan",
    "schedules",
    "sngan",
    "standing_statistics",
    "stylegan2",
    "unet",
]
