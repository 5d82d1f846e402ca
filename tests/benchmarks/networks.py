"""Convolutional networks side by side with PyTorch: layers and training steps, ratios and medians.

    python tests/benchmarks/networks.py steps
    python tests/benchmarks/networks.py layers

PyTorch may live in another environment: `--torch-python=PATH`. Each side runs in a process of its
own, in turn, for `--rounds` rounds; PyTorch in both memory layouts, of which the better counts, and
on a GPU through `torch.compile` too. Ratios are PyTorch's time over gan_jax's within a round, and
their median is the figure. Prints a Markdown table and writes `networks_steps.json` or
`networks_layers.json` into `--output`. Names after `steps` or `layers` choose some.

Steps have the same networks (parameter counts are compared), losses, penalties and batch. A layer
is timed forward, for its two gradients, and for the kernel's gradient of a penalty on the input's.
"""

import argparse
import collections
import json
import pathlib
import statistics
import subprocess
import sys
from typing import Any

from mlp_job import hardware
from network_jobs import LAYERS, PRODUCTS, STEPS

HERE = pathlib.Path(__file__).parent
LAYOUTS = {"PyTorch": (), "PyTorch, channels last": ("--channels_last",)}


def main() -> None:
    """Measures, prints a table, writes JSON."""
    arguments = _arguments()
    rounds = [_round(arguments) for _ in range(arguments.rounds)]
    table = _steps(rounds) if arguments.what == "steps" else _layers(rounds)
    machine = hardware()
    print(f"\n{machine['cores']} cores of {machine['processor']}; {rounds[0]['about']}\n\n{table}")
    path = pathlib.Path(arguments.output) / f"networks_{arguments.what}.json"
    path.write_text(json.dumps({"hardware": machine, "rounds": rounds}, indent=1))
    print(f"\nwritten to {path}")


def _round(arguments: argparse.Namespace) -> dict[str, Any]:
    """The milliseconds of everything, by side and by name."""
    times: dict[str, dict[str, float]] = collections.defaultdict(dict)
    about: dict[str, Any] = {}
    parameters: dict[str, dict[str, Any]] = collections.defaultdict(dict)
    sides = {"gan_jax": (sys.executable, "networks_jax.py", ())}
    for side, flags in LAYOUTS.items():
        sides[side] = (arguments.torch_python, "networks_torch.py", flags)
        if arguments.compile:
            sides[f"{side}, compiled"] = (
                arguments.torch_python,
                "networks_torch.py",
                (*flags, "--compile"),
            )
    # Name by name, so that what is compared was measured within a minute.
    for name in arguments.names or (STEPS if arguments.what == "steps" else LAYERS):
        for side, (python, script, flags) in sides.items():
            command = [python, str(HERE / script), arguments.what, name, *flags]
            output = subprocess.run(command, capture_output=True, text=True, check=False)
            if output.returncode:
                sys.exit(f"{' '.join(command)} ended:\n{output.stderr[-2000:]}")
            for found in map(json.loads, output.stdout.splitlines()):
                if "ms" not in found:
                    about |= found
                    continue
                key = " / ".join(part for part in (name, found.get("product")) if part)
                times[side][key] = found["ms"]
                parameters[key][side] = found.get("parameters")
                print(f"{side:24s} {key:40s} {found['ms']:9.1f} ms", file=sys.stderr, flush=True)
    for key, counts in parameters.items():
        if len(set(map(str, counts.values()))) > 1:
            sys.exit(f"{key}: not the same networks: {counts}")
    return {"about": about, "times": times}


def _best(times: dict[str, dict[str, float]], key: str) -> float:
    return min(found[key] for side, found in times.items() if side != "gan_jax")


def _median(rounds: list[dict[str, Any]], key: str) -> tuple[float, float, float]:
    """gan_jax's and PyTorch's milliseconds, and how many times faster gan_jax is."""
    ours = [found["times"]["gan_jax"][key] for found in rounds]
    theirs = [_best(found["times"], key) for found in rounds]
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios)


def _steps(rounds: list[dict[str, Any]]) -> str:
    lines = ["| a training step | gan_jax, ms | PyTorch, ms | gan_jax is faster by |"]
    lines.append("|---|---|---|---|")
    for key in rounds[0]["times"]["gan_jax"]:
        ours, theirs, ratio = _median(rounds, key)
        job = STEPS[key]
        name = f"{key}, {job.size} x {job.size} x {job.channels}, batch {job.batch}"
        lines.append(f"| {name} | {ours:.0f} | {theirs:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


def _layers(rounds: list[dict[str, Any]]) -> str:
    lines = [f"| GFLOP/s (gan_jax is faster by) | {' | '.join(PRODUCTS)} |"]
    lines.append("|---" * (len(PRODUCTS) + 1) + "|")
    for name in dict.fromkeys(key.split(" / ")[0] for key in rounds[0]["times"]["gan_jax"]):
        cells = []
        for product in PRODUCTS:
            ours, _, ratio = _median(rounds, f"{name} / {product}")
            rate = f"{1e3 * LAYERS[name].gflop / ours:.0f} " if product != PRODUCTS[-1] else ""
            cells.append(f"{rate}({ratio:.2f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("steps", "layers"))
    parser.add_argument("names", nargs="*", help="some of them")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    parser.add_argument("--output", default=".")
    return parser.parse_args()


if __name__ == "__main__":
    main()
