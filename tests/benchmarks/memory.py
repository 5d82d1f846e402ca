"""What the compiled update of each config takes: state, working memory, and what is donated.

    python tests/benchmarks/memory.py
    python tests/benchmarks/memory.py mnist_dcgan cifar10_r3gan

As the compiler states it for this backend, one device; nothing is run. The state is parameters,
averages and optimizer states of both networks; donated means that the new state takes the old one's
place, which it does for all of it that is read. `small` is the config with narrow networks, a batch
of 8 and one update of each network, as the tests train it. Some full configs take minutes to
compile on a CPU.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import jax
import jax.numpy as jnp
from runs import ROOT, shrunken

from gan_jax import experiment
from gan_jax.command_line import load_config

SHAPES = {
    **{"mnist_dcgan_r1r2": (32, 32, 1), "fashion_dcgan_r1r2": (32, 32, 1)},
    **{"cifar10": (32, 32, 3), "stacked_mnist_": (32, 32, 3), "stacked_mnist": (28, 28, 3)},
    **{"imagenet64": (64, 64, 3), "imagenet128": (128, 128, 3), "ffhq256": (256, 256, 3)},
}
CONFIGS = (
    *("mnist_mlp", "mnist_dcgan", "mnist_dcgan_r1r2", "fashion_sngan", "fashion_r3gan"),
    *("cifar10_wgan_gp", "cifar10_sngan", "cifar10_biggan", "cifar10_stylegan2_ada"),
    *("stacked_mnist_dcgan_r1r2", "stacked_mnist_r3gan_small"),
    *("stacked_mnist_r3gan", "cifar10_r3gan"),
    *("ffhq256_stylegan2", "ffhq256_unet", "imagenet64_r3gan"),
    *("imagenet128_sagan", "imagenet128_biggan_deep"),
)


def shape_of(name: str) -> tuple[int, int, int]:
    """The images of a config."""
    return next((shape for start, shape in SHAPES.items() if name.startswith(start)), (28, 28, 1))


def analysis(config, shape):
    """The compiled update's memory, from shapes alone."""
    facts = experiment.DataFacts(shape, 10, 1000, "")
    algorithm = experiment.build_algorithm(config, facts)
    state = jax.eval_shape(algorithm.init, jax.eval_shape(jax.random.key, 0))
    rows = (algorithm.minibatches, config.batch_size)
    batch = {
        "image": jax.ShapeDtypeStruct((*rows, *shape), jnp.float32),
        "label": jax.ShapeDtypeStruct(rows, jnp.int32),
        "index": jax.ShapeDtypeStruct(rows, jnp.int32),
    }
    compiled = jax.jit(algorithm.update, donate_argnums=0).lower(state, batch).compile()
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state) if x is not state.key)
    return size, compiled.memory_analysis()


def main() -> None:
    """Prints a Markdown table."""
    print("| MiB | batch | state | donated | working memory |\n|---|---|---|---|---|")
    for name in sys.argv[1:] or CONFIGS:
        full = load_config(str(ROOT / "configs" / f"{name}.py"))
        for config, suffix in ((shrunken(full), ", small"), (full, "")):
            state, found = analysis(config, shape_of(name))
            sizes = (state, found.alias_size_in_bytes, found.temp_size_in_bytes)
            cells = " | ".join(f"{size / 2**20:,.1f}" for size in sizes)
            print(f"| `{name}`{suffix} | {config.batch_size:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
