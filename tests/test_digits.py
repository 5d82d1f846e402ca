"""What README shows of its grids, as bounds: half an hour on one core.

    python -m pytest -m slow tests/test_digits.py

A sample counts as the digit whose nearest training image it has, in pixels. Such a vote would call
noise ten digits too, so the distance to that image counts with it, against that of held-out digits.
"""

import numpy as np
import pytest
from runs import ROOT

from gan_jax.data.sources import load

pytestmark = pytest.mark.slow
SAMPLES = 2_000


def flat(images):
    return images.reshape(len(images), -1) / 255


def nearest(images, others):
    """The distance of each image to its nearest of `others`, and which that is."""
    a, b = flat(images), flat(others)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares.min(1), 0)), squares.argmin(1)


@pytest.fixture
def trained(launch, run, tmp_path):
    """Returns `trained(config, *flags)`: samples of it, drawn with these flags."""

    def train(config, *flags):
        arguments = [f"--config={ROOT / 'configs' / config}.py", f"--workdir={tmp_path / config}"]
        process = launch(*arguments)
        _, stderr = process.communicate(timeout=1800)
        assert process.returncode == 0, stderr
        output = tmp_path / f"{config}.npz"
        sample = ["--mode=sample", f"--num_samples={SAMPLES}", f"--output={output}"]
        assert run(*sample, arguments[1], *flags)[0] == 0
        return np.load(output)

    return train


def digits(samples):
    """The digit that each sample counts as, and its distance to the nearest training image."""
    real = load("mnist_5k")
    distances, which = nearest(samples["images"], real.images)
    return real.labels[which], distances


def shares_and_distance(samples):
    labels, distances = digits(samples)
    return np.bincount(labels, minlength=10) / SAMPLES, distances.mean()


def test_the_default_job_draws_all_ten_digits(trained):
    shares, distance = shares_and_distance(trained("mnist_mlp"))
    print(shares, distance)
    assert shares.min() > 0.05
    assert shares.max() < 0.2
    held_out = nearest(load("mnist_5k", "test").images, load("mnist_5k").images)[0].mean()
    assert abs(distance - held_out) < 0.1 * held_out


def test_the_articles_recipe_collapses(trained):
    shares, distance = shares_and_distance(trained("mnist_mlp_article"))
    print(shares, distance)
    assert shares.max() > 0.7


@pytest.mark.parametrize("config", ["cgan", "projection_gan"])
def test_who_asks_for_a_digit_gets_it(config, trained):
    samples = trained(config, "--labels=0,1,2,3,4,5,6,7,8,9")
    right = digits(samples)[0] == samples["labels"]
    print(config, right.mean(), [right[samples["labels"] == digit].mean() for digit in range(10)])
    assert right.mean() > 0.9
