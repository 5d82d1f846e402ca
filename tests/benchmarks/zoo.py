"""The classical GANs of configs/ on the digits, three seeds each: a table in Markdown.

python tests/benchmarks/zoo.py [CONFIG ...] [--steps=5000] [--seeds=3] [--runs=runs/zoo]

Every config is trained by `launch.py` for as many updates of the generator, of the same batch; a
run that is finished is not trained again, one that was stopped goes on. Those with `d_steps` = 5
show their discriminator five times as many images. Then `--mode=evaluate` looks at 1,000 samples of
the averaged generator, as many as there are held-out digits, through a classifier of the digits.

Columns are mean and deviation over the seeds: the Frechet and the kernel distance (the latter times
1,000) to the training digits, precision, recall, the digits found of ten, the KL of their shares to
equal ones in nats, and the share of samples that show the digit asked for, of conditional ones. The
first row, the floor, is the held-out digits themselves. `zoo.png` in the folder of the runs shows
twenty samples of each config's first seed, a row each in the order of the others.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from gan_jax.runtime.grid import image_grid  # noqa: E402

SAMPLES = 1_000
CONFIGS = (
    *("mnist_mlp_article", "gan", "lsgan", "wgan", "wgan_gp", "dragan", "sngan", "ragan"),
    *("mnist_mlp", "r3gan_mlp"),
    *("cgan", "projection_gan", "acgan", "adcgan", "mhgan", "contragan", "reacgan"),
)
# Names in evaluation.jsonl, in the table, and what the figures are multiplied with.
COLUMNS = (
    ("fd_classifier", "`fd_classifier`", 1),
    ("kd_classifier", "`kd_classifier`, 10^-3", 1_000),
    ("precision", "precision, %", 100),
    ("recall", "recall, %", 100),
    ("modes", "modes", 1),
    ("modes_kl", "KL, nats", 1),
    ("accuracy", "asked, %", 100),
)


def evaluated(config, seed, steps, runs):
    """The figures and the floor of a run, which is trained if it is not there."""
    workdir = runs / f"{config}-{steps}-{seed}"
    flags = [f"--config={ROOT / 'configs' / config}.py", f"--workdir={workdir}"]
    # Refuses a run that was made by another config.
    launch(*flags, f"--config.seed={seed}", f"--config.total_steps={steps}")
    launch("--mode=evaluate", flags[1], f"--num_samples={SAMPLES}", "--extractor=classifier")
    lines = (workdir / "evaluation.jsonl").read_text().splitlines()
    line = json.loads(lines[-1])
    return line["metrics"], line["floor"]


def drawn(config, steps, runs):
    """Twenty samples of a config's first seed."""
    workdir = runs / f"{config}-{steps}-0"
    output = workdir / "samples.npz"
    if not output.exists():
        launch("--mode=sample", f"--workdir={workdir}", "--num_samples=20", f"--output={output}")
    return np.load(output)["images"][:20]


def launch(*arguments):
    subprocess.run([sys.executable, str(ROOT / "launch.py"), *arguments], check=True)


def row(name, figures):
    """A line of the table: mean and deviation of each column over the seeds."""
    return f"| {name} | {' | '.join(cell(figures, *column) for column in COLUMNS)} |"


def cell(figures, name, _, factor):
    values = np.array([each[name] for each in figures if name in each]) * factor
    if not len(values):
        return ""
    digits = 2 if name in ("fd_classifier", "kd_classifier", "modes_kl") else 1
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.{digits}f}"


def main(configs, steps, seeds, runs):
    header = " | ".join(title for _, title, _ in COLUMNS)
    rows = [f"| {steps:,} updates, {seeds} seeds | {header} |"]
    rows.append("|---" * (len(COLUMNS) + 1) + "|")
    shown = []
    for config in configs:
        figures, floors = zip(
            *(evaluated(config, seed, steps, runs) for seed in range(seeds)), strict=True
        )
        if len(rows) == 2:
            rows.append(row("held-out digits", floors[:1]))
        rows.append(row(f"`{config}`", figures))
        print("\n".join(rows), flush=True)
        shown.extend(drawn(config, steps, runs))
    picture = image_grid(np.float32(shown) / 127.5 - 1, columns=20)[..., 0]
    Image.fromarray(picture).save(runs / "zoo.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="*", default=CONFIGS)
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/zoo"))
    arguments = parser.parse_args()
    main(arguments.configs, arguments.steps, arguments.seeds, arguments.runs)
