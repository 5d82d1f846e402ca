"""The two claims at the top of README, in full: about eight minutes on two cores.

    python -m pytest -m slow

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
    """Returns `trained(config)`: the share of each digit among samples, and their mean distance."""

    def train(config):
        arguments = [f"--config={ROOT / 'configs' / config}.py", f"--workdir={tmp_path / config}"]
        process = launch(*arguments)
        _, stderr = process.communicate(timeout=1800)
        assert process.returncode == 0, stderr
        output = tmp_path / f"{config}.npz"
        sample = ["--mode=sample", f"--num_samples={SAMPLES}", f"--output={output}"]
        assert run(*sample, arguments[1])[0] == 0
        real = load("mnist_5k")
        distances, which = nearest(np.load(output)["images"], real.images)
        return np.bincount(real.labels[which], minlength=10) / SAMPLES, distances.mean()

    return train


def test_the_default_job_draws_all_ten_digits(trained):
    shares, distance = trained("mnist_mlp")
    print(shares, distance)
    assert shares.min() > 0.05
    assert shares.max() < 0.2
    held_out = nearest(load("mnist_5k", "test").images, load("mnist_5k").images)[0].mean()
    assert abs(distance - held_out) < 0.1 * held_out


def test_the_articles_recipe_collapses(trained):
    shares, distance = trained("mnist_mlp_article")
    print(shares, distance)
    assert shares.max() > 0.7
