"""A batch in parts gives the update of the whole batch, in less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from linear import BATCH, SHAPE, linear_gan, random_batch

import gan_jax
from gan_jax.algorithms.parts import averaged, concatenated
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES
from gan_jax.runtime import parallel

CLASSES = 3


def build(accumulate, interval=1, **overrides):
    options = {
        "generator": gan_jax.mlp.MLPGenerator(SHAPE, (8,), num_classes=CLASSES),
        "discriminator": gan_jax.mlp.MLPDiscriminator(
            (8,), num_classes=CLASSES, conditioning="classifier"
        ),
        "class_loss": gan_jax.class_losses.AUXILIARY,
        "num_classes": CLASSES,
        "penalties": [
            (PENALTIES[name], 0.5, interval)
            for name in ("r1", "wgan_gp", "lecam", "latent_consistency")
        ],
        "generator_penalties": [(gan_jax.generator_penalties.PATH_LENGTH, 0.5, interval)],
        "augment": gan_jax.augment.diff_augment,
        "pseudo": gan_jax.augment.adaptive_pseudo(images=BATCH)._replace(
            initial={"apa_probability": 0.5}
        ),
        "diagnostics": True,
    }
    return linear_gan("relativistic", **options | overrides, accumulate=accumulate)


def everything(accumulate):
    return build(accumulate, interval=2)


def little(accumulate):
    return linear_gan(accumulate=accumulate, diagnostics=True)


@pytest.mark.parametrize(("build", "accumulate"), [(little, 2), (everything, 3)])
def test_the_update_is_that_of_the_whole_batch(build, accumulate, key):
    """To float rounding, with every part that works row by row, two updates, metrics and all."""
    whole, parts = build(1), build(accumulate)
    expected = found = whole.init(key)
    for step in range(2):
        batch = random_batch(whole, seed=step)
        batch["label"] = batch["index"] % CLASSES
        expected, expected_metrics = whole.update(expected, batch)
        found, metrics = parts.update(found, batch)
    close = {"rtol": 1e-4, "atol": 1e-5}
    for name, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], value, **close, err_msg=name)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **close),
        found.replace(key=None),
        expected.replace(key=None),
    )


class Normalized(nn.Module):
    """A generator with batch norm, and an integer that counts."""

    @nn.compact
    def __call__(self, z, labels=None, *, train, keys=None):
        count = self.variable("passes", "count", jnp.zeros, (), jnp.int32)
        if train and not self.is_initializing():
            count.value = count.value + 1
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(z)
        return nn.Dense(4)(x).reshape(-1, *SHAPE)


def test_statistics_are_the_mean_over_parts_and_counts_count_once(key):
    gan = linear_gan(generator=Normalized(), accumulate=2)
    state = gan.init(key)
    z = np.float32(np.random.default_rng(0).normal(size=(BATCH, 3)))
    images, keys = jnp.zeros((BATCH, *SHAPE)), jax.random.split(key, BATCH)
    new, _ = gan.update_generator(state, images, z, keys=keys)
    variables = new.generator.variables
    variance = 0.9 + 0.1 * np.mean([z[:3].var(0), z[3:].var(0)], axis=0)
    np.testing.assert_allclose(variables["batch_stats"]["BatchNorm_0"]["var"], variance, rtol=1e-5)
    assert int(variables["passes"]["count"]) == 1


def test_parts_take_less_memory(key):
    """Of wide layers and a large batch: what a backward pass keeps is that of one part.

    In the program that trains: updates in a loop, and a diagnosis.
    """

    def temporary(accumulate, diagnosed=True):
        gan = gan_jax.gan(
            generator=gan_jax.mlp.MLPGenerator((4, 4, 1), (256, 256)),
            discriminator=gan_jax.mlp.MLPDiscriminator((256, 256)),
            generator_optimizer=optax.sgd(0.1),
            discriminator_optimizer=optax.sgd(0.1),
            loss=LOSSES["hinge"],
            image_shape=(4, 4, 1),
            latent_dim=8,
            accumulate=accumulate,
        )
        diagnose = gan.diagnose if diagnosed else None
        call = parallel.several_steps(gan.update, lambda _, feed: feed, diagnose)
        feed = {"image": jnp.zeros((2, 1, 1024, 4, 4, 1)), "index": jnp.zeros((2, 1, 1024), int)}
        state = jax.eval_shape(gan.init, key)
        compiled = jax.jit(call).lower(state, {}, feed).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporary(8) < temporary(1) / 2
    assert temporary(8) < 1.1 * temporary(8, diagnosed=False)


def test_what_couples_rows_is_refused():
    for options in (
        {"loss": "relativistic_average"},
        {"loss": "hinge", "top_k": 0.5},
        {
            **{"loss": "hinge", "num_classes": CLASSES},
            **{"class_loss": gan_jax.class_losses.CLASS_LOSSES["contrastive"]},
        },
    ):
        with pytest.raises(gan_jax.InputError, match="accumulate=2 takes a batch in parts"):
            linear_gan(**options, accumulate=2)
    with pytest.raises(gan_jax.InputError, match="accumulate is 0"):
        linear_gan(accumulate=0)


def test_rows_are_split_in_order_and_evenly():
    rows = {"x": jnp.arange(6.0), "none": None}
    seen = concatenated(lambda part: part["x"] + part["x"].mean(), rows, 3)
    np.testing.assert_array_equal(seen, [0.5, 1.5, 4.5, 5.5, 8.5, 9.5])
    assert float(averaged(lambda part: part["x"].max(), rows, 2)) == (2 + 5) / 2
    with pytest.raises(gan_jax.InputError, match="6 rows"):
        averaged(lambda part: part["x"], rows, 4)
