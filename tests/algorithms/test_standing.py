"""Standing statistics: the mean over training passes, whatever the layers' momentum."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

import gan_jax
from gan_jax import rng
from gan_jax.algorithms.standing import standing_statistics
from gan_jax.nn.batch_norm import BatchNorm
from gan_jax.nn.dense import Dense
from gan_jax.rng import keys_for, normal, substream

LATENT, CLASSES, ROWS = 3, 3, 4


class Generator(nn.Module):
    """Two norms of different momentum, ours and Flax's, and noise of its own."""

    momenta: tuple[float, float] = (0.9, 0.5)
    num_classes: int | None = None
    spectral: bool = True

    @nn.compact
    def __call__(self, z, labels=None, *, train, keys=None):
        x = Dense(5, spectral=self.spectral)(z, train=train)
        x = x + normal(substream(keys, "noise"), (5,))
        x = BatchNorm(self.num_classes, momentum=self.momenta[0])(x, labels, train=train)
        x = 3 + nn.Dense(2)(jnp.tanh(x))
        x = nn.BatchNorm(momentum=self.momenta[1])(x, use_running_average=not train)
        return jnp.tanh(x).reshape(-1, 1, 1, 2)


def rows_of(key, batch, num_classes):
    """What pass number `batch` is of: arguments for the generator."""
    indices = np.arange(batch * ROWS, (batch + 1) * ROWS)
    keys = keys_for(key, indices)
    labels = None if num_classes is None else jnp.array(indices % num_classes)
    z = normal(substream(keys, "z"), (LATENT,))
    return {"z": z, "labels": labels, "keys": substream(keys, "generator")}


def weights_of(network, key):
    """Parameters away from where they start, and running statistics of no use."""
    weights = network.init(key, **rows_of(key, 0, network.num_classes), train=False)
    random = np.random.default_rng(0)

    def shifted(x):
        return x + np.float32(random.uniform(0, 1, x.shape))

    return {name: jax.tree.map(shifted, tree) for name, tree in weights.items()}


@pytest.mark.parametrize("num_classes", [None, CLASSES])
def test_they_are_the_mean_of_the_batches_statistics(num_classes, key):
    network = Generator(num_classes=num_classes)
    weights = weights_of(network, key)
    standing = partial(
        standing_statistics,
        network,
        latent_dim=LATENT,
        batch_size=ROWS,
        batches=5,
        num_classes=num_classes,
    )
    found = jax.jit(standing)(weights, key)
    # Without momentum, a pass leaves the statistics of its batch.
    forgetful = network.clone(momenta=(0.0, 0.0))
    batches = [
        forgetful.apply(
            weights,
            **rows_of(key, batch, num_classes),
            train=True,
            mutable=["batch_stats", "spectral"],
        )[1]["batch_stats"]
        for batch in range(5)
    ]
    expected = jax.tree.map(lambda *values: np.mean(np.float64(values), axis=0), *batches)
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found["batch_stats"], expected
    )
    for name in ("params", "spectral"):
        jax.tree.map(np.testing.assert_array_equal, found[name], weights[name])


def test_with_those_of_one_batch_it_is_sampled_as_it_was_in_training(key):
    network = Generator(spectral=False)
    weights, rows = weights_of(network, key), rows_of(key, 0, None)
    standing = standing_statistics(
        network, weights, key, latent_dim=LATENT, batch_size=ROWS, batches=1
    )
    expected, _ = network.apply(weights, **rows, train=True, mutable=["batch_stats"])
    sampled = network.apply(standing, **rows, train=False)
    np.testing.assert_allclose(sampled, expected, atol=1e-5)
    assert np.abs(network.apply(weights, **rows, train=False) - expected).max() > 0.1


def test_weights_without_running_statistics_stay_as_they_are(key):
    network = gan_jax.mlp.MLPGenerator((1, 1, 2), (4,))
    weights = network.init(key, jnp.zeros((1, LATENT)), train=False)
    same = standing_statistics(network, weights, key, latent_dim=LATENT, batch_size=ROWS, batches=2)
    assert same is weights


@pytest.mark.parametrize("sizes", [{"batches": 0}, {"batch_size": 0}])
def test_no_batches_are_refused(sizes, key):
    sizes = {"batch_size": ROWS, "batches": 1} | sizes
    with pytest.raises(gan_jax.InputError, match="is 0"):
        standing_statistics(Generator(), {}, key, latent_dim=LATENT, **sizes)


def test_a_gan_samples_by_them(key):
    """From a stream of their own, of as many batches and rows as asked for, classes in turn."""
    shape, classes = (2, 2, 1), 3
    generator = gan_jax.mlp.MLPGenerator(shape, (4,), norm="batch", num_classes=classes)
    gan = gan_jax.gan(
        generator=generator,
        discriminator=gan_jax.mlp.MLPDiscriminator((4,), num_classes=classes),
        generator_optimizer=optax.sgd(0.1),
        discriminator_optimizer=optax.sgd(0.1),
        loss=gan_jax.losses.HINGE,
        image_shape=shape,
        latent_dim=3,
        num_classes=classes,
    )
    weights = jax.jit(gan.init)(key).ema
    found = gan.standing(weights, key, batches=3, batch_size=7)
    expected = gan_jax.standing_statistics(
        generator,
        weights,
        rng.key_for(key, "standing"),
        latent_dim=3,
        batches=3,
        batch_size=7,
        num_classes=classes,
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)
    assert np.abs(gan.sample(found, key, 5) - gan.sample(weights, key, 5)).max() > 1e-2
    # Of truncated latents they are others.
    less = gan.standing(weights, key, batches=3, batch_size=7, truncation=0.05)
    for full, truncated in zip(
        jax.tree.leaves(found["batch_stats"]), jax.tree.leaves(less["batch_stats"]), strict=True
    ):
        assert np.abs(full - truncated).max() > 0.01
