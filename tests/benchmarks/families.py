"""The table of README: parameters of each family at several sizes, and operations for an image.

    python tests/benchmarks/families.py

Nothing is computed: parameters are counted by abstract evaluation, operations (two for a multiply
and add, of convolutions and matrix products alone) in what the networks trace to.
"""

import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import jax
import jax.numpy as jnp

from gan_jax.models.families import FAMILIES
from gan_jax.models.sizes import doublings

SIZES = {28: 1, 32: 3, 64: 3, 256: 3}
"""Sizes of images, and their channels."""

LATENTS = {"sngan": 128, "sagan": 128, "biggan_deep": 128, "r3gan": 64, "stylegan2": 512}
"""As published; 100 for the others, and 20 for every part of a hierarchical one."""


def operations(jaxpr) -> float:
    """Of every convolution and matrix product, as accelerators do them."""
    total = 0.0
    for equation in jaxpr.eqns:
        shapes = [variable.aval.shape for variable in equation.invars if hasattr(variable, "aval")]
        out = equation.outvars[0].aval.shape
        if equation.primitive.name == "conv_general_dilated":
            total += 2 * math.prod(out) * math.prod(shapes[1][:3])
        elif equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += 2 * math.prod(out) * math.prod(shapes[0][axis] for axis in contracted)
        elif equation.primitive.name == "cond":  # by backend: the last is for accelerators
            total += operations(equation.params["branches"][-1].jaxpr)
        else:
            for name in ("jaxpr", "call_jaxpr"):
                inner = equation.params.get(name)
                if inner is not None:
                    total += operations(getattr(inner, "jaxpr", inner))
    return total


def measured(network, *inputs) -> tuple[float, float]:
    """Parameters, and operations for one example."""
    variables = jax.eval_shape(
        lambda key: network.init(key, *inputs, train=False), jax.random.key(0)
    )
    closed = jax.make_jaxpr(lambda v: network.apply(v, *inputs, train=False))(variables)
    params = sum(x.size for x in jax.tree.leaves(variables["params"]))
    return params, operations(closed.jaxpr)


def main() -> None:
    """Prints a Markdown table."""
    print(f"| parameters; GFLOP an image | {' | '.join(f'{size} x {size}' for size in SIZES)} |")
    print("|---" * (len(SIZES) + 1) + "|")
    for name, family in FAMILIES.items():
        cells = []
        for size, channels in SIZES.items():
            shape = (size, size, channels)
            latent = LATENTS.get(name, 100)
            if name in ("biggan", "unet"):
                latent = 20 * (1 + doublings(shape)[1])
            g = measured(family.generator(image_shape=shape), jnp.zeros((1, latent)))
            d = measured(family.discriminator(), jnp.zeros((1, *shape)))
            cells.append(
                f"{g[0] / 1e6:.2f} + {d[0] / 1e6:.2f} M; {g[1] / 1e9:.2f} + {d[1] / 1e9:.2f}"
            )
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
