"""How good samples are: pure functions of feature arrays, in float64 where references use it."""

from gan_jax.metrics.frechet import Gaussian, frechet_distance

__all__ = ["Gaussian", "frechet_distance"]
