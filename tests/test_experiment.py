"""What a config may hold, and what is built from it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict
from runs import quick_jit, smoke

import gan_jax
from gan_jax import checks, experiment
from gan_jax.algorithms import penalty_checks
from gan_jax.algorithms.weighted import given, judging
from gan_jax.configuration import changed_keys, to_json
from gan_jax.data.source import ArraySource
from gan_jax.errors import InputError
from gan_jax.models.standardized import StandardizedDiscriminator, StandardizedGenerator
from gan_jax.objectives.generator_penalties import GENERATOR_PENALTIES
from gan_jax.objectives.penalties import PENALTIES

REFUSED = {
    "seed": (2**32, "less than 4294967296"),
    "penalties.r1": (-1.0, "must not be negative"),
    "penalties.r2": (float("nan"), "must be finite"),
    "generator_optimizer.learning_rate": (float("inf"), "must be finite"),
    "discriminator_optimizer.learning_rate": (0.0, "greater than 0"),
    "generator_optimizer.b1": (1.0, "less than 1"),
    "discriminator_optimizer.b2": (-0.1, "must not be negative"),
    "generator_optimizer.eps": (0.0, "greater than 0"),
    "ema.half_life": (-1.0, "must not be negative"),
    "label_smoothing": (0.1, "minimax or non_saturating"),
    "penalty_interval": (0, "greater than 0"),
    "penalty_schedule.schedule": ("cosin", "'cosine'"),
    "top_k.least": (1.1, "at most 1"),
    "augment.operations": (("colour", "cut"), "'cutout'"),
    "penalty_schedule.warmup": (1e6, "less than the 320 images"),
    "augment.policy": ("bgd", "'bg"),
    "class_loss": ("auxiliary", "does not fit"),
    "discriminator.conditioning": ("projection", "needs config.conditional=True"),
    "data.channels": (5, "less than 5"),
    "keep_checkpoints": (0, "greater than 0"),
    "generator.widths": ((16, 0), "integers from 1 on"),
    "data.balance": ("unifrom", "'uniform'"),
    "accumulate": (0, "greater than 0"),
    "generator_penalties.path_length": (-1.0, "must not be negative"),
    "generator_optimizer.b2_final": (1.0, "less than 1"),
    "ema.schedule": ("linaer", "'linear'"),
    "ema.warmup": (1e6, "less than the 320 images"),
    "fake_labels": ("unifrom", "'uniform'"),
    "generator_optimizer.b1_final": (0.5, "the constant schedule never comes to"),
    "generator.norm": ("bach", "'batch'"),
    "data.augment.flip": (1.5, "at most 1"),
    "data.augment.shift": (-1, "must not be negative"),
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_value_out_of_range_is_refused(key):
    value, words = REFUSED[key]
    with pytest.raises(InputError, match=words) as error:
        checks.check_config(smoke(**{key: value}))
    assert f"config.{key}" in str(error.value)


def test_the_largest_seed_is_one_of_its_own():
    checks.check_config(smoke(seed=2**32 - 1))
    keys = {jax.random.key_data(jax.random.key(seed)).tobytes() for seed in (0, 2**31, 2**32 - 1)}
    assert len(keys) == 3


def test_what_is_no_field_of_the_network_is_refused():
    config = smoke()
    with config.unlocked():
        config.generator.width = (16,)
    with pytest.raises(InputError, match=r"generator\.width: .* 'widths'"):
        checks.check_config(config)


def test_the_average_forgets_rightly_after_more_images_than_an_int32_counts():
    """Half-life 64,000 images, ramp 0.05: at 2^33 images the decay is that of the half-life."""
    config = smoke(**{"ema.half_life": 64_000.0, "ema.ramp": 0.05})
    config.batch_size = 2**14
    decay = experiment._ema(config)(np.int32(2**19))
    np.testing.assert_allclose(decay, 0.5 ** (2**14 / 64_000), rtol=1e-6)


def test_total_steps_is_neutral_only_where_no_schedule_reads_it():
    old = smoke(total_steps=10)
    assert changed_keys(to_json(old), smoke(total_steps=20)) == []
    cosine = {"generator_optimizer.schedule": "cosine"}
    changes = changed_keys(
        to_json(smoke(total_steps=10, **cosine)), smoke(total_steps=20, **cosine)
    )
    assert changes == ["total_steps was 10, now 20"]
    assert changed_keys(to_json(old), smoke(total_steps=20, **cosine)) != []
    ends = cosine | {"generator_optimizer.images": 1e3}  # read instead
    assert changed_keys(to_json(smoke(**ends)), smoke(total_steps=20, **ends)) == []


def test_what_may_be_lazy_is_what_differentiates():
    images, z, keys = (
        jnp.zeros((2, 4, 4, 1)),
        jnp.zeros((2, 3)),
        jax.random.split(jax.random.key(0)),
    )
    controls = dict.fromkeys(("lecam_real", "lecam_fake", "path_length_average"), jnp.float32(0))
    latents = {"generate": lambda z: images, "z": z}
    judged = gan_jax.Outputs(jnp.zeros(2), images, pixel_logits=jnp.zeros((2, 4, 4)))
    on_gradients = {
        name
        for name, penalty in PENALTIES.items()
        if penalty_checks.differentiates(
            lambda d, penalty=penalty: given(penalty, controls, **latents)(
                judging(penalty, d), images, images, keys
            ),
            lambda images: judged,
        )
    }
    on_gradients |= {
        name
        for name, penalty in GENERATOR_PENALTIES.items()
        if penalty_checks.differentiates(
            lambda g, penalty=penalty: given(penalty, controls, {})(g, z, keys), lambda z: images
        )
    }
    assert on_gradients == experiment.ON_GRADIENTS


@pytest.mark.parametrize(("r1", "share"), [(1.0, 4 / 5), (0.0, 1.0)])
def test_adam_is_corrected_where_something_is_lazy(r1, share):
    """Its first step is as long as its rate. LeCam takes no gradient, and is never lazy."""
    weights = {"penalties.r1": r1, "penalties.r2": 0.0, "penalties.lecam": 0.1}
    config = smoke(penalty_interval=4, **weights)
    optimizer, params = experiment._optimizer("discriminator", config), jnp.ones(3)
    steps, _ = optimizer.update(params, optimizer.init(params), params)
    rate = config.discriminator_optimizer.learning_rate
    np.testing.assert_allclose(steps, -share * rate, rtol=1e-5)


def test_lazy_penalties_of_a_relativistic_loss_are_advised_against():
    def advised(**settings):
        return checks.advice(smoke(**settings), FACTS)

    assert advised() == []
    assert advised(penalty_interval=8, loss="hinge") == []
    off = {"penalties.r1": 0.0, "penalties.r2": 0.0}
    assert advised(penalty_interval=8, **off) == []
    assert advised(penalty_interval=8, **off, **{"penalties.lecam": 0.1}) == []
    (line,) = advised(penalty_interval=8)
    assert "penalty_interval is 8" in line


def test_attention_that_stands_nowhere_is_told():
    def advised(**fields):
        config = of_family("biggan", **fields)
        config.latent_dim = 12
        return checks.advice(config, FACTS._replace(image_shape=(28, 28, 1)))

    assert advised() == advised(attention=0) == advised(attention=14) == []
    (line,) = advised(attention=20)
    assert line.startswith("config.discriminator.attention is 20: no image inside")


# ---- what is built ------------------------------------------------------------------------------

BATCH, STEPS, SHAPE, CLASSES = 4, 3, (2, 3, 1), 5
FACTS = experiment.DataFacts(
    image_shape=SHAPE,
    num_classes=CLASSES,
    num_examples=40,
    fingerprint="",
    mean=(-0.4,),
    std=(0.3,),
)
SETTINGS = {
    **{"data.normalize": "standardize", "conditional": True, "latent_dim": 3},
    **{"generator.widths": (6, 5), "generator.activation": "relu", "generator.output": "linear"},
    **{"discriminator.widths": (7,), "discriminator.activation": "tanh"},
    **{"penalties.r1": 2.0, "penalties.r2": 0.5, "d_steps": 2, "batch_size": BATCH},
    **{"generator_optimizer.learning_rate": 1e-3, "generator_optimizer.b1": 0.5},
    **{"generator_optimizer.schedule": "cosine", "discriminator_optimizer.schedule": "cosine"},
    **{"generator_optimizer.b2": 0.8, "generator_optimizer.eps": 1e-3},
    **{"discriminator_optimizer.learning_rate": 3e-3, "discriminator_optimizer.b1": 0.3},
    **{"discriminator_optimizer.b2": 0.7, "discriminator_optimizer.eps": 1e-2},
    **{"ema.half_life": 20.0, "ema.ramp": 1.5, "total_steps": 5},
}


def written_out():
    """The GAN of `SETTINGS`, by hand: cosines over 5 and 10 updates, half-lives 0, 6 and 12."""
    half_lives = jnp.array([1e-9, 1.5 * 4, 1.5 * 8])
    return gan_jax.gan(
        generator=StandardizedGenerator(
            gan_jax.mlp.MLPGenerator(SHAPE, (6, 5), jax.nn.relu, lambda x: x, num_classes=CLASSES),
            FACTS.mean,
            FACTS.std,
        ),
        discriminator=StandardizedDiscriminator(
            gan_jax.mlp.MLPDiscriminator((7,), jnp.tanh, num_classes=CLASSES), FACTS.mean, FACTS.std
        ),
        generator_optimizer=optax.adam(
            lambda count: 1e-3 * (1 + jnp.cos(jnp.pi * count / 5)) / 2, b1=0.5, b2=0.8, eps=1e-3
        ),
        discriminator_optimizer=optax.adam(
            lambda count: 3e-3 * (1 + jnp.cos(jnp.pi * count / 10)) / 2, b1=0.3, b2=0.7, eps=1e-2
        ),
        loss=gan_jax.losses.RELATIVISTIC,
        penalties=[(gan_jax.penalties.r1, 2.0), (gan_jax.penalties.r2, 0.5)],
        image_shape=SHAPE,
        latent_dim=3,
        num_classes=CLASSES,
        d_steps=2,
        ema=lambda step: 0.5 ** (BATCH / half_lives[step]),
        diagnostics=True,
    )


LAZY = {
    **{"loss": "non_saturating", "label_smoothing": 0.1, "batch_size": BATCH, "total_steps": 5},
    **{"penalties.r1": 0.0, "penalties.r2": 0.0, "penalties.wgan_gp": 2.0, "penalties.lecam": 0.3},
    **{"penalty_interval": 2, "penalty_schedule.schedule": "linear"},
    **{"penalty_schedule.final": 0.5, "penalty_schedule.images": 8.0},
    **{"top_k.least": 0.5, "top_k.decay": 0.1, "latent_dim": 3, "ema.half_life": 0.0},
    **{"generator.widths": (5,), "discriminator.widths": (5,)},
    **{"generator_optimizer.learning_rate": 1e-3, "generator_optimizer.clip": 0.01},
    **{"discriminator_optimizer.learning_rate": 3e-3, "discriminator_optimizer.schedule": "linear"},
    **{"discriminator_optimizer.final": 0.5, "discriminator_optimizer.warmup": 4.0},
    **{"discriminator_optimizer.b1": 0.3, "discriminator_optimizer.b2": 0.7},
}


def lazy_written_out():
    """The GAN of `LAZY`, by hand. A descent of the discriminator stands for 2/3 of 4 images."""

    def rate(count):
        seen = 8 / 3 * count
        return 2e-3 * jnp.minimum(1, seen / 4) * (1 - 0.5 * jnp.clip((seen - 4) / 16, 0, 1))

    def weight(step):
        return jnp.array([2.0, 1.5, 1.0, 1.0, 1.0])[step]

    return gan_jax.gan(
        generator=gan_jax.mlp.MLPGenerator(SHAPE, (5,)),
        discriminator=gan_jax.mlp.MLPDiscriminator((5,)),
        generator_optimizer=optax.chain(
            optax.clip_by_global_norm(0.01), optax.adam(1e-3, b1=0.0, b2=0.99)
        ),
        discriminator_optimizer=optax.adam(rate, b1=0.3 ** (2 / 3), b2=0.7 ** (2 / 3)),
        loss=gan_jax.losses.smoothed(gan_jax.losses.NON_SATURATING, 0.1),
        penalties=[
            (gan_jax.penalties.wgan_gp, weight, 2),
            (gan_jax.penalties.LECAM, lambda step: 0.15 * weight(step)),
        ],
        image_shape=SHAPE,
        latent_dim=3,
        top_k=lambda step: jnp.array([1.0, 0.1**0.1, 0.1**0.2, 0.5, 0.5])[step],
        ema=0.0,
        diagnostics=True,
    )


MOVING = {
    **{"loss": "hinge", "batch_size": BATCH, "total_steps": 5, "latent_dim": 3},
    **{"penalties.r1": 1.0, "penalties.r2": 0.0, "accumulate": 2},
    **{"generator_penalties.path_length": 0.5, "generator_penalties.latent_diversity": 0.2},
    **{"generator_penalties.orthogonal": 0.1},
    **{"generator_penalty_interval": 2, "penalty_schedule.schedule": "linear"},
    **{"conditional": True, "fake_labels": "uniform", "augment.name": "apa", "augment.speed": 12},
    **{"augment.target": 0.1, "generator.widths": (5,), "discriminator.widths": (5,)},
    **{"generator_optimizer.b1": 0.5, "generator_optimizer.b1_final": 0.2},
    **{"generator_optimizer.b2": 0.9, "generator_optimizer.b2_final": 0.99},
    **{"generator_optimizer.schedule": "linear", "generator_optimizer.final": 1.0},
    **{"generator_optimizer.warmup": 2.0},
    **{"discriminator_optimizer.clip_weights": 0.4},
    **{"ema.half_life": 8.0, "ema.ramp": 0.0, "ema.schedule": "linear", "ema.final": 2.0},
}


def moving_written_out():
    """The GAN of `MOVING`, by hand. A descent of the generator stands for 2/3 of 4 images."""

    def seen(count):
        return 4 * 2 / 3 * count

    def share(count):
        return jnp.clip((seen(count) - 2) / (20 - 2), 0, 1)

    return gan_jax.gan(
        generator=gan_jax.mlp.MLPGenerator(SHAPE, (5,), num_classes=CLASSES),
        discriminator=gan_jax.mlp.MLPDiscriminator((5,), num_classes=CLASSES),
        generator_optimizer=optax.inject_hyperparams(optax.adam)(
            lambda count: 2 / 3 * 6e-4 * jnp.minimum(1, seen(count) / 2),
            b1=lambda count: (0.5 - 0.3 * share(count)) ** (2 / 3),
            b2=lambda count: (0.9 + 0.09 * share(count)) ** (2 / 3),
        ),
        discriminator_optimizer=optax.chain(
            optax.adam(6e-4, b1=0.0, b2=0.99), gan_jax.clip_weights(0.4)
        ),
        loss=gan_jax.losses.HINGE,
        penalties=[(gan_jax.penalties.r1, lambda step: 1 - step / 5)],
        generator_penalties=[
            (gan_jax.generator_penalties.PATH_LENGTH, lambda step: 0.5 * (1 - step / 5), 2),
            (gan_jax.generator_penalties.latent_diversity, lambda step: 0.2 * (1 - step / 5)),
            (gan_jax.generator_penalties.ORTHOGONAL, lambda step: 0.1 * (1 - step / 5)),
        ],
        pseudo=gan_jax.augment.adaptive_pseudo(images=BATCH, target=0.1, speed_images=12),
        image_shape=SHAPE,
        latent_dim=3,
        num_classes=CLASSES,
        uniform_fake_labels=True,
        accumulate=2,
        ema=lambda step: 0.5 ** (BATCH / (8 * (1 + step / 5))),
        diagnostics=True,
    )


@pytest.mark.parametrize(
    ("settings", "by_hand"),
    [(SETTINGS, written_out), (LAZY, lazy_written_out), (MOVING, moving_written_out)],
)
def test_a_config_becomes_the_gan_that_it_says(settings, by_hand, key):
    """Three updates of both, from the same start on the same data."""
    facts = FACTS if "data.normalize" in settings else FACTS._replace(mean=None, std=None)
    built, expected = experiment.build_algorithm(smoke(**settings), facts), by_hand()
    assert built.minibatches == expected.minibatches
    random, rows = np.random.default_rng(0), (built.minibatches, BATCH)
    batch = {
        "image": jnp.float32(random.uniform(-1, 1, (*rows, *SHAPE))),
        "label": jnp.int32(random.integers(0, CLASSES, rows)),
        "index": jnp.arange(built.minibatches * BATCH).reshape(rows),
    }

    def trained(gan):
        state, update = quick_jit(gan.init)(key), quick_jit(gan.update)
        for _ in range(STEPS):
            state, metrics = update(state, batch)
        return state.replace(key=None), metrics, gan.sample(state.ema, key, 7)

    compare = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)
    jax.tree.map(compare, trained(built), trained(expected))


def test_a_batch_is_normalized_over_all_devices(key):
    """From a config: the statistics of a generator on one device and over an axis of four."""
    settings = {"generator.norm": "batch", "penalties.r1": 0.0, "penalties.r2": 0.0}
    config, facts = smoke(**settings), FACTS._replace(mean=None, std=None)
    alone, over = (experiment.build_algorithm(config, facts, axis) for axis in (None, "devices"))
    random, rows = np.random.default_rng(0), (alone.minibatches, 8)
    batch = {
        "image": jnp.float32(random.uniform(-1, 1, (*rows, *SHAPE))),
        "index": jnp.arange(alone.minibatches * 8).reshape(rows),
    }
    split = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(len(x), 4, 2, *x.shape[2:]), 1, 0), batch)
    update = jax.vmap(over.update, axis_name="devices", in_axes=(None, 0), out_axes=None)
    state = quick_jit(alone.init)(key)
    one, _ = quick_jit(alone.update)(state, batch)
    four, _ = quick_jit(update)(state, split)
    before, found, expected = (s.generator.variables for s in (state, four, one))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), before, expected)
    assert min(jax.tree.leaves(moved)) > 1e-3


def test_parts_that_do_not_suit_each_other_are_refused():
    for words, settings in {
        "judges each fake by itself": {"top_k.least": 0.5, "loss": "relativistic_average"},
        "accumulate=2 takes a batch": {"accumulate": 2, "loss": "relativistic_average"},
        "config: path_length: .* a generator": {
            **{"generator.norm": "batch", "generator_penalties.path_length": 1.0},
        },
        "mixes classes": {"fake_labels": "uniform", "conditional": True},
        "fake_labels=uniform needs": {"fake_labels": "uniform"},
        "apa steers by": {"augment.name": "apa", "loss": "wasserstein"},
        "use diffaugment": {"augment.name": "ada", "loss": "wasserstein"},
        "is empty": {"augment.name": "diffaugment", "augment.operations": ()},
        "judges pixels": {"penalties.cutmix": 1.0},
        "cutmix tells pixels": {"penalties.cutmix": 1.0, "augment.name": "ada"},
    }.items():
        with pytest.raises(InputError, match=words):
            checks.check_config(smoke(**settings))
    points = FACTS._replace(image_shape=(1, 1, 2))
    with pytest.raises(InputError, match="points"):
        checks.check_data(smoke(**{"penalties.consistency": 1.0}), points)


def of_family(name, **discriminator):
    config = smoke()
    with config.unlocked():
        config.generator = ConfigDict({"family": name})
        config.discriminator = ConfigDict({"family": name, **discriminator})
    return config


@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_what_a_network_refuses_names_it(side):
    config = of_family("sngan")
    with config.unlocked():
        config[side].widths = (8,)
    with pytest.raises(InputError, match=rf"config: {side}: widths has 1 entries; images of 28"):
        checks.check_config(config)


def test_a_network_that_ends_linearly_by_default_can_be_standardized():
    for family, words in {"r3gan": None, "dcgan": "tanh cannot reach"}.items():
        config = of_family(family)
        config.data.normalize = "standardize"
        if words is None:
            checks._check_fit(config)
        else:
            with pytest.raises(InputError, match=words):
                checks._check_fit(config)


@pytest.mark.parametrize(
    ("family", "side", "field", "value", "words"),
    [
        ("stylegan2", "generator", "mapping_layers", 0, "greater than 0"),
        ("stylegan2", "generator", "mapping_rate", 0.0, "greater than 0"),
        ("stylegan2", "generator", "style_width", -2, "greater than 0"),
        ("stylegan2", "generator", "mixing", 2.0, "at most 1"),
        ("stylegan2", "generator", "mean_decay", -0.5, "not be negative"),
        ("stylegan2", "discriminator", "minibatch_group", 0, "greater than 0"),
        ("stylegan2", "discriminator", "channel_base", 0, "greater than 0"),
        ("r3gan", "generator", "class_embedding", 0, "greater than 0"),
        ("sagan", "generator", "shared_embedding", -1, "not be negative"),
        ("sagan", "discriminator", "attention", -1, "not be negative"),
    ],
)
def test_fields_of_networks_that_cannot_be_are_refused(family, side, field, value, words):
    config = of_family(family)
    with config.unlocked():
        config[side][field] = value
    with pytest.raises(InputError, match=rf"config\.{side}\.{field} is {value}; it must.* {words}"):
        checks.check_config(config)


def test_groups_of_a_minibatch_divide_what_goes_through_a_device_at_once():
    config = of_family("stylegan2", minibatch_group=4)
    for batch, devices, accumulate in ((8, 1, 1), (8, 2, 1), (24, 2, 3), (3, 1, 1)):
        config.batch_size, config.accumulate = batch, accumulate
        checks.check_batch(config, devices)
    for batch, devices, accumulate in ((36, 2, 3), (8, 4, 1), (8, 1, 4)):
        config.batch_size, config.accumulate = batch, accumulate
        with pytest.raises(InputError, match=r"minibatch_group is 4, .* examples .* try 2"):
            checks.check_batch(config, devices)


def test_augmentation_is_what_the_config_says_and_not_of_points(key):
    images, keys = jnp.zeros((2, 8, 8, 1)) + 0.5, jax.random.split(key, 2)
    assert experiment._augment(smoke()) is None
    cut = smoke(**{"augment.name": "diffaugment", "augment.operations": ("cutout",)})
    assert set(np.unique(experiment._augment(cut)(images, keys))) == {0, 0.5}
    ada = experiment._augment(smoke(**{"augment.name": "ada", "augment.speed": 80}))
    (p,) = ada.update({"ada_probability": 0.5}, {"real_signs": jnp.float32(1)}).values()
    np.testing.assert_allclose(p, 0.5 + 8 / 80)  # a batch of smoke.py is 8
    with pytest.raises(InputError, match="points"):
        checks.check_data(cut, FACTS._replace(image_shape=(1, 1, 2)))


def test_a_fixed_augmentation_has_the_probability_that_the_config_says(key):
    """At p the pictures are those of `ada` with p: here of so many updates with batches of 8."""
    images, keys = jax.random.uniform(key, (40, 8, 8, 3)), jax.random.split(key, 40)
    policy = ("blit", "warp", "colour", "cutout")
    strengths = {
        "colour": dict.fromkeys(("brightness", "contrast", "luma", "hue", "saturation"), 0.5)
    }
    fixed = {"augment.name": "fixed", "augment.policy": "r3gan", "augment.probability": 0.6}

    @quick_jit
    def ada(p):
        return gan_jax.augment.ada(images, keys, p, policy, strengths=strengths)

    cosine = {"augment.schedule": "cosine", "augment.images": 80.0}
    for step, overrides, p in (
        *((7, {}, 0.6), (0, cosine, 0.0), (5, cosine, 0.3), (10, cosine, 0.6), (99, cosine, 0.6)),
        (2, {"augment.schedule": "linear", "augment.images": 80.0}, 0.12),
        (10, {"augment.schedule": "linear"}, 0.15),  # of the whole run, 40 updates
    ):
        config = smoke(**fixed, **overrides)
        found = experiment._probability(config.augment, config, jnp.int32(step))
        np.testing.assert_allclose(found, p, atol=1e-6)
    for step, overrides, p in ((7, {}, 0.6), (5, cosine, 0.3)):
        function = experiment._augment(smoke(**fixed, **overrides)).function
        expected = ada(p)
        found = quick_jit(function)(images, keys, step=jnp.int32(step))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    adapting = experiment._augment(smoke(**fixed | {"augment.name": "ada"}))
    found = quick_jit(adapting.function)(images, keys, controls={"ada_probability": 0.6})
    np.testing.assert_allclose(found, ada(0.6), atol=1e-5)
    with pytest.raises(InputError, match=r"probability=0\.0: set it"):
        checks.check_config(smoke(**{"augment.name": "fixed"}))


def test_the_data_s_augmentation_is_what_the_config_says_and_not_of_points(key):
    assert set(smoke().data.augment) == set(gan_jax.augment.PLAIN)
    assert experiment._augment_data(smoke()) is None
    images, keys = jax.random.uniform(key, (4, 8, 8, 1)), jax.random.split(key, 4)
    some = smoke(**{"data.augment.flip": 1.0, "data.augment.crop": 2})
    expected = gan_jax.augment.plain(images, keys, {"flip": 1.0, "crop": 2})
    np.testing.assert_array_equal(experiment._augment_data(some)(images, keys), expected)
    with pytest.raises(InputError, match=r"data\.augment\.crop is for images"):
        checks.check_data(some, FACTS._replace(image_shape=(1, 1, 2)))


def test_the_plan_is_balanced_where_the_config_says_so():
    """One example in forty is of class 0, but every other one that is drawn."""
    labels = np.int32(np.arange(40) > 0)
    images = np.zeros((40, *SHAPE), np.uint8)
    source = ArraySource(
        name="", split="train", fingerprint="", class_names=("a", "b"), images=images, labels=labels
    )

    def drawn(balance):
        plan = experiment.build_plan(smoke(**{"data.balance": balance}), source)
        return labels[plan(np.arange(80))]

    assert np.bincount(drawn("uniform")).tolist() == [40, 40]
    assert np.bincount(drawn("none")).tolist() == [2, 78]
