"""What the training loop costs: its steps/s against the bare compiled update's, in one process.

    python tests/benchmarks/loop_ratio.py

The real loop trains the default config in a temporary folder, with its logs, samples and
checkpoints. Once every checkpoint interval it is held, and the same compiled update, called in a
loop by itself on one feed, does as many steps. The loop is held in the middle between two
checkpoints, so that the background part of a save falls into the loop's own time. Prints the
steps/s of both, block by block, and the median ratio.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import jax
from etils import epath

# A script finds the packages beside itself only; this measures the checkout that it lies in.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from configs import mnist_mlp
from gan_jax import experiment, train
from gan_jax.runtime import parallel
from gan_jax.runtime.cache import cache_compiled_programs

Feeds = Iterator[tuple[int, Any]]


class BareUpdate:
    """The compiled update of a run, called in a loop by itself, on a state of its own."""

    def __init__(self, run: train._Run):
        self._call, self._resident = run._call, run._resident
        state = jax.jit(run._algorithm.init)(jax.random.key(1))
        self._state = parallel.replicate(state)

    def time(self, feed: Any, calls: int) -> float:
        """Returns the seconds that `calls` calls take."""
        start = time.perf_counter()
        for _ in range(calls):
            self._state, _ = self._call(self._state, self._resident, feed)
        jax.block_until_ready(self._state)
        return time.perf_counter() - start


def alternating(
    run: train._Run, feeds: Feeds, block: int, seconds: list[tuple[float, float]]
) -> Feeds:
    """Yields the run's feeds; in the middle of every `block` steps runs the bare update as long.

    `seconds` gets the time of each block: the loop's, the bare update's. The loop's part up to the
    first hold compiles and does not count.
    """
    bare, per_call, resumed = BareUpdate(run), run._config.steps_per_call, None
    for step, feed in feeds:
        if (step - per_call) % block == block // 2:
            run._settle()  # the calls in flight are the loop's
            if resumed is not None:
                seconds.append((time.perf_counter() - resumed, bare.time(feed, block // per_call)))
            resumed = time.perf_counter()
        yield step, feed


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--block", type=int, help="steps of a block [the checkpoint interval]")
    arguments = parser.parse_args()
    cache_compiled_programs()
    config = mnist_mlp.get_config()
    block = arguments.block or max(config.checkpoint_every, config.sample_every)
    config.checkpoint_every = min(config.checkpoint_every, block)
    config.sample_every = min(config.sample_every, block)
    config.total_steps = block * (arguments.rounds + 1)

    source = experiment.load_data(config)
    facts = experiment.DataFacts.of(source, config)
    seconds: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as workdir, ExitStack() as resources:
        run = train._Run(config, epath.Path(workdir), source, facts, resources)
        run._feeds = alternating(run, run._feeds, block, seconds)
        run.loop(threading.Event())

    print("| loop, steps/s | bare update, steps/s | ratio |\n|---|---|---|")
    for loop, bare in seconds:
        print(f"| {block / loop:.1f} | {block / bare:.1f} | {bare / loop:.3f} |")
    print(f"median ratio {statistics.median(bare / loop for loop, bare in seconds):.3f}")


if __name__ == "__main__":
    main()
