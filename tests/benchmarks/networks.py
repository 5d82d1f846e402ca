"""Convolutional networks side by side with PyTorch: layers and training steps, ratios and medians.

    python tests/benchmarks/networks.py steps
    python tests/benchmarks/networks.py layers

PyTorch may live in another environment: `--torch-python=PATH`. Each side is a process of its own;
name by name all are timed in turn, `--rounds` times; PyTorch in both memory layouts, of which the
better counts, and with `--compile` its steps through `torch.compile` too. Ratios are PyTorch's time
over gan_jax's within a round, and their median is the figure. Prints a Markdown table and writes
`networks_steps.json` or `networks_layers.json` into `--output`. Names after `steps` or `layers`
choose some. What a side cannot do is told and left out.

    python tests/benchmarks/networks.py steps --gpu --compile

takes sizes that fill a GPU, and steps in float32, with TF32 on both sides, and in bfloat16. Five
runs are started before one is waited for there, and everywhere of layers, which in a program stand
beside others: starting one alone on a CPU, and waiting for it, takes half a millisecond more. They
run one after another all the same.

Steps have the same networks (parameter counts are compared), losses, penalties and batch. A layer
is timed forward, for its two gradients, and for the kernel's gradient of a penalty on the input's.
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from mlp_job import hardware
from network_jobs import GPU_LAYERS, GPU_STEPS, LAYERS, PRODUCTS, STEPS

HERE = pathlib.Path(__file__).parent
Rounds = list[dict[str, dict[str, float]]]  # milliseconds by side and product


class Side:
    """A process that answers orders; see `network_jobs.serve`.

    Attributes:
      name: as the figures have it.
      about: versions and the like.
      failed: the names that it cannot do, and why.
    """

    def __init__(self, name: str, *command: str):
        self.name = name
        self.failed: dict[str, str] = {}
        self._process = subprocess.Popen(
            command,
            # JAX would take most of a GPU's memory, and leave too little to the others.
            env=os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
        )
        self.about = self.answer("start")

    def order(self, **order: Any) -> None:
        """Sends an order."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            print(json.dumps(order), file=self._process.stdin, flush=True)

    def answer(self, name: str) -> dict[str, Any] | None:
        """The next answer, about `name`; None where it failed."""
        assert self._process.stdout is not None
        found: dict[str, Any] = {"error": "the process has ended"}
        for line in self._process.stdout:
            if line.startswith("{"):  # and not what a library prints
                found = json.loads(line)
                break
        if "error" not in found:
            return found
        self.failed[name] = found["error"]
        print(f"{self.name}: {name}: {found['error']}", file=sys.stderr, flush=True)
        return None


def main() -> None:
    """Measures, prints a table, writes JSON."""
    arguments = _arguments()
    steps, gpu = arguments.what == "steps", arguments.gpu
    known: Mapping[str, Any] = (GPU_STEPS if gpu else STEPS) if steps else LAYERS
    if gpu and not steps:
        known = GPU_LAYERS
    jobs = {name: known[name] for name in arguments.names or known}
    sides = _sides(arguments, compiled=steps and arguments.compile)
    about = {"hardware": hardware()} | {side.name: side.about for side in sides}
    calls = 1 if steps and not gpu else 5
    limits = {"calls": calls, "seconds": (1 if gpu else 10) * (1 if steps else 0.1)}
    path = pathlib.Path(arguments.output) / f"networks_{arguments.what}.json"
    path.parent.mkdir(parents=True, exist_ok=True)  # before it has measured for hours
    found: dict[str, Rounds] = {}
    for name, job in jobs.items():
        _prepare(sides, arguments.what, name, job)
        found[name] = [_round(sides, name, limits) for _ in range(arguments.rounds)]
        failed = {side.name: side.failed for side in sides}
        path.write_text(json.dumps({"about": about, "rounds": found, "failed": failed}, indent=1))
    table = _steps(found, jobs) if steps else _layers(found, jobs)
    print(f"\n{json.dumps(about)}\n\n{table}\n\nwritten to {path}")


