"""What the training loop costs: its steps/s against the bare compiled update's, in one process.

    PYTHONPATH=. python tests/benchmarks/loop_ratio.py

The real loop trains the default config in a temporary folder, with its logs, samples and
checkpoints. After every checkpoint interval it is held, and the same compiled update, called in a
loop by itself on one feed, does as many steps. It is held in the middle between two checkpoints,
so that the background part of a save falls into the loop's own time. Prints steps/s and ratios.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax

from configs import mnist_mlp
from gan_jax import train
from gan_jax.data.loader import decode
from gan_jax.rng import key_for
from gan_jax.runtime import parallel
from gan_jax.runtime.cache import cache_compiled_programs

Feeds = Iterator[tuple[int, Any]]


class BareUpdate:
    """The compiled update, called in a loop by itself."""

    def __init__(self, algorithm: Any, resident: Any):
        state = jax.jit(algorithm.init)(key_for(jax.random.key(0), "bare"))
        self._state, self._resident = parallel.replicate(state), parallel.replicate(resident)
        self._call = parallel.pmapped(parallel.several_steps(algorithm.update, decode))

    def run(self, feed: Any, calls: int) -> float:
        """Returns the seconds that `calls` calls take."""
        start = time.perf_counter()
        for _ in range(calls):
            self._state, _ = self._call(self._state, self._resident, feed)
        jax.block_until_ready(self._state)
        return time.perf_counter() - start


def alternating(
    make_feeds: Callable[..., tuple[Any, Feeds]], block: int, seconds: list[tuple[float, float]]
) -> Callable[..., tuple[Any, Feeds]]:
    """Wraps the loop's source of feeds: every `block` steps it first runs the bare update.

    The seconds of each block go to `seconds`: the loop's, the bare update's. The first block
    compiles and does not count.
    """

    def wrapped(config: Any, source: Any, algorithm: Any, start: int) -> tuple[Any, Feeds]:
        resident, feeds = make_feeds(config, source, algorithm, start)
        bare, calls = BareUpdate(algorithm, resident), block // config.steps_per_call

        def held() -> Feeds:
            resumed = None
            for step, feed in feeds:
                if (step - config.steps_per_call) % block == block // 2:
                    loop = time.perf_counter() - resumed if resumed else None
                    bare_seconds = bare.run(feed, calls)
                    if loop is not None:
                        seconds.append((loop, bare_seconds))
                    resumed = time.perf_counter()
                yield step, feed

        return resident, held()

    return wrapped


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=int, help="steps of a block [checkpoint_every]")
    arguments = parser.parse_args()
    cache_compiled_programs()
    config = mnist_mlp.get_config()
    block = arguments.block or config.checkpoint_every
    for name in ("sample_every", "checkpoint_every"):
        config[name] = min(config[name], block)
    config.total_steps = block * (arguments.rounds + 1)
    seconds: list[tuple[float, float]] = []
    feeds = alternating(train._feeds, block, seconds)
    with tempfile.TemporaryDirectory() as workdir, mock.patch.object(train, "_feeds", feeds):
        train.train(config, workdir)
    print("| loop, steps/s | bare update, steps/s | ratio |\n|---|---|---|")
    for loop, bare in seconds:
        print(f"| {block / loop:.1f} | {block / bare:.1f} | {bare / loop:.3f} |")
    print(f"median ratio {statistics.median(bare / loop for loop, bare in seconds):.3f}")


if __name__ == "__main__":
    main()
