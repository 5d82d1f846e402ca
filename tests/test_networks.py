"""Every pair of choices of a network, shrunken, in three steps: alone, and over four devices.

Programs of convolutional networks take long to compile: so every day there are two rows; all
pairs, all configs made small, and all combinations, are marked tests:

    python -m pytest -m slow tests/test_networks.py -k "pairs or twin"
    python -m pytest -m slow tests/test_networks.py
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pairs import covering_array
from quick_keys import quick_key
from runs import ROOT, drawn, quick_jit, shrunken, spread

import gan_jax
from gan_jax import experiment
from gan_jax.command_line import load_config
from gan_jax.models.families import FAMILIES
from gan_jax.models.sizes import doublings
from gan_jax.objectives.losses import LOSSES
from gan_jax.runtime import parallel

BATCH, CLASSES, LATENT, STEPS = 8, 3, 12, 3
CHOICES = {
    "family": tuple(FAMILIES),
    "size": (8, 14, 16),
    "channels": (1, 3),
    "conditioning": ("none", "concatenate", "projection"),
    "loss": ("non_saturating", "relativistic"),
    "penalty": (False, True),
}
SHRUNKEN = {
    "mlp": ({"widths": (8,)}, {"widths": (8,)}),
    "dcgan": ({"width": 4}, {"width": 4}),
    "sngan": ({"width": 2}, {}),
    "sagan": ({"width": 2, "attention": 8}, {"attention": 4}),
    "biggan": ({"width": 2, "attention": 8, "shared_embedding": 3}, {"attention": 4}),
    "biggan_deep": (
        {"width": 2, "attention": 8, "shared_embedding": 3, "initialization": "glorot"},
        {"attention": 4, "initialization": "glorot"},
    ),
    "unet": (
        {"width": 2, "attention": 8, "shared_embedding": 3, "initialization": "glorot"},
        {"attention": 4, "initialization": "glorot"},
    ),
    "r3gan": (
        {"width": 4, "group_size": 4, "blocks": 1},
        {"width": 4, "group_size": 4, "blocks": 1},
    ),
    "stylegan2": (
        {"width": 4, "style_width": 4, "mapping_layers": 1},
        {"width": 4, "style_width": 4, "mapping_layers": 1, "minibatch_group": 2},
    ),
}
"""Fields of generator and discriminator; orthogonal kernels take long to compile."""
BLOCKS = {"sngan": 2, "sagan": 2, "biggan": 2, "biggan_deep": 2, "unet": 1}
"""Of the discriminator, for images that are doubled once, and one more for each further time."""


def name_of(row):
    return "-".join(map(str, row.values()))


def build(row, axis_name):
    generator, discriminator = (dict(fields) for fields in SHRUNKEN[row["family"]])
    if row["family"] == "dcgan" and row["penalty"]:
        discriminator["norm"] = "instance"  # batch normalization has no gradients by example
    if row["family"] in BLOCKS:
        _, times = doublings((row["size"], row["size"]))
        discriminator["widths"] = (8,) * (BLOCKS[row["family"]] + times - 1)
    num_classes = None
    if row["conditioning"] != "none":
        num_classes = CLASSES
        discriminator["conditioning"] = row["conditioning"]
    shape = (row["size"], row["size"], row["channels"])
    shared = {"num_classes": num_classes, "axis_name": axis_name}
    networks = FAMILIES[row["family"]]
    return gan_jax.gan(
        generator=networks.generator(image_shape=shape, **shared, **generator),
        discriminator=networks.discriminator(**shared, **discriminator),
        generator_optimizer=optax.sgd(0.01),
        discriminator_optimizer=optax.sgd(0.01),
        loss=LOSSES[row["loss"]],
        penalties=[(gan_jax.penalties.r1, 0.1)] if row["penalty"] else (),
        image_shape=shape,
        latent_dim=LATENT,
        num_classes=num_classes,
        axis_name=axis_name,
    )


def learned(state):
    nets = (state.generator, state.discriminator)
    return jax.tree.leaves([(net.params, net.variables) for net in nets])


def largest(leaves):
    return np.max([jnp.abs(leaf).max() for leaf in leaves])


def assert_sound(row, data=1):
    """Three steps agree to 1e-5, on one of so many draws of data; on those before, to 1e-3."""
    alone, shared = build(row, None), build(row, parallel.AXIS)
    start = quick_jit(alone.init)(quick_key(0))
    update = quick_jit(alone.update)
    over_devices = quick_jit(
        jax.vmap(shared.update, axis_name=parallel.AXIS, in_axes=(None, 0), out_axes=None)
    )

    def difference(seed):
        """The largest, of one device and four, beside the largest that is learned."""
        one = four = start
        shape = (row["size"], row["size"], row["channels"])
        for batch in drawn(alone, shape, batch=BATCH, classes=CLASSES, steps=STEPS, seed=seed):
            one, metrics = update(one, batch)
            four, _ = over_devices(four, spread(batch))
            for leaf in (*learned(one), *learned(four), *jax.tree.leaves(metrics)):
                assert np.isfinite(leaf).all()
        pairs = zip(learned(start), learned(one), strict=True)
        assert np.mean([bool(jnp.any(a != b)) for a, b in pairs]) > 0.5
        apart = jax.tree.map(jnp.subtract, learned(one), learned(four))
        return largest(apart) / largest(learned(one))

    for seed in range(data):
        if (found := difference(seed)) <= 1e-5:
            break
        assert found <= 1e-3
    assert found <= 1e-5
    assert update._cache_size() == over_devices._cache_size() == 1  # nothing recompiles


ROWS = covering_array(CHOICES)
DAILY = [
    next(row for row in ROWS if (row["family"], row["size"]) == (family, 14))
    for family in ("dcgan", "r3gan")
]


@pytest.mark.parametrize("row", DAILY, ids=name_of)
def test_some_rows(row):
    assert_sound(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if row not in DAILY], ids=name_of)
def test_pairs(row):
    assert_sound(row)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values())],
    ids=name_of,
)
def test_all_combinations(row):
    # Rounding can tip an activation over the kink of a rectifier. With jax 0.11.2 so did the row
    # dcgan-16-1-concatenate-relativistic-True: it came apart by 4e-5, and as far from itself where
    # its start was perturbed by 6e-8. Then other data have to agree.
    assert_sound(row, data=2)


TWINS = {
    "mnist_dcgan": (28, 28, 1),
    "mnist_dcgan_r1r2": (32, 32, 1),
    "fashion_dcgan_r1r2": (32, 32, 1),
    "stacked_mnist_dcgan_r1r2": (32, 32, 3),
    "fashion_sngan": (28, 28, 1),
    "fashion_r3gan": (28, 28, 1),
    "cifar10_sngan": (32, 32, 3),
    "cifar10_wgan_gp": (32, 32, 3),
    "cifar10_biggan": (32, 32, 3),
    "cifar10_r3gan": (32, 32, 3),
    "stacked_mnist_r3gan": (32, 32, 3),
    "stacked_mnist_r3gan_small": (32, 32, 3),
    "imagenet64_r3gan": (64, 64, 3),
    "imagenet128_sagan": (64, 64, 3),
    "imagenet128_biggan_deep": (32, 32, 3),
    "cifar10_stylegan2_ada": (32, 32, 3),
    "ffhq256_stylegan2": (64, 64, 3),
    "ffhq256_unet": (64, 64, 3),
}
"""Configs of convolutional networks, and their images."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
def test_the_shrunken_twin_of_a_config_trains_in_place(name):
    """A few steps, finite; the new state takes the memory of all that was read of the old one."""
    config = shrunken(load_config(str(ROOT / "configs" / f"{name}.py")))
    facts = experiment.DataFacts(TWINS[name], CLASSES, 100, "")
    algorithm = experiment.build_algorithm(config, facts)
    state = quick_jit(algorithm.init)(quick_key(0))
    batches = list(drawn(algorithm, TWINS[name], batch=config.batch_size, classes=CLASSES))
    update = quick_jit(algorithm.update, donate_argnums=0).lower(state, batches[0]).compile()
    memory, read = update.memory_analysis(), sum(x.nbytes for x in batches[0].values())
    assert memory.argument_size_in_bytes - memory.alias_size_in_bytes <= read
    for batch in batches:
        state, metrics = update(state, batch)
        for leaf in (*learned(state), *jax.tree.leaves(metrics)):
            assert np.isfinite(leaf).all()
