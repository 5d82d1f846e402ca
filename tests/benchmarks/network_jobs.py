"""What the peers of networks.py share: training steps, layer shapes, and how they are driven.

Needs nothing but Python, so that every peer's interpreter can import it.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One training step: an update of the discriminator, then one of the generator.

    Attributes:
      family: of the networks.
      size: of the square images.
      channels: of the images.
      batch: images a step.
      latent: length of z.
      loss: non_saturating, hinge or relativistic.
      penalty: weight of R1 and of R2.
      generator: channels; see the peers.
      discriminator: likewise.
      precision: float32 (on a GPU with products in TF32) or bfloat16, parameters in float32.
    """

    family: str
    size: int
    channels: int
    batch: int
    latent: int
    loss: str
    penalty: float
    generator: int
    discriminator: int
    precision: str = "float32"


STEPS = {
    "dcgan": Step("dcgan", 28, 1, 64, 100, "non_saturating", 0.0, 128, 64),
    "sngan": Step("sngan", 32, 3, 32, 128, "hinge", 0.0, 32, 64),
    "r3gan": Step("r3gan", 32, 3, 32, 64, "relativistic", 0.0, 128, 128),
    "r3gan, R1 + R2": Step("r3gan", 32, 3, 32, 64, "relativistic", 1.0, 128, 128),
}
_LARGE = {
    "dcgan": STEPS["dcgan"]._replace(batch=256),
    "sngan": STEPS["sngan"]._replace(batch=128),
    "r3gan": STEPS["r3gan"]._replace(batch=128),
    "r3gan, R1 + R2": STEPS["r3gan, R1 + R2"]._replace(batch=128),
    "r3gan, R1 + R2, wide": Step("r3gan", 32, 3, 256, 64, "relativistic", 1.0, 256, 256),
}
GPU_STEPS = _LARGE | {
    f"{name}, bfloat16": step._replace(precision="bfloat16") for name, step in _LARGE.items()
}
"""Those that fill a GPU."""


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
GPU_LAYERS = {name: layer._replace(batch=8 * layer.batch) for name, layer in LAYERS.items()}
PRODUCTS = ("forward", "input gradient", "kernel gradient", "second order")


class Prepared(NamedTuple):
    """A job that is compiled and has run.

    Attributes:
      programs: by product ("step" where there is but one); each starts one run.
      wait: for what a program returned, and with it for all runs before it.
      parameters: of generator and discriminator, where there are such.
    """

    programs: Mapping[str, Callable[[], Any]]
    wait: Callable[[Any], Any]
    parameters: list[int] | None = None


def milliseconds(
    run: Callable[[], Any], wait: Callable[[Any], Any], calls: int = 1, seconds: float = 1.0
) -> float:
    """The median time of a call, `calls` of them being started before one is waited for."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 200):
        start = time.perf_counter()
        for _ in range(calls):
            last = run()
        wait(last)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times) / calls


def serve(about: Mapping[str, Any], prepare: Callable[[str, list[Any]], Prepared]) -> None:
    """Tells `about`, and answers the driver's orders, a line of JSON each.

    {"what": , "name": , "job": } prepares a job, with two runs that do not count;
    {"name": , "calls": , "seconds": } times it.
    """
    print(json.dumps(about), flush=True)
    ready: dict[str, Prepared] = {}
    for order in map(json.loads, sys.stdin):
        name, answer = order.pop("name"), {}
        try:
            if "job" in order:
                ready[name] = prepare(**order)
                for run in 2 * [*ready[name].programs.values()]:
                    ready[name].wait(run())
                answer["parameters"] = ready[name].parameters
            else:
                for product, run in ready[name].programs.items():
                    answer[product] = milliseconds(run, ready[name].wait, **order)
        except Exception as error:  # whatever a library raises: the others go on
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
