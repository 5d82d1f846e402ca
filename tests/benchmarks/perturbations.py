"""How each metric moves when real digits are spoilt: a table in Markdown.

python tests/benchmarks/perturbations.py [--draws=5]

"Fakes" are 500 of the 1,000 held-out digits of `mnist_5k`, spoilt in one way a row, and looked at
through the classifier that `--mode=evaluate` uses, beside the 4,000 training digits. Figures are
means over draws of those 500, in the first row with their deviation. Precision to coverage are of
as many reals as fakes.
"""

import argparse
import pathlib
import sys

import jax
import numpy as np
from scipy import ndimage

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from gan_jax import extraction  # noqa: E402
from gan_jax.data.sources import load  # noqa: E402
from gan_jax.metrics.comparison import Compared, compare, mean_and_deviation  # noqa: E402
from gan_jax.metrics.frechet import Gaussian  # noqa: E402

NUMBER = 500
# Names of figures, what the table calls them, factors, decimals.
COLUMNS = (
    ("fd_classifier", "`fd`", 1, 1),
    ("intra_fd_classifier", "intra `fd`", 1, 1),
    ("kd_classifier", "`kd`, 10^-3", 1_000, 1),
    ("precision", "precision, %", 100, 1),
    ("recall", "recall, %", 100, 1),
    ("density", "density", 1, 2),
    ("coverage", "coverage, %", 100, 1),
    ("is_classifier", "`is`", 1, 2),
    ("modes_kl", "KL, nats", 1, 2),
    ("accuracy", "asked, %", 100, 1),
    ("nearer", "nearer, %", 100, 1),
)


def noisy(deviation):
    def spoil(images, labels, generator):
        noise = deviation * 255 * generator.standard_normal(images.shape)
        return np.uint8(np.rint((images + noise).clip(0, 255))), labels

    return spoil


def blurred(sigma):
    def spoil(images, labels, generator):
        del generator
        blurry = ndimage.gaussian_filter(np.float64(images), (0, sigma, sigma, 0))
        return np.uint8(np.rint(blurry)), labels

    return spoil


def of_classes(count):
    """The first so many classes alone."""

    def spoil(images, labels, generator):
        del generator
        return images[labels < count], labels[labels < count]

    return spoil


def fewer(number):
    def spoil(images, labels, generator):
        del generator
        return images[:number], labels[:number]

    return spoil


def mislabelled(share):
    """As many are asked for the next class."""

    def spoil(images, labels, generator):
        wrong = generator.random(len(labels)) < share
        return images, np.where(wrong, (labels + 1) % 10, labels)

    return spoil


def alike(distinct):
    """So many images, again and again."""

    def spoil(images, labels, generator):
        rows = generator.integers(distinct, size=len(images))
        return images[rows], labels[rows]

    return spoil


def copied(images, labels, generator):
    """Training digits in their place."""
    del images, labels
    train = load("mnist_5k")
    rows = generator.permutation(len(train))[:NUMBER]
    return train.images[rows], train.labels[rows]


def untouched(images, labels, generator):
    del generator
    return images, labels


ROWS = {
    "untouched: the floor": untouched,
    "100 samples": fewer(100),
    "250 samples": fewer(250),
    "noise, deviation 0.1": noisy(0.1),
    "noise, 0.2": noisy(0.2),
    "noise, 0.4": noisy(0.4),
    "blur, 0.5 pixels": blurred(0.5),
    "blur, 1 pixel": blurred(1.0),
    "blur, 2 pixels": blurred(2.0),
    "9 classes": of_classes(9),
    "7 classes": of_classes(7),
    "5 classes": of_classes(5),
    "50 distinct": alike(50),
    "30 % asked wrongly": mislabelled(0.3),
    "training digits": copied,
}


def table(draws):
    train, test = load("mnist_5k"), load("mnist_5k", "test")
    extractor = extraction.build_extractor("classifier", train)
    reals, held_out = (extraction.of_reals(extractor, source) for source in (train, test))
    gaussian, extract = Gaussian.of(reals.features), jax.jit(extractor.extract)

    def figures(spoil, draw):
        generator = np.random.Generator(np.random.PCG64(draw))
        order = generator.permutation(len(test))
        images, asked = spoil(test.images[order], test.labels[order], generator)
        images, asked = images[:NUMBER], asked[:NUMBER]
        # One program for all: those that are not there are the last one again.
        rows = np.minimum(np.arange(NUMBER), len(images) - 1)
        seen = extract(extractor.weights, images[rows])
        fake = jax.tree.map(lambda x: np.asarray(x)[: len(images)], seen)
        return compare(Compared(extractor, reals, held_out, fake, asked, gaussian, train.labels))

    yield f"| | {' | '.join(title for _, title, *_ in COLUMNS)} |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for name, spoil in ROWS.items():
        means, deviations = mean_and_deviation([figures(spoil, draw) for draw in range(draws)])
        spread = deviations if spoil is untouched else {}
        cells = (cell(means[key], spread.get(key), *form) for key, _, *form in COLUMNS)
        yield f"| {name} | {' | '.join(cells)} |"


def cell(mean, deviation, factor, digits):
    if np.isnan(mean):  # within a class of which there is none
        return ""
    text = f"{mean * factor:.{digits}f}"
    return text if deviation is None else f"{text} ± {deviation * factor:.{digits}f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5)
    for line in table(parser.parse_args().draws):
        print(line, flush=True)
