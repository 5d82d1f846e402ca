"""Metrics on large features beside the functions of other packages: time and peak memory.

python tests/benchmarks/metrics.py [--number=10000] [--dimensions=2048] [--rounds=3]

Reals and fakes are correlated normal features in float64, the precision that `tests/metrics` shows
agreement in. Everyone's function runs in a process of its own, all in turn: A B C A B C. Those
whose package is not installed are left out. Times are of the first call in a process, compilation
included, and of the one after it; memory is the peak of the resident set during the calls, beyond
what the process had with features and packages loaded. Ratios are the median of those within a
round. prdc computes precision, recall, density and coverage in one function, and so does its row of
this project.
"""

import argparse
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))


def frechet_of_ours(real, fake):
    from gan_jax import metrics

    return metrics.frechet_distance(real, fake)


def frechet_of_pytorch_fid(real, fake):
    from pytorch_fid.fid_score import calculate_frechet_distance

    moments = [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in (real, fake)]
    (mean, covariance), (other_mean, other_covariance) = moments
    return calculate_frechet_distance(mean, covariance, other_mean, other_covariance)


def frechet_of_clean_fid(real, fake):
    from cleanfid.fid import fid_from_feats

    return fid_from_feats(real, fake)


def frechet_of_torch_fidelity(real, fake):
    import torch
    from torch_fidelity import metric_fid

    both = [metric_fid.fid_features_to_statistics(torch.from_numpy(x)) for x in (real, fake)]
    found = metric_fid.fid_statistics_to_metric(*both, verbose=False)
    return found["frechet_inception_distance"]


def precision_recall_of_ours(real, fake):
    from gan_jax import metrics

    return list(metrics.precision_recall(real, fake, k=3))


def precision_recall_of_torch_fidelity(real, fake):
    import torch
    from torch_fidelity import metric_prc

    # Its first input is the fakes.
    found = metric_prc.prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), verbose=False
    )
    return [found["precision"], found["recall"]]


def all_four_of_ours(real, fake):
    from gan_jax import metrics

    return list(metrics.precision_to_coverage(real, fake, 5, 5))


def all_four_of_prdc(real, fake):
    from prdc import compute_prdc

    found = compute_prdc(real, fake, nearest_k=5)
    return [float(found[name]) for name in ("precision", "recall", "density", "coverage")]


# What is computed; by whom, this project first; the package.
CASES = {
    "Frechet distance": {
        "gan_jax": (frechet_of_ours, "gan_jax"),
        "pytorch-fid": (frechet_of_pytorch_fid, "pytorch_fid"),
        "clean-fid": (frechet_of_clean_fid, "cleanfid"),
        "torch-fidelity": (frechet_of_torch_fidelity, "torch_fidelity"),
    },
    "precision and recall": {
        "gan_jax": (precision_recall_of_ours, "gan_jax"),
        "torch-fidelity": (precision_recall_of_torch_fidelity, "torch_fidelity"),
    },
    "precision to coverage": {
        "gan_jax": (all_four_of_ours, "gan_jax"),
        "prdc": (all_four_of_prdc, "prdc"),
    },
}


def features(number, dimensions):
    """Correlated reals, and fakes that are a little off."""
    generator = np.random.Generator(np.random.PCG64(0))
    mix = generator.standard_normal((dimensions, dimensions)) / dimensions**0.5
    mix *= np.geomspace(1, 0.1, dimensions)
    real, fake = (generator.standard_normal((number, dimensions)) @ mix for _ in range(2))
    return real, fake * 1.02 + 0.01


def resident(field):
    """MiB, a field of /proc/self/status."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure(case, who, number, dimensions):
    """Prints what one function gives, how long it takes and what memory, as a line of JSON."""
    function, package = CASES[case][who]
    importlib.import_module(package)
    real, fake = features(number, dimensions)
    small = features(64, 16)
    function(*small)  # loads what it imports late
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before, times = resident("VmRSS:"), []
    for _ in range(2):
        start = time.perf_counter()
        found = function(real, fake)
        times.append(time.perf_counter() - start)
    memory = resident("VmHWM:") - before
    print(json.dumps({"found": found, "first": times[0], "next": times[1], "memory": memory}))


def ask(case, who, number, dimensions):
    """What `measure` prints in a process of its own."""
    command = [sys.executable, __file__, f"--case={case}", f"--who={who}"]
    command += [f"--number={number}", f"--dimensions={dimensions}"]
    # No compiled program from before: the first call pays for its own.
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(number, dimensions, rounds):
    print("| | | first call, s | next call, s (gan_jax faster by) | peak memory, MiB (of it) |")
    print("|---|---|---|---|---|")
    for case, everyone in CASES.items():
        installed = [who for who, (_, name) in everyone.items() if importlib.util.find_spec(name)]
        runs = {who: [] for who in installed}
        for _ in range(rounds):
            for who in installed:
                runs[who].append(ask(case, who, number, dimensions))
        for who in installed:
            print(f"| {case} | {row(who, runs[who], runs['gan_jax'])} |", flush=True)
        for who in installed[1:]:
            np.testing.assert_allclose(runs[who][0]["found"], runs["gan_jax"][0]["found"], 1e-6)


def row(who, runs, ours):
    """Medians of a function's rounds, and the median of the ratios to this project's."""

    def median(name):
        return statistics.median(run[name] for run in runs)

    def ratio(name):
        return statistics.median(a[name] / b[name] for a, b in zip(runs, ours, strict=True))

    faster, less = ratio("next"), 1 / ratio("memory")
    return (
        f"{who} | {median('first'):.1f} | {median('next'):.1f} ({faster:.2f}) "
        f"| {median('memory'):,.0f} ({less:.2f})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=2_048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--who")
    arguments = parser.parse_args()
    if arguments.case:
        measure(arguments.case, arguments.who, arguments.number, arguments.dimensions)
    else:
        main(arguments.number, arguments.dimensions, arguments.rounds)
