"""What is switched off costs nothing: the compiled update against a plain one written out here."""

import jax
import jax.numpy as jnp
import optax
import pytest
from runs import smoke

import gan_jax
from gan_jax import experiment, rng
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES

SHAPE, LATENT, BATCH, DECAY = (8, 8, 1), 16, 32, 0.999
GENERATOR = gan_jax.mlp.MLPGenerator(SHAPE, (64,))
DISCRIMINATOR = gan_jax.mlp.MLPDiscriminator((64,))
ADAM = optax.adam(1e-3, b1=0.0)


def build(**options):
    return gan_jax.gan(
        generator=GENERATOR,
        discriminator=DISCRIMINATOR,
        generator_optimizer=ADAM,
        discriminator_optimizer=ADAM,
        loss=LOSSES["non_saturating"],
        image_shape=SHAPE,
        latent_dim=LATENT,
        ema=DECAY,
        **options,
    )


def plain_update(state, batch):
    """A non-saturating GAN's update, as one writes it without a library."""
    g, d = state.generator, state.discriminator

    def noise(phase):
        keys = rng.keys_for(rng.key_for(state.key, phase, state.step), batch["index"][0])
        return rng.normal(rng.substream(keys, "z"), (LATENT,))

    def generate(params, z):
        return GENERATOR.apply({"params": params}, z, train=True)

    def logits(params, images):
        return DISCRIMINATOR.apply({"params": params}, images, train=True).logits

    def discriminator_loss(params):
        real, fake = logits(params, batch["image"][0]), logits(params, fakes)
        return (jax.nn.softplus(-real) + jax.nn.softplus(fake)).mean()

    fakes = generate(g.params, noise("discriminator"))
    of_discriminator, gradient = jax.value_and_grad(discriminator_loss)(d.params)
    updates, d_state = ADAM.update(gradient, d.opt_state)
    d_params = optax.apply_updates(d.params, updates)

    def generator_loss(params):
        return jax.nn.softplus(-logits(d_params, generate(params, z))).mean()

    z = noise("generator")
    of_generator, gradient = jax.value_and_grad(generator_loss)(g.params)
    updates, g_state = ADAM.update(gradient, g.opt_state)
    g_params = optax.apply_updates(g.params, updates)
    ema = jax.tree.map(lambda a, b: b + DECAY * (a - b), state.ema["params"], g_params)
    state = state.replace(
        step=state.step + 1,
        generator=g.replace(params=g_params, opt_state=g_state),
        discriminator=d.replace(params=d_params, opt_state=d_state),
        ema={"params": ema},
    )
    return state, {"discriminator_loss": of_discriminator, "generator_loss": of_generator}


def operations(update, state, batch):
    return jax.jit(update).lower(state, batch).compile().cost_analysis()["flops"]


@pytest.fixture(scope="module")
def drawn(key):
    gan = build()
    index = jnp.arange(BATCH)[None]
    return gan.init(key), {"image": jnp.zeros((1, BATCH, *SHAPE)), "index": index}


def test_the_plain_update_is_the_same_mathematics(drawn):
    (a, losses), (b, expected) = jax.jit(build().update)(*drawn), jax.jit(plain_update)(*drawn)
    for name, value in expected.items():
        assert abs(losses[name] - value) < 1e-6
    for x, y in zip(jax.tree.leaves(a.generator), jax.tree.leaves(b.generator), strict=True):
        assert jnp.abs(x - y).max() < 1e-6


def test_an_update_with_everything_off_costs_what_a_plain_one_costs(drawn):
    """But for the means of the logits and of their signs, a few operations an example."""
    plain, ours = operations(plain_update, *drawn), operations(build().update, *drawn)
    print(plain, ours)
    assert plain <= ours < plain + 10 * 2 * BATCH


def test_a_config_with_everything_off_costs_as_much(drawn):
    """All that `experiment` builds of weights that are 0: within a thousandth."""
    off = smoke(
        diagnostics=False,
        **{
            "loss": "non_saturating",
            "penalties.r1": 0.0,
            "penalties.r2": 0.0,
            "penalty_interval": 4,
        },
        **{"latent_dim": LATENT, "generator.widths": (64,), "discriminator.widths": (64,)},
        **{"ema.half_life": 64.0, "ema.ramp": 0.0, "batch_size": BATCH},
    )
    algorithm = experiment.build_algorithm(off, experiment.DataFacts(SHAPE, None, 100, ""))
    ours = operations(algorithm.update, *drawn)
    expected = operations(build().update, *drawn)
    assert abs(ours - expected) < 1e-3 * expected


def test_what_is_on_is_counted(drawn):
    penalized = build(penalties=[(PENALTIES["r1"], 1.0)])
    assert operations(penalized.update, *drawn) > 1.2 * operations(build().update, *drawn)


def test_a_penalty_on_the_loss_s_own_logits_takes_no_pass(drawn):
    """LeCam's is of the reals and fakes that were judged: some operations an example."""
    steadied = build(penalties=[(PENALTIES["lecam"], 1.0)])
    state = steadied.init(jax.random.key(0))
    ours, plain = operations(steadied.update, state, drawn[1]), operations(build().update, *drawn)
    assert ours < plain + 30 * 2 * BATCH
