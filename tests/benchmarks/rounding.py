"""How much of what a discriminator says is rounding: the gap of reals and fakes by precision.

    python tests/benchmarks/rounding.py runs/stacked_mnist_r3gan_small

Of the newest checkpoint of an unconditional run: the mean logit of 128 reals less that of 128 fakes
in float32 and in bfloat16, and the same with uniform noise on both, two levels of eight bits wide.
A gap in bfloat16 alone is no property of the images that the generator could learn: rounding has
steps that gradients, and so penalties, do not see. It adds up where many pixels are the same.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import experiment, trained
from gan_jax.data.images import to_unit_range
from gan_jax.runtime.checkpoint_reading import absolute, newest_sound, saved_steps

IMAGES, NOISE = 128, 4 / 255


def main() -> None:
    """Prints a Markdown table."""
    workdir = pathlib.Path(sys.argv[1])
    run = trained.load(workdir)
    assert not run.config.conditional, "of unconditional runs only"
    folder = absolute(workdir / "checkpoints")
    state = newest_sound(folder, saved_steps(folder), None, part="discriminator/").state
    variables = {"params": state["params"], **state.get("variables", {})}

    key = jax.random.key(0)
    source = experiment.load_data(run.config)
    reals = to_unit_range(jnp.asarray(source.read(np.arange(IMAGES))["image"]))
    fakes = run.algorithm.sample(run.weights, key, IMAGES)

    def gap(precision: str, noise: float) -> float:
        with run.config.unlocked():
            run.config.precision = precision
        _, discriminator = experiment._networks(run.config, run.facts, None, None)
        drawn = noise * jax.random.uniform(key, (2, *reals.shape), minval=-0.5, maxval=0.5)
        images = jnp.stack([reals, fakes]) + drawn
        real, fake = (discriminator.apply(variables, x, train=False).logits for x in images)
        return float(real.mean() - fake.mean())

    print(f"step {run.step:,}\n\n| reals less fakes | float32 | bfloat16 |\n|---|---|---|")
    for name, noise in (("as they are", 0.0), ("with noise", NOISE)):
        print(f"| {name} | {gap('float32', noise):.2f} | {gap('bfloat16', noise):.2f} |")


if __name__ == "__main__":
    main()
