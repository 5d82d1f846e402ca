"""Three seeds in one compiled program against one after the other, on the toy of 25 modes.

python tests/benchmarks/seeds_at_once.py [--blocks=5]

Blocks of 500 updates of each, in turn; prints updates per second of the three together, and the
ratio within a block: above 1 all at once is faster.
"""

import argparse
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from gan_jax import experiment  # noqa: E402
from gan_jax.command_line import load_config  # noqa: E402
from gan_jax.data import toy  # noqa: E402
from gan_jax.data.loader import Loader, decode  # noqa: E402
from gan_jax.data.plan import IndexPlan  # noqa: E402
from gan_jax.runtime import parallel  # noqa: E402

SEEDS, STEPS = 3, 500


def main(blocks):
    config = load_config(str(ROOT / "configs" / "toy_ring.py"))
    config.data.name = "toy:grid25"
    source = toy.load("grid25")
    algorithm = experiment.build_algorithm(config, experiment.DataFacts.of(source, config))
    loader = Loader(
        source,
        IndexPlan(0, len(source)),
        minibatches=algorithm.minibatches,
        batch_size=config.batch_size,
    )
    resident, feed = {"image": source.images}, loader(0, STEPS)
    call = parallel.several_steps(algorithm.update, decode)
    keys = jax.vmap(jax.random.key)(jnp.arange(SEEDS))

    alone = jax.jit(call, donate_argnums=0)
    single = jax.tree.map(lambda x: x[0], feed)
    states = [jax.jit(algorithm.init)(key) for key in keys]

    def one_after_the_other():
        for seed in range(SEEDS):
            states[seed], _ = alone(states[seed], resident, single)
        jax.block_until_ready(states)

    together = parallel.over_seeds(call)
    state = [parallel.init_seeds(algorithm.init, keys)]
    feeds = jax.tree.map(lambda x: np.concatenate([x] * SEEDS), feed)

    def all_at_once():
        state[0], _ = together(state[0], resident, feeds)
        jax.block_until_ready(state[0].step)

    rates = []
    for block in range(blocks + 1):  # the first one compiles
        seconds = []
        for run in (one_after_the_other, all_at_once):
            begin = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - begin)
        if block:
            rates.append([SEEDS * STEPS / s for s in seconds])
    (one, many), ratios = np.median(rates, axis=0), [b / a for a, b in rates]
    print(f"{jax.devices()[0].device_kind}, {SEEDS} seeds, {blocks} blocks of {STEPS} updates")
    print(f"one after the other {one:.0f}/s, all at once {many:.0f}/s")
    print(f"ratio {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=5)
    main(parser.parse_args().blocks)
