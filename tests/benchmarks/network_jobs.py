"""What the peers of networks.py share: training steps, layer shapes, and how they report.

Needs nothing but Python, so that every peer's interpreter can import it.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One training step: an update of the discriminator, then one of the generator.

    Attributes:
      size: of the square images.
      channels: of the images.
      batch: images a step.
      latent: length of z.
      loss: non_saturating, hinge or relativistic.
      penalty: weight of R1 and of R2.
      generator: channels; see the peers.
      discriminator: likewise.
    """

    size: int
    channels: int
    batch: int
    latent: int
    loss: str
    penalty: float
    generator: int
    discriminator: int


STEPS = {
    "dcgan": Step(28, 1, 64, 100, "non_saturating", 0.0, 128, 64),
    "sngan": Step(32, 3, 32, 128, "hinge", 0.0, 32, 64),
    "r3gan": Step(32, 3, 32, 64, "relativistic", 0.0, 128, 128),
    "r3gan, R1 + R2": Step(32, 3, 32, 64, "relativistic", 1.0, 128, 128),
}


class Layer(NamedTuple):
    """One convolution, with padding that keeps or, with a stride of 2, halves the size."""

    batch: int
    size: int
    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    groups: int = 1

    @property
    def gflop(self) -> float:
        """Of each of its three products."""
        places = self.batch * (self.size // self.stride) ** 2
        return 2e-9 * places * self.kernel**2 * self.inputs * self.outputs / self.groups


LAYERS = {
    "dcgan 28, first": Layer(64, 28, 1, 64, 4, 2),
    "dcgan 28, middle": Layer(64, 14, 64, 128, 4, 2),
    "dcgan 28, generator": Layer(64, 14, 128, 256, 4, 2),
    "dcgan 28, last": Layer(64, 28, 1, 128, 4, 2),
    "dcgan 32, wide": Layer(64, 8, 128, 256, 4, 2),
    "resnet 32, colours in": Layer(64, 32, 3, 128, 3),
    "resnet 32, 128 wide": Layer(64, 32, 128, 128, 3),
    "resnet 16, 128 wide": Layer(64, 16, 128, 128, 3),
    "resnet 8, 128 wide": Layer(64, 8, 128, 128, 3),
    "resnet 16, 256 wide": Layer(64, 16, 256, 256, 3),
    "resnet 8, 256 wide": Layer(64, 8, 256, 256, 3),
    "resnet 28, 64 wide": Layer(64, 28, 64, 64, 3),
    "resnet 32, colours out": Layer(64, 32, 256, 3, 3),
    "resnet 16, shortcut": Layer(64, 16, 128, 128, 1),
    "r3gan 32, 1 x 1": Layer(32, 32, 128, 256, 1),
    "r3gan 32, grouped": Layer(16, 32, 128, 128, 3, 1, 8),
    "r3gan 16, grouped": Layer(16, 16, 256, 256, 3, 1, 16),
    "r3gan 8, grouped": Layer(16, 8, 256, 256, 3, 1, 16),
    "stylegan2 32, down": Layer(16, 32, 512, 512, 3, 2),
}
PRODUCTS = ("forward", "input gradient", "kernel gradient", "second order")


def milliseconds(run: Callable[[], Any], seconds: float = 1.0, most: int = 15) -> float:
    """The median time of a call, after two that do not count."""
    run()
    run()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < most):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def report(**found: Any) -> None:
    """Tells the driver, a JSON object a line."""
    print(json.dumps(found), flush=True)
