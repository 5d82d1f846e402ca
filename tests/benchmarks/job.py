"""What the peers of the MLP benchmark share: networks, recipes, data, and how they are driven.

Needs NumPy alone, so that every peer's interpreter can import it. Run mlp_job.py, not this.
"""

import argparse
import itertools
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

BATCH = 128
EXAMPLES = 4_000
IMAGE_SHAPE = (28, 28, 1)
GENERATOR = (100, 128, 256, 512, 784)  # widths, the latent's first
DISCRIMINATOR = (784, 512, 256, 128, 1)
LATENT = GENERATOR[0]
CHECKED_STEPS = 5

Layers = list[tuple[np.ndarray, np.ndarray]]  # kernel (in, out) and bias (out,) of each layer


class Recipe(NamedTuple):
    """How the two networks are trained.

    Attributes:
      slope: of the hidden activation below zero; 0 is ReLU.
      relativistic: the pairing loss softplus(D(fake) - D(real)), else cross-entropy on logits.
      penalty: weight of R1 and of R2, each half the squared gradient of D at its input.
      betas: Adam's.
      decay: of the averaged generator; 0 for none.
      rate: the learning rate.
    """

    slope: float
    relativistic: bool
    penalty: float
    betas: tuple[float, float]
    decay: float
    rate: float = 2e-4


RECIPES = {
    "article": Recipe(0.0, relativistic=False, penalty=0.0, betas=(0.5, 0.999), decay=0.0),
    "ours": Recipe(0.2, relativistic=True, penalty=1.0, betas=(0.0, 0.99), decay=0.999),
}
SGD_RATE = 0.02


def images() -> np.ndarray:
    """Random images, uint8 (EXAMPLES, 28, 28, 1): speed does not depend on what they show."""
    return np.random.default_rng(0).integers(0, 256, (EXAMPLES, *IMAGE_SHAPE), np.uint8)


def first_weights(widths: tuple[int, ...], seed: int) -> Layers:
    """The weights that every peer starts from: normal, variance 2 / (in + out), biases 0."""
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(0, (2 / (inputs + outputs)) ** 0.5, (inputs, outputs)).astype(np.float32),
            np.zeros(outputs, np.float32),
        )
        for inputs, outputs in itertools.pairwise(widths)
    ]


class Inputs(NamedTuple):
    """What one step reads, so that two peers can be given the same: see `mlp_job.py --check`."""

    real: Any  # (BATCH, 28, 28, 1) float32 in [-1, 1], for the discriminator
    z: Any  # (BATCH, LATENT)
    generator_real: Any  # for the generator's phase
    generator_z: Any


class Job(NamedTuple):
    """What a peer hands to `serve`.

    Attributes:
      run: `(steps)`: does that many steps on data and noise of its own and waits for the last.
      check: `(path of .npz)`: does `CHECKED_STEPS` steps on the inputs of the file and returns the
        losses and the final weights by name. gan_jax writes the file instead. None where the peer's
        steps are not the same mathematics.
      versions: of the packages that count.
      steps_per_call: steps that one call of the program does; `run` takes multiples.
    """

    run: Callable[[int], None]
    check: Callable[[str], dict[str, np.ndarray]] | None
    versions: dict[str, str]
    steps_per_call: int = 1


def serve(build: Callable[[Recipe, str, argparse.Namespace], Job]) -> None:
    """Runs a peer under the orders of mlp_job.py: a JSON line on stdout answers each.

    The first line comes when the first call is done. Then each line of stdin is a number of steps,
    and the answer the seconds that they took. The last line, at the end of stdin, is peak memory.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", choices=RECIPES, required=True)
    parser.add_argument("--optimizer", choices=("adam", "sgd"), default="adam")
    parser.add_argument("--check", nargs=2, metavar=("INPUTS", "RESULTS"))
    parser.add_argument("--xla", action="store_true", help="tf.function: jit_compile=True")
    parser.add_argument("--tutorial", action="store_true", help="as tutorials write it")
    parser.add_argument("--steps_per_call", type=int, default=10, help="of gan_jax")
    arguments = parser.parse_args()
    try:
        job = build(RECIPES[arguments.recipe], arguments.optimizer, arguments)
    except ModuleNotFoundError as error:
        _answer(missing=error.name)
        return
    if arguments.check:
        inputs, results = arguments.check
        np.savez(results, **job.check(inputs))
        return
    job.run(job.steps_per_call)
    _answer(versions=job.versions)
    for line in sys.stdin:
        start = time.perf_counter()
        job.run(int(line))
        _answer(seconds=time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _answer(peak_mib=peak / (2**20 if sys.platform == "darwin" else 2**10))


def checked_inputs(path: str) -> list[Inputs]:
    """Reads the inputs of `CHECKED_STEPS` steps."""
    with np.load(path) as file:
        return [
            Inputs(*(file[name][step] for name in Inputs._fields)) for step in range(CHECKED_STEPS)
        ]


def checked_results(losses: list[tuple[float, float]], **weights: Layers) -> dict[str, np.ndarray]:
    """Names what `--check` compares: the losses (steps, 2), and each network's weights in a row."""
    flat = {
        name: np.concatenate([np.asarray(x).reshape(-1) for layer in layers for x in layer])
        for name, layers in weights.items()
    }
    return {"losses": np.asarray(losses, np.float64), **flat}


def _answer(**values: Any) -> None:
    print(json.dumps(values), flush=True)
