"""The MLP job side by side: gan_jax, PyTorch, Keras, TensorFlow; same networks, losses, batch.

    python tests/benchmarks/mlp_job.py

measures every peer whose package is installed, in a process of its own, in turn: A B C A B C.
Ratios are taken within a round, and their median is the figure to quote. It prints a Markdown table
and writes `mlp_job.json`. Peers may live in other environments, and a shorter run tells the
direction:

    python tests/benchmarks/mlp_job.py --torch-python=PATH --keras-python=PATH --rounds=3

    python tests/benchmarks/mlp_job.py --check

measures nothing, but gives all peers the same weights, data and noise and compares the losses and
the weights after a few steps. Keras' `train_on_batch` loop is not the same mathematics (two half
steps of the discriminator) and not in it.

"PyTorch, eager" is the step as PyTorch's own DCGAN tutorial and most GAN repositories write it;
"PyTorch, eager, tuned" is the same step as a careful user writes it: see torch_phases.py. The two
Keras loops differ in how they draw fakes: see peer_keras.py.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import job
import numpy as np

HERE = pathlib.Path(__file__).parent
LIMITS = {"sgd": 2e-3, "adam": 5e-2}
"""By how much of its movement a network may differ. Rounding alone gives 2e-6 with SGD; where it
flips a unit's sign, up to 1e-3. Adam turns the rounding of a gradient near 0 into a whole step."""


class Peer(NamedTuple):
    """One way to run the job."""

    name: str
    script: str
    python: str
    flags: tuple[str, ...] = ()
    recipes: tuple[str, ...] = tuple(job.RECIPES)


class Missing(Exception):  # noqa: N818 - not an error: the peer is listed as not installed
    """The peer's package is not installed."""


