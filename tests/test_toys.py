"""The dynamics of the default objective on points in the plane: every mode, and little between.

By `configs/toy_ring.py`, all seeds in one compiled program: three in the marked tests, which take
ten minutes, one every day. Of 10,000 samples of the averaged
generator a mode counts from 20 samples within three sigma on.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import ROOT

from gan_jax import experiment
from gan_jax.command_line import load_config
from gan_jax.data import toy
from gan_jax.data.loader import Loader, decode
from gan_jax.data.plan import IndexPlan
from gan_jax.runtime import parallel

SAMPLES, PER_CALL = 10_000, 250


def train(name, steps, seeds):
    """The samples of each seed, (seeds, SAMPLES, 2) in original units."""
    config = load_config(str(ROOT / "configs" / "toy_ring.py"))
    config.data.name, config.total_steps = f"toy:{name}", steps
    source = toy.load(name)
    algorithm = experiment.build_algorithm(config, experiment.DataFacts.of(source, config))
    loaders = [
        Loader(
            source,
            IndexPlan(seed, len(source)),
            minibatches=algorithm.minibatches,
            batch_size=config.batch_size,
        )
        for seed in range(seeds)
    ]
    keys = jax.vmap(jax.random.key)(jnp.arange(seeds))
    call = parallel.over_seeds(parallel.several_steps(algorithm.update, decode))
    state, resident = parallel.init_seeds(algorithm.init, keys), {"image": source.images}
    for step in range(0, steps, PER_CALL):
        feeds = [loader(step, PER_CALL) for loader in loaders]
        feed = jax.tree.map(lambda *x: np.concatenate(x), *feeds)
        state, _ = call(state, resident, feed)
    assert int(state.step) == steps
    images = jax.vmap(lambda weights, key: algorithm.sample(weights, key, SAMPLES))(state.ema, keys)
    return np.stack([toy.TOYS[name].points(images[seed]) for seed in range(seeds)])


def modes_and_quality(name, points):
    """How many modes one seed's points find, and the share of points within three sigma of one."""
    modes, sigma = toy.TOYS[name].modes, toy.TOYS[name].sigma
    distances = np.linalg.norm(points[:, None] - modes, axis=-1)
    near = distances.min(1) < 3 * sigma
    return (np.bincount(distances.argmin(1)[near], minlength=len(modes)) >= 20).sum(), near.mean()


def found(name, steps, seeds):
    results = [modes_and_quality(name, points) for points in train(name, steps, seeds)]
    print(name, steps, results)
    return zip(*results, strict=True)


def test_the_data_themselves():
    """Two dimensions: 1.1 % of a Gaussian lies beyond three sigma."""
    for name, modes in (("ring8", 8), ("grid25", 25)):
        points = toy.TOYS[name].points(toy.load(name, "test").images)
        count, quality = modes_and_quality(name, points)
        assert count == modes
        assert abs(quality - (1 - np.exp(-4.5))) < 0.005


def test_a_ring_is_found_soon():
    """Points spread evenly along the circle itself would have a quality of 0.08."""
    modes, qualities = found("ring8", 750, seeds=1)
    assert min(modes) == 8
    assert min(qualities) > 0.4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps", "quality"), [("ring8", 8_000, 0.9), ("grid25", 25_000, 0.85)]
)
def test_every_mode_is_found_and_little_lies_between(name, steps, quality):
    modes, qualities = found(name, steps, seeds=3)
    assert set(modes) == {len(toy.TOYS[name].modes)}
    assert min(qualities) >= quality
