"""The classical GANs of configs/ on the digits, three seeds each: a table in Markdown.

python tests/benchmarks/zoo.py [CONFIG ...] [--steps=5000] [--seeds=3] [--runs=runs/zoo]

Every config is trained by `launch.py` for as many updates of the generator, of the same batch; a
run that is finished is not trained again, one that was stopped goes on. Those with `d_steps` = 5
show their discriminator five times as many images. Of each run 1,000 samples of the averaged
generator are looked at, as many as there are held-out digits. Columns, mean and deviation over the
seeds:

- `fd_pixels`: Frechet distance to the 4,000 training digits, in pixels of [0, 1], 784 dimensions;
- nearest: the mean distance to the nearest training digit, in the same units: noise lies far from
  all of them, copies at 0;
- rarest and commonest class: the share of samples whose nearest training digit is of it;
- asked: the share of samples that show the class asked for, by the same vote; conditional ones.

The first row is the held-out digits themselves. `zoo.png` in the folder of the runs shows twenty
samples of each config's first seed, a row each in the order of the others.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from gan_jax.data.sources import load  # noqa: E402
from gan_jax.metrics import Gaussian  # noqa: E402
from gan_jax.runtime.grid import image_grid  # noqa: E402

SAMPLES = 1_000
CONFIGS = (
    *("mnist_mlp_article", "gan", "lsgan", "wgan", "wgan_gp", "dragan", "sngan", "ragan"),
    *("mnist_mlp", "r3gan_mlp"),
    *("cgan", "projection_gan", "acgan", "adcgan", "mhgan", "contragan", "reacgan"),
)
COLUMNS = ("fd_pixels", "nearest", "rarest class, %", "commonest class, %", "asked, %")


def drawn(config, seed, steps, runs):
    """The samples of a run, which is trained if it is not there; (images, labels or None)."""
    workdir = runs / f"{config}-{steps}-{seed}"
    flags = [f"--config={ROOT / 'configs' / config}.py", f"--workdir={workdir}"]
    # Refuses a run that was made by another config.
    launch(*flags, f"--config.seed={seed}", f"--config.total_steps={steps}")
    output = workdir / "samples.npz"
    if not output.exists():
        launch("--mode=sample", flags[1], f"--num_samples={SAMPLES}", f"--output={output}")
    arrays = np.load(output)
    return arrays["images"], arrays.get("labels")


def launch(*arguments):
    subprocess.run([sys.executable, str(ROOT / "launch.py"), *arguments], check=True)


def flat(images):
    return images.reshape(len(images), -1).astype(np.float32) / 255


class Figures:
    """What is measured of samples, against the training digits."""

    def __init__(self, real):
        self.images, self.labels = flat(real.images), real.labels
        self.gaussian = Gaussian.of(self.images)

    def nearest(self, images):
        squares = (images**2).sum(1)[:, None] - 2 * images @ self.images.T
        squares += (self.images**2).sum(1)
        return np.sqrt(squares.min(1).clip(min=0)), self.labels[squares.argmin(1)]

    def of(self, images, labels):
        """One number a column; NaN where there is nothing to tell."""
        images = flat(images)
        distances, found = self.nearest(images)
        shares = np.bincount(found, minlength=10) / len(found)
        return (
            self.gaussian.distance(Gaussian.of(images)),
            distances.mean(),
            100 * shares.min(),
            100 * shares.max(),
            np.nan if labels is None else 100 * (found == labels).mean(),
        )


def row(name, values):
    """A line of the table: mean and deviation of each column over the seeds."""
    return f"| {name} | {' | '.join(map(cell, np.transpose(values)))} |"


def cell(values):
    if np.isnan(values).all():
        return ""
    mean = f"{values.mean():.1f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.1f}"


def main(configs, steps, seeds, runs):
    figures, test = Figures(load("mnist_5k")), load("mnist_5k", "test")
    rows = [f"| {steps:,} updates, {seeds} seeds | {' | '.join(COLUMNS)} |"]
    rows.append("|---" * (len(COLUMNS) + 1) + "|")
    rows.append(row("held-out digits", [figures.of(test.images, test.labels)]))
    shown = []
    for config in configs:
        samples = [drawn(config, seed, steps, runs) for seed in range(seeds)]
        rows.append(row(f"`{config}`", [figures.of(*each) for each in samples]))
        print("\n".join(rows), flush=True)
        shown.extend(samples[0][0][:20])
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
