"""Metrics against the reference packages, on features in float64.

The everyday tests hold the figures that `golden/peers.py` wrote. Where the packages are installed
(torch, torch-fidelity, pytorch-fid, clean-fid, prdc), the slow test asks them for other features.
"""

import json
import pathlib

import numpy as np
import pytest
from golden import peers

from gan_jax import metrics
from gan_jax.metrics import Gaussian

GOLDEN = json.loads(pathlib.Path(peers.__file__).with_name("peers.json").read_text())
CASES, LOGITS = peers.cases(), peers.logits()


def check_frechet(real, fake, expected):
    """To 1e-6 of the traces; of the figure itself where features are well-conditioned."""
    found = metrics.frechet_distance(real, fake)
    covariances = [Gaussian.of(features).covariance for features in (real, fake)]
    traces = sum(np.trace(covariance) for covariance in covariances)
    good = max(np.linalg.cond(covariance) for covariance in covariances) < 1e4
    assert expected, "every package failed"
    for value in expected.values():
        assert found == pytest.approx(
            value, rel=1e-6 if good else 0, abs=0 if good else 1e-6 * traces
        )


def check_kernel(real, fake, expected, subsets, subset_size):
    found = metrics.kernel_distance(real, fake, subsets=subsets, subset_size=subset_size)
    # Where the kernel takes values of 1e18, of far or large features, float64 has no 1e-6.
    largest = max((np.square(x).mean(axis=1).max() + 1) ** 3 for x in (real, fake))
    tolerance = max(1e-6, 1e-14 * largest)
    assert found == pytest.approx(expected["torch_fidelity"], rel=0, abs=tolerance)
    assert found.mean == pytest.approx(expected["clean_fid"], rel=0, abs=tolerance)


def check_neighbours(real, fake, expected):
    for k in (3, 5):
        precision, recall = metrics.precision_recall(real, fake, k)
        density, coverage = metrics.density_coverage(real, fake, k)
        found = [precision, recall, density, coverage]
        np.testing.assert_allclose(found, expected[f"prdc_{k}"], rtol=1e-15, atol=0)
        # These two are means in float32.
        np.testing.assert_allclose(found[:2], expected[f"torch_fidelity_{k}"], rtol=1e-7, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_frechet_distance(name):
    check_frechet(*CASES[name], GOLDEN["frechet"][name])


@pytest.mark.parametrize("name", CASES)
def test_kernel_distance(name):
    check_kernel(*CASES[name], GOLDEN["kernel"][name], *peers.subsets_of(name))


@pytest.mark.parametrize("name", CASES)
def test_precision_recall_density_coverage(name):
    check_neighbours(*CASES[name], GOLDEN["neighbours"][name])


@pytest.mark.parametrize("name", LOGITS)
def test_inception_score(name):
    found = metrics.inception_score(LOGITS[name])
    assert found == pytest.approx(GOLDEN["score"][name], rel=0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the packages'
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_packages_that_are_installed(seed):
    for package in ("torch", "torch_fidelity", "pytorch_fid", "cleanfid", "prdc"):
        pytest.importorskip(package)
    figures = peers.figures(seed)
    for name, (real, fake) in peers.cases(seed).items():
        check_frechet(real, fake, figures["frechet"][name])
        check_kernel(real, fake, figures["kernel"][name], *peers.subsets_of(name))
        check_neighbours(real, fake, figures["neighbours"][name])
    for name, values in peers.logits(seed).items():
        assert metrics.inception_score(values) == pytest.approx(figures["score"][name], abs=1e-6)
