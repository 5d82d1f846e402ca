"""A metric depends on its features alone: not on blocks, nor on the order of samples."""

import functools

import jax
import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.metrics import neighbours


def features():
    """Reals and fakes in which some rows occur twice, some on both sides."""
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(330, 12)), random.normal(0.2, 1.1, (270, 12))
    real[100:120] = real[:20]
    fake[50:90] = real[200:240]
    return np.float32(real), np.float32(fake)


CHUNKS = (90, 110)
"""Rows of a block: fakes and reals have a last one that is full, and one that is not."""

BLOCKWISE = {
    "frechet": metrics.frechet_distance,
    "precision_recall": metrics.precision_recall,
    "density_coverage": functools.partial(metrics.density_coverage, k=3),
    "precision_to_coverage": metrics.precision_to_coverage,
    "nearest": lambda real, fake, **chunk: np.sort(
        metrics.nearest_neighbours(fake, real, **chunk).distances
    ),
    "memorization": lambda real, fake, **chunk: metrics.memorization(
        real, fake[:100], fake[100:], **chunk
    )[:4],
}


@pytest.mark.parametrize("name", BLOCKWISE)
def test_blocks_change_nothing(name):
    real, fake = features()
    whole = BLOCKWISE[name](real, fake)
    for chunk in CHUNKS:
        found = BLOCKWISE[name](real, fake, chunk=chunk)
        np.testing.assert_allclose(found, whole, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["frechet", "precision_recall", "density_coverage", "nearest"])
def test_the_order_of_samples_changes_nothing(name):
    real, fake = features()
    random = np.random.default_rng(1)
    whole = BLOCKWISE[name](real, fake, chunk=90)
    found = BLOCKWISE[name](random.permutation(real), random.permutation(fake), chunk=90)
    np.testing.assert_allclose(found, whole, rtol=1e-10, atol=1e-10)


def test_the_order_of_samples_changes_no_modes():
    modes = np.random.default_rng(0).integers(7, size=100)
    assert metrics.mode_coverage(modes[::-1], 7) == metrics.mode_coverage(modes, 7)


def test_copies_lie_at_distance_zero_in_every_block():
    real = 100 * np.random.default_rng(0).normal(size=(330, 500))  # so wide that sums are rounded
    real[100:120] = real[:20]
    for chunk in CHUNKS:
        found = neighbours.neighbour_distances(real, 2, chunk=chunk)
        assert (found[:20, 0] == 0).all()
        assert (found[100:120, 0] == 0).all()
        assert (found[20:100] > 0).all()


def test_a_copy_on_the_surface_of_a_ball_is_in_it():
    """As where fakes are copies of the reals: every ball has its k neighbours and its centre."""
    real = np.random.default_rng(0).normal(size=(330, 12))
    fake = np.random.default_rng(1).permutation(real)
    for chunk in CHUNKS:
        found = metrics.density_coverage(real, fake, k=3, chunk=chunk)
        assert found == pytest.approx(((3 + 1) / 3, 1), rel=1e-12)


def test_no_matrix_of_all_distances_is_made():
    """Of 50,000 by 50,000, at 2,048 features, what is computed takes as much as some blocks."""
    block = 2_048 * 2_048 * 8
    with jax.enable_x64(True):
        row = jax.ShapeDtypeStruct((2_048,), np.float64)
        values = row.update(shape=(2_048, 2_048), dtype=np.float32)
        each = neighbours._Block(values, row.update(dtype=bool), row)
        smallest, radii = row.update(shape=(3, 2_048)), row.update(shape=(1, 2_048))
        for lowered in (
            neighbours._near_in_pair.lower(smallest, each, smallest, each, row),
            neighbours._inside_in_pair.lower(each, radii, each, radii, row),
        ):
            assert lowered.compile().memory_analysis().temp_size_in_bytes < 8 * block
