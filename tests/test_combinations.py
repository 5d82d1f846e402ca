"""Every choice occurs in a short run: finite; in float32 the same over an axis of 4.

Every pair of choices, and every combination of what most users choose, of one update that is not
compiled, are marked tests:

    python -m pytest -m slow tests/test_combinations.py -k pairs
    python -m pytest -m slow tests/test_combinations.py
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pairs import covering_array, one_of_each, sensible_pairs
from runs import drawn, quick_jit, spread

import gan_jax
from gan_jax import experiment
from gan_jax.objectives.class_losses import CLASS_LOSSES
from gan_jax.objectives.generator_penalties import GENERATOR_PENALTIES
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES
from gan_jax.runtime import parallel

SHAPE, CLASSES, BATCH, STEPS = (8, 8, 1), 3, 8, 2
CONDITIONINGS = {
    "none": {},
    "concatenate": {"num_classes": CLASSES},
    "projection": {"num_classes": CLASSES},
    "batch_norm": {"num_classes": CLASSES},  # of the generator, by class; the other is spectral
    **{name: {"num_classes": CLASSES, "class_loss": loss} for name, loss in CLASS_LOSSES.items()},
}
AUGMENTS = {
    "none": None,
    # A stage of each: the whole pipelines take long to compile, and have tests of their own.
    "diffaugment": functools.partial(gan_jax.augment.diff_augment, policy=("colour", "cutout")),
    "ada": gan_jax.augment.adaptive(("colour",), images=BATCH, speed_images=40)._replace(
        initial={"ada_probability": 0.6}
    ),
    "apa": gan_jax.augment.adaptive_pseudo(images=BATCH, speed_images=40)._replace(
        initial={"apa_probability": 0.5}
    ),
}
CHOICES = {
    "loss": tuple(LOSSES),
    "penalty": ("none", *(name for name in PENALTIES if name != "cutmix")),  # it needs pixels
    "conditioning": tuple(CONDITIONINGS),
    "augment": tuple(AUGMENTS),
    "generator_penalty": ("none", *GENERATOR_PENALTIES),
    "top_k": (None, 0.5),
    "precision": tuple(experiment.PRECISIONS),
}


PLAIN = {name: values[0] for name, values in CHOICES.items()}
REFUSED = (
    ({"loss": "wasserstein", "augment": "ada"}, "signs of logits"),
    ({"loss": "wasserstein", "augment": "apa"}, "signs of logits"),
    ({"conditioning": "batch_norm", "generator_penalty": "path_length"}, "for each example"),
    ({"loss": "relativistic_average", "top_k": 0.5}, "each fake by itself"),
)


def refused(row):
    """What is refused, in `test_what_is_refused_says_so_before_it_is_compiled`."""
    return any(pair.items() <= row.items() for pair, _ in REFUSED)


ROWS = covering_array(CHOICES, refused)
DAILY = one_of_each(ROWS)


def name_of(row):
    return "-".join(map(str, row.values()))


def test_every_pair_occurs():
    found = {pair for row in ROWS for pair in itertools.combinations(row.items(), 2)}
    assert found == set(sensible_pairs(CHOICES, refused))
    assert len(found) > 500


def networks(conditioning, precision, axis_name):
    conditional = CONDITIONINGS[conditioning]
    shared = {
        "num_classes": conditional.get("num_classes"),
        "dtype": experiment.PRECISIONS[precision],
    }
    normalized = conditioning == "batch_norm"
    if "class_loss" in conditional:
        conditioning = conditional["class_loss"].conditioning
    elif conditioning != "projection":
        conditioning = "concatenate"
    return {
        "generator": gan_jax.mlp.MLPGenerator(
            SHAPE, (8,), norm="batch" if normalized else "none", axis_name=axis_name, **shared
        ),
        "discriminator": gan_jax.mlp.MLPDiscriminator(
            (8,), conditioning=conditioning, spectral=normalized, **shared
        ),
    }


def build(row, axis_name):
    return gan_jax.gan(
        **networks(row["conditioning"], row["precision"], axis_name),
        generator_optimizer=optax.sgd(0.1),
        discriminator_optimizer=optax.sgd(0.1),
        loss=LOSSES[row["loss"]],
        penalties=[] if row["penalty"] == "none" else [(PENALTIES[row["penalty"]], 1.0)],
        generator_penalties=[
            (GENERATOR_PENALTIES[name], 0.1)
            for name in {row["generator_penalty"]} & GENERATOR_PENALTIES.keys()
        ],
        **augmentation(row["augment"]),
        top_k=row["top_k"],
        image_shape=SHAPE,
        latent_dim=3,
        axis_name=axis_name,
        **CONDITIONINGS[row["conditioning"]],
    )


def augmentation(name):
    return {"pseudo" if name == "apa" else "augment": AUGMENTS[name]}


@functools.cache
def networks_at_first(conditioning):
    return quick_jit(build(PLAIN | {"conditioning": conditioning}, None).init)(jax.random.key(0))


def first_state(row, gan):
    """That of `gan.init`, whose networks are compiled once for each conditioning."""
    controls = quick_jit(lambda key: gan.init(key).controls)(jax.random.key(0))
    return networks_at_first(row["conditioning"]).replace(controls=controls)


def assert_sound(row, jit=lambda function: function, steps=STEPS, over=jax.vmap):
    alone = build(row, None)
    first, update = first_state(row, alone), jit(alone.update)
    one = first
    for batch in drawn(alone, SHAPE, batch=BATCH, classes=CLASSES, steps=steps):
        one, metrics = update(one, batch)
        for leaf in (*learned(one), *jax.tree.leaves(metrics)):
            assert np.isfinite(leaf).all()
    if row["precision"] != "float32":
        return  # its roundings depend on the order of sums
    over_devices = jit(
        over(
            build(row, parallel.AXIS).update,
            axis_name=parallel.AXIS,
            in_axes=(None, 0),
            out_axes=None,
        )
    )
    four = first
    for batch in drawn(alone, SHAPE, batch=BATCH, classes=CLASSES, steps=steps):
        four, _ = over_devices(four, spread(batch))
    largest = max(float(jnp.abs(leaf).max()) for leaf in learned(one))
    for a, b in zip(learned(one), learned(four), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * largest)


def learned(state):
    nets = (state.generator, state.discriminator)
    return jax.tree.leaves(([(net.params, net.variables) for net in nets], state.controls))


@pytest.mark.parametrize("row", DAILY, ids=name_of)
def test_every_choice(row):
    assert_sound(row, quick_jit)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if row not in DAILY], ids=name_of)
def test_pairs(row):
    assert_sound(row, quick_jit)


@pytest.mark.parametrize(
    ("choice", "value"),
    [
        *(("conditioning", "batch_norm"), ("conditioning", "contrastive")),
        *(("loss", "relativistic_average"), ("top_k", 0.5)),
    ],
)
def test_on_devices_of_their_own(choice, value):
    """Each way in which the rows of a batch see each other."""
    over_four = functools.partial(jax.pmap, devices=jax.devices()[:4])
    assert_sound(PLAIN | {choice: value}, quick_jit, over=over_four)


@pytest.mark.parametrize(("pair", "words"), REFUSED)
def test_what_is_refused_says_so_before_it_is_compiled(pair, words, key):
    row = PLAIN | pair

    def traced():
        gan = build(row, None)
        jax.eval_shape(gan.update, jax.eval_shape(gan.init, key), next(drawn(gan, SHAPE)))

    with pytest.raises(gan_jax.InputError, match=words):
        traced()


PRODUCT = ("loss", "penalty", "conditioning", "augment", "precision")


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        row
        for values in itertools.product(*(CHOICES[name] for name in PRODUCT))
        if not refused(row := PLAIN | dict(zip(PRODUCT, values, strict=True)))
    ],
    ids=name_of,
)
def test_all_combinations(row):
    """Operation by operation: those of all rows are compiled but once."""
    assert_sound(row, steps=1)
