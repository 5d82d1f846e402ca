"""How good samples are: pure functions of feature arrays, in float64 where references use it."""

from gan_jax.metrics.frechet import (
    Gaussian,
    class_frechet_distances,
    frechet_distance,
    frechet_distance_at_infinity,
)
from gan_jax.metrics.inception_score import inception_score
from gan_jax.metrics.kernel import Estimate, kernel_distance
from gan_jax.metrics.manifold import (
    DensityCoverage,
    PrecisionRecall,
    PrecisionToCoverage,
    density_coverage,
    precision_recall,
    precision_to_coverage,
)
from gan_jax.metrics.memorization import Memorization, memorization
from gan_jax.metrics.modes import ModeCoverage, class_accuracy, mode_coverage, stacked_modes
from gan_jax.metrics.neighbours import Nearest, nearest_neighbours

__all__ = [
    "DensityCoverage",
    "Estimate",
    "Gaussian",
    "Memorization",
    "ModeCoverage",
    "Nearest",
    "PrecisionRecall",
    "PrecisionToCoverage",
    "class_accuracy",
    "class_frechet_distances",
    "density_coverage",
    "frechet_distance",
    "frechet_distance_at_infinity",
    "inception_score",
    "kernel_distance",
    "memorization",
    "mode_coverage",
    "nearest_neighbours",
    "precision_recall",
    "precision_to_coverage",
    "stacked_modes",
]