class Worker:
    """A peer's process, waiting for orders; see `job.serve`.

    Attributes:
      first_step: seconds from the start of the process to the end of its first call.
      versions: of the packages that count.
    """

    def __init__(self, peer: Peer, recipe: str, environment: Mapping[str, str]):
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `close`
        start = time.perf_counter()
        self._process = subprocess.Popen(
            _command(peer, recipe),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        answer = self._answer()
        self.first_step = time.perf_counter() - start
        if "missing" in answer:
            self.close()
            raise Missing(answer["missing"])
        self.versions: dict[str, str] = answer["versions"]

    def run(self, steps: int) -> float:
        """Returns the seconds that `steps` steps take."""
        assert self._process.stdin
        print(steps, file=self._process.stdin, flush=True)
        return self._answer()["seconds"]

    def peak_mib(self) -> float:
        """Ends the process; returns its peak memory."""
        assert self._process.stdin
        self._process.stdin.close()
        return self._answer()["peak_mib"]

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()
        self._process.wait()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self._log.seek(0)
        sys.exit(f"{' '.join(self._process.args)} ended:\n{self._log.read()[-4000:]}")


def main() -> None:
    """Measures, or checks."""
    arguments = _arguments()
    peers = _peers(arguments)
    if arguments.check:
        sys.exit(0 if check(peers) else 1)
    report = {"hardware": hardware(), "arguments": vars(arguments), "recipes": {}}
    for recipe in arguments.recipes:
        report["recipes"][recipe] = measure(peers, recipe, arguments)
        print(markdown(recipe, report), flush=True)
    pathlib.Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torch-python", default=sys.executable, metavar="PATH")
    parser.add_argument("--keras-python", default=sys.executable, metavar="PATH")
    parser.add_argument("--recipes", nargs="+", choices=job.RECIPES, default=list(job.RECIPES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=200, help="of each peer in each round")
    parser.add_argument("--starts", type=int, default=3, help="of gan_jax, cold and warm")
    parser.add_argument("--steps-per-call", type=int, default=10, help="of gan_jax")
    parser.add_argument("--json", default="mlp_job.json", metavar="FILE")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def _peers(arguments: argparse.Namespace) -> list[Peer]:
    torch, keras = arguments.torch_python, arguments.keras_python
    per_call = f"--steps_per_call={arguments.steps_per_call}"
    return [
        Peer("gan_jax", "peer_gan_jax.py", sys.executable, (per_call,)),
        Peer("PyTorch, eager", "peer_torch.py", torch, ("--tutorial",)),
        Peer("PyTorch, eager, tuned", "peer_torch.py", torch),
        Peer("Keras, train_on_batch", "peer_keras.py", keras, ("--tutorial",), ("article",)),
        Peer("Keras, train_on_batch, tuned", "peer_keras.py", keras, recipes=("article",)),
        Peer("TensorFlow, tf.function", "peer_tf_function.py", keras),
        Peer("TensorFlow, tf.function + XLA", "peer_tf_function.py", keras, ("--xla",)),
    ]


def _command(peer: Peer, recipe: str, *flags: str) -> list[str]:
    return [peer.python, str(HERE / peer.script), f"--recipe={recipe}", *peer.flags, *flags]


@contextlib.contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """Yields an environment with the checkout on the path and an empty cache of programs."""
    with tempfile.TemporaryDirectory() as cache:
        paths = [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
        yield os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "JAX_COMPILATION_CACHE_DIR": cache,
        }


# ---- speed ---------------------------------------------------------------------------------------


def measure(peers: list[Peer], recipe: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns, for each peer by name, its figures, or `missing`."""
    results: dict[str, dict[str, Any]] = {}
    cold, warm = first_steps(peers[0], recipe, arguments.starts)
    with _environment() as environment, contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for peer in peers:
            if recipe not in peer.recipes:
                continue
            try:
                worker = Worker(peer, recipe, environment)
            except Missing as error:
                results[peer.name] = {"missing": str(error)}
                continue
            stack.callback(worker.close)
            workers[peer.name] = worker
            results[peer.name] = {"versions": worker.versions, "seconds": []}
            results[peer.name]["first_step"] = [worker.first_step]
            worker.run(arguments.steps)  # warms up
        for _ in range(arguments.rounds):
            for name, worker in workers.items():
                results[name]["seconds"].append(worker.run(arguments.steps))
        for name, worker in workers.items():
            results[name]["peak_mib"] = worker.peak_mib()
    results[peers[0].name] |= {"first_step": cold, "first_step_warm": warm}
    ours = results[peers[0].name]["seconds"]
    for result in results.values():
        if "seconds" in result:
            result["steps_per_second"] = [arguments.steps / s for s in result["seconds"]]
            result["ratio"] = [s / o for s, o in zip(result["seconds"], ours, strict=True)]
    return results


def first_steps(peer: Peer, recipe: str, starts: int) -> tuple[list[float], list[float]]:
    """Returns the seconds to the first step, with no compiled programs on disk, and with them."""
    cold, warm = [], []
    for _ in range(starts):
        with _environment() as environment:
            for seconds in (cold, warm):
                worker = Worker(peer, recipe, environment)
                seconds.append(worker.first_step)
                worker.close()
    return cold, warm


def hardware() -> dict[str, Any]:
    """Returns what the figures depend on."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return {"processor": processor, "cores": cores, "system": platform.platform()}


def markdown(recipe: str, report: Mapping[str, Any]) -> str:
    """Returns the table of a recipe."""
    results, machine = report["recipes"][recipe], report["hardware"]
    rounds, steps = report["arguments"]["rounds"], report["arguments"]["steps"]
    versions = {k: v for r in results.values() for k, v in r.get("versions", {}).items()}
    lines = [
        f"\n### Recipe: {recipe}\n",
        f"{machine['processor']}, {machine['cores']} cores; batch {job.BATCH}, float32; median "
        f"(lowest to highest) of {rounds} rounds of {steps} steps. "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + "\n",
        "| | steps/s | gan_jax is faster by (median ratio) | first step, s | peak memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for name, result in results.items():
        if "missing" in result:
            lines.append(f"| {name} | not installed ({result['missing']}) | | | |")
            continue
        first = f"{statistics.median(result['first_step']):.1f}"
        if "first_step_warm" in result:
            warm = statistics.median(result["first_step_warm"])
            first = f"{first}; {warm:.1f} with a warm cache"
        speed, ratio = _spread(result["steps_per_second"], 1), _spread(result["ratio"], 2)
        lines.append(f"| {name} | {speed} | {ratio} | {first} | {result['peak_mib']:.0f} |")
    return "\n".join(lines)


def _spread(values: list[float], digits: int) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"**{middle:.{digits}f}** ({low:.{digits}f} to {high:.{digits}f})"


# ---- sameness ------------------------------------------------------------------------------------


def check(peers: list[Peer]) -> bool:
    """Prints how far each peer is from gan_jax after a few steps; returns whether all are near."""
    near = True
    print("Differences from gan_jax: of the losses; of the weights, relative to how far they moved")
    for recipe in job.RECIPES:
        for optimizer, limit in LIMITS.items():
            for name, differences in _differences(peers, recipe, optimizer):
                passed = all(difference < limit for difference in differences.values())
                figures = ", ".join(f"{k} {v:.1e}" for k, v in differences.items())
                print(f"{'same ' if passed else 'OTHER'} {recipe}, {optimizer}, {name}: {figures}")
                near &= passed
    return near


def _differences(
    peers: list[Peer], recipe: str, optimizer: str
) -> Iterator[tuple[str, dict[str, float]]]:
    start = {
        "generator": _flat(job.first_weights(job.GENERATOR, 1)),
        "discriminator": _flat(job.first_weights(job.DISCRIMINATOR, 2)),
    }
    with _environment() as environment, tempfile.TemporaryDirectory() as folder:
        inputs, results = f"{folder}/inputs.npz", f"{folder}/results.npz"
        flags = [f"--optimizer={optimizer}", "--check", inputs, results]
        ours: dict[str, np.ndarray] = {}
        for peer in peers:  # gan_jax comes first and writes the inputs
            if peer.script == "peer_keras.py":
                continue
            command = _command(peer, recipe, *flags)
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if "missing" in done.stdout:
                print(f"not installed: {peer.name}")
                continue
            if done.returncode:
                sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
            with np.load(results) as file:
                theirs = dict(file)
            if not ours:
                ours, moved = theirs, {k: np.linalg.norm(theirs[k] - start[k]) for k in start}
                moved["average"] = moved["generator"]
                continue
            differences = {"losses": np.abs(theirs.pop("losses") - ours["losses"]).max()}
            for name, weights in theirs.items():
                differences[name] = np.linalg.norm(weights - ours[name]) / moved[name]
            yield peer.name, differences


def _flat(layers: job.Layers) -> np.ndarray:
    return np.concatenate([array.reshape(-1) for layer in layers for array in layer])


if __name__ == "__main__":
    main()