def _sides(arguments: argparse.Namespace, *, compiled: bool) -> list[Side]:
    sides = [Side("gan_jax", sys.executable, "networks_jax.py")]
    for kind, layout in itertools.product(("eager", "compiled")[: 1 + compiled], (False, True)):
        flags = ["--compile"] * (kind == "compiled") + ["--channels_last"] * layout
        name = kind + ", channels last" * layout
        sides.append(Side(name, arguments.torch_python, "networks_torch.py", *flags))
    return sides


def _prepare(sides: list[Side], what: str, name: str, job: Any) -> None:
    """Compiles a job on all sides at once, which nothing is timed during."""
    for side in sides:
        side.order(what=what, name=name, job=job)
    answers = [answer for side in sides if (answer := side.answer(name))]
    if len({str(answer["parameters"]) for answer in answers}) > 1:
        sys.exit(f"{name}: not the same networks: {answers}")


def _round(sides: list[Side], name: str, limits: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    times: dict[str, dict[str, float]] = {}
    for side in sides:
        if name in side.failed:
            continue
        side.order(name=name, **limits)
        answer = side.answer(name)
        if answer:
            times[side.name] = answer
            found = ", ".join(f"{product} {ms:.2f}" for product, ms in answer.items())
            print(f"{side.name:24s} {name:40s} {found} ms", file=sys.stderr, flush=True)
    return times


def _medians(rounds: Rounds, product: str, kind: str) -> tuple[float, float] | None:
    """A kind's milliseconds, and how many times faster gan_jax is; None where a side failed."""
    found = []
    for times in rounds:
        theirs = [each[product] for side, each in times.items() if side.startswith(kind)]
        if not theirs or "gan_jax" not in times:
            return None
        found.append((min(theirs), min(theirs) / times["gan_jax"][product]))
    return statistics.median(ms for ms, _ in found), statistics.median(ratio for _, ratio in found)


def _steps(found: Mapping[str, Rounds], jobs: Mapping[str, Any]) -> str:
    sides = {side for rounds in found.values() for times in rounds for side in times}
    kinds = [
        kind for kind in ("eager", "compiled") if kind in {side.split(",")[0] for side in sides}
    ]
    heads = [f"PyTorch {kind}, ms (gan_jax is faster by)" for kind in kinds]
    lines = [f"| a training step | gan_jax, ms | {' | '.join(heads)} |"]
    lines.append("|---" * (2 + len(kinds)) + "|")
    for name, job in jobs.items():
        ours = _medians(found[name], "step", "gan_jax")
        cells = [f"{ours[0]:.1f}" if ours else "failed"]
        for kind in kinds:
            theirs = _medians(found[name], "step", kind)
            cells.append(f"{theirs[0]:.1f} ({theirs[1]:.2f})" if theirs else "failed")
        size = f"{job.size} x {job.size} x {job.channels}, batch {job.batch}"
        lines.append(f"| {name}, {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _layers(found: Mapping[str, Rounds], jobs: Mapping[str, Any]) -> str:
    lines = [f"| GFLOP/s (gan_jax is faster by) | {' | '.join(PRODUCTS)} |"]
    lines.append("|---" * (len(PRODUCTS) + 1) + "|")
    for name, job in jobs.items():
        cells = []
        for product in PRODUCTS:
            ours = _medians(found[name], product, "gan_jax")
            theirs = _medians(found[name], product, "eager")
            if not ours or not theirs:
                cells.append("failed")
                continue
            rate = f"{1e3 * job.gflop / ours[0]:.0f} " if product != PRODUCTS[-1] else ""
            cells.append(f"{rate}({theirs[1]:.2f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("steps", "layers"))
    parser.add_argument("names", nargs="*", help="some of them")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    parser.add_argument("--gpu", action="store_true", help="sizes that fill a GPU")
    parser.add_argument("--output", default=".")
    return parser.parse_args()


if __name__ == "__main__":
    main()
