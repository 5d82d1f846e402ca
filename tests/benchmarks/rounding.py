"""How much of what a discriminator says is rounding: the gap of reals and fakes by precision.

    python tests/benchmarks/rounding.py runs/stacked_mnist_r3gan_small

Of the newest checkpoint of an unconditional run: the mean logit of 256 reals less that of 256 fakes
of the generator itself, with the standard error, by the same weights in float32 and in bfloat16.
Then the same for images that are changed: fakes brought to the reals' 256 levels; noise where a
real is exactly black; noise everywhere. A gap in bfloat16 alone is of no use to the generator:
rounding has steps that gradients, and so penalties, do not see. On a CPU float32 is meant as such.
"""

import argparse
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import experiment, trained
from gan_jax.data.images import to_unit_range
from gan_jax.errors import InputError
from gan_jax.rng import key_for
from gan_jax.runtime.checkpoint_reading import absolute, newest_sound

IMAGES = 256
LEVEL = 2 / 255


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workdir")
    workdir = pathlib.Path(parser.parse_args().workdir)
    try:
        run = trained.load(workdir)
        if run.config.conditional:
            raise InputError(f"{workdir} is a conditional run: name another")
        reals = _reals(run)
    except InputError as error:
        sys.exit(str(error))
    state = newest_sound(absolute(workdir / "checkpoints"), [run.step], None).state

    def apply(side: int, precision: str, inputs: jax.Array) -> jax.Array:
        name = ("generator", "discriminator")[side]
        variables = {"params": state[name]["params"], **state[name].get("variables", {})}
        config = run.config.copy_and_resolve_references()
        config.precision = precision
        network = experiment._networks(config, run.facts, None, None)[side]
        return jax.jit(lambda x: network.apply(variables, x, train=False))(inputs)

    key = jax.random.key(0)
    latents = jax.random.normal(key_for(key, "latents", 0), (len(reals), run.config.latent_dim))
    fakes = apply(0, run.config.precision, latents)
    noise = LEVEL * jax.random.uniform(
        key_for(key, "noise", 0), (2, *reals.shape), minval=-1.0, maxval=1.0
    )
    levels = jnp.round((jnp.clip(fakes, -1, 1) + 1) / LEVEL) * LEVEL - 1

    def gap(precision: str, real: jax.Array, fake: jax.Array) -> str:
        a, b = (np.float64(apply(1, precision, x).logits) for x in (real, fake))
        return f"{a.mean() - b.mean():.2f} ± {math.sqrt((a.var() + b.var()) / len(a)):.2f}"

    print(f"step {run.step:,}, {jax.devices()[0].device_kind}\n")
    print("| reals less fakes | float32 | bfloat16 |\n|---|---|---|")
    for name, real, fake in (
        ("as they are", reals, fakes),
        ("fakes of 256 levels", reals, levels),
        ("noise on the black of reals", jnp.where(reals == -1, reals + noise[0], reals), fakes),
        ("noise on both", reals + noise[0], fakes + noise[1]),
    ):
        print(f"| {name} | {gap('float32', real, fake)} | {gap('bfloat16', real, fake)} |")


def _reals(run: trained.Trained) -> jax.Array:
    source = experiment.load_data(run.config)
    return to_unit_range(jnp.asarray(source.read(np.arange(min(IMAGES, len(source))))["image"]))


if __name__ == "__main__":
    main()
