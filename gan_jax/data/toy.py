"""Points in the plane, drawn from a fixed seed: sets whose true distribution is known.

They are stored as images of one pixel and two channels, (N, 1, 1, 2) float32, divided by the
toy's `scale` so that every point lies in [-1, 1]; `Toy.points` goes back to the original units, in
which `modes` and `sigma` are given.

References:
  ring8: Metz et al., "Unrolled Generative Adversarial Networks", ICLR 2017, appendix A.
  grid25: Srivastava et al., "VEEGAN", NeurIPS 2017, section 4; the constants are those of
    Lin et al., "PacGAN", NeurIPS 2018, section 4.1 (modes at -4, -2, 0, 2, 4; variance 0.0025).
  swissroll: Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, figure 1.
"""

import dataclasses

import numpy as np

from gan_jax.data.source import ArraySource, fingerprint
from gan_jax.errors import InputError, did_you_mean

SIZES = {"train": 100_000, "test": 10_000}


@dataclasses.dataclass(frozen=True, eq=False)
class Toy:
    """A distribution over the plane.

    Attributes:
      modes: (K, 2) centers of the Gaussians, original units; for the roll, points along it.
      sigma: Deviation of the noise around them, original units.
      scale: Original units in 1 of the stored range [-1, 1].
      labelled: Whether an example's label is the mode that it was drawn from.
    """

    modes: np.ndarray
    sigma: float
    scale: float
    labelled: bool = True

    def points(self, images: np.ndarray) -> np.ndarray:
        """Maps images (N, 1, 1, 2) in [-1, 1] to points (N, 2) in original units."""
        return np.reshape(images, (-1, 2)) * self.scale


def _ring(modes: int, radius: float) -> np.ndarray:
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _grid(side: int, spacing: float) -> np.ndarray:
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)


def _roll(points: int) -> np.ndarray:
    angles = 1.5 * np.pi * (1 + 2 * (np.arange(points) + 0.5) / points)
    return angles[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


TOYS = {
    "ring8": Toy(_ring(8, radius=2.0), sigma=0.02, scale=2.5),
    "grid25": Toy(_grid(5, spacing=2.0), sigma=0.05, scale=5.0),
    "swissroll": Toy(_roll(10_000), sigma=0.25, scale=16.0, labelled=False),
}


def load(name: str, split: str = "train") -> ArraySource:
    """Draws a toy set.

    Args:
      name: "ring8", "grid25" or "swissroll".
      split: "train" or "test": independent draws.

    Returns:
      The points, (N, 1, 1, 2) float32 in [-1, 1].

    Raises:
      InputError: No such toy, or no such split.
    """
    if name not in TOYS:
        raise InputError(
            f"unknown toy set 'toy:{name}'; there are {', '.join(f'toy:{toy}' for toy in TOYS)}."
            + did_you_mean(name, TOYS)
        )
    if split not in SIZES:
        raise InputError(f"toy:{name} has no split {split!r}; it has {', '.join(SIZES)}")
    toy = TOYS[name]
    random = np.random.Generator(np.random.PCG64([20170, list(SIZES).index(split)]))
    modes = random.integers(len(toy.modes), size=SIZES[split])
    points = toy.modes[modes] + toy.sigma * random.normal(size=(len(modes), 2))
    images = (points / toy.scale).astype(np.float32).reshape(-1, 1, 1, 2)
    return ArraySource(
        name=f"toy:{name}",
        split=split,
        fingerprint=fingerprint(images),
        class_names=tuple(str(mode) for mode in range(len(toy.modes))) if toy.labelled else (),
        images=images,
        labels=modes.astype(np.int32) if toy.labelled else None,
    )
