"""Every pair of choices occurs in a short run: finite, in float32 equal on 1 and on 4 devices.

python -m pytest -m slow tests/test_combinations.py    # every combination, in hours
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gan_jax
from gan_jax import experiment
from gan_jax.objectives.class_losses import CLASS_LOSSES
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES
from gan_jax.runtime import parallel

SHAPE, CLASSES, BATCH, STEPS = (8, 8, 1), 3, 8, 2
CONDITIONINGS = {
    "none": {},
    "concatenate": {"num_classes": CLASSES},
    "projection": {"num_classes": CLASSES},
    **{
        loss.conditioning: {"num_classes": CLASSES, "class_loss": loss}
        for loss in CLASS_LOSSES.values()
    },
}
AUGMENTS = {
    "none": None,
    "diffaugment": gan_jax.augment.diff_augment,
    # One stage of ADA: the whole pipeline takes long to compile, and has tests of its own.
    "ada": gan_jax.augment.adaptive(("colour",), images=BATCH, speed_images=40)._replace(
        initial={"ada_probability": 0.6}
    ),
}
CHOICES = {
    "loss": tuple(LOSSES),
    "penalty": ("none", *PENALTIES),
    "conditioning": tuple(CONDITIONINGS),
    "augment": tuple(AUGMENTS),
    "top_k": (None, 0.5),
    "precision": tuple(experiment.PRECISIONS),
}


def covering_array(choices):
    """Rows in which each pair of choices occurs, chosen greedily."""
    names = list(choices)
    pairs = {
        frozenset({(a, x), (b, y)})
        for a, b in itertools.combinations(names, 2)
        for x in choices[a]
        for y in choices[b]
    }
    rows = []
    while pairs:
        row = dict(min(pairs, key=sorted_text))
        for name in names:
            if name not in row:
                row[name] = max(
                    choices[name],
                    key=lambda value: sum(
                        frozenset({item, (name, value)}) in pairs for item in row.items()
                    ),
                )
        pairs -= {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}
        rows.append({name: row[name] for name in names})
    return rows


def sorted_text(pair):
    return sorted(map(str, pair))


ROWS = covering_array(CHOICES)


def name_of(row):
    return "-".join(map(str, row.values()))


def test_every_pair_occurs():
    for a, b in itertools.combinations(CHOICES, 2):
        found = {(row[a], row[b]) for row in ROWS}
        assert found == set(itertools.product(CHOICES[a], CHOICES[b]))


def build(row, axis_name):
    conditional = CONDITIONINGS[row["conditioning"]]
    shared = {
        "num_classes": conditional.get("num_classes"),
        "dtype": experiment.PRECISIONS[row["precision"]],
    }
    conditioning = "concatenate" if row["conditioning"] == "none" else row["conditioning"]
    return gan_jax.gan(
        generator=gan_jax.mlp.MLPGenerator(SHAPE, (8,), **shared),
        discriminator=gan_jax.mlp.MLPDiscriminator((8,), conditioning=conditioning, **shared),
        generator_optimizer=optax.sgd(0.1),
        discriminator_optimizer=optax.sgd(0.1),
        loss=LOSSES[row["loss"]],
        penalties=[] if row["penalty"] == "none" else [(PENALTIES[row["penalty"]], 1.0)],
        augment=AUGMENTS[row["augment"]],
        top_k=None if LOSSES[row["loss"]].couples else row["top_k"],
        image_shape=SHAPE,
        latent_dim=3,
        axis_name=axis_name,
        **conditional,
    )


def drawn(gan):
    random = np.random.default_rng(0)
    rows = (STEPS, gan.minibatches, BATCH)
    index = np.arange(gan.minibatches * BATCH).reshape(rows[1:])
    return {
        "image": np.float32(random.uniform(-1, 1, (*rows, *SHAPE))),
        "label": np.int32(random.integers(0, CLASSES, rows)),
        "index": np.broadcast_to(index, rows),
    }


def spread(x):
    """From (steps, minibatches, rows, ...) to (4 devices, steps, minibatches, rows, ...)."""
    return np.moveaxis(x.reshape(*x.shape[:2], 4, BATCH // 4, *x.shape[3:]), 2, 0)


def jit(function):
    """Compiled in a third of the time: these programs run but once."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def steps_of(gan):
    call = parallel.several_steps(gan.update, lambda _, feed: feed)
    return lambda state, batch: call(state, {}, batch)


def assert_sound(row, key):
    alone = build(row, None)
    state, batch = jit(alone.init)(key), drawn(alone)
    one, metrics = jit(steps_of(alone))(state, batch)
    for leaf in (*learned(one), *jax.tree.leaves(metrics)):
        assert np.isfinite(leaf).all()
    if row["precision"] != "float32":
        return  # its roundings depend on the order of sums
    over_devices = jax.vmap(
        steps_of(build(row, parallel.AXIS)),
        axis_name=parallel.AXIS,
        in_axes=(None, 0),
        out_axes=None,
    )
    four, _ = jit(over_devices)(state, jax.tree.map(spread, batch))
    largest = max(float(jnp.abs(leaf).max()) for leaf in learned(one))
    for a, b in zip(learned(one), learned(four), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * largest)


def learned(state):
    return jax.tree.leaves((state.generator.params, state.discriminator.params, state.controls))


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_pairs(row, key):
    assert_sound(row, key)


PRODUCT = ("loss", "penalty", "conditioning", "augment", "precision")


PRODUCT = ("loss", "penalty", "conditioning", "augment", "precision")


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        dict(zip(PRODUCT, row, strict=True)) | {"top_k": None}
        for row in itertools.product(*(CHOICES[name] for name in PRODUCT))
    ],
    ids=name_of,
)
def test_all_combinations(row, key):
    assert_sound(row, key)
