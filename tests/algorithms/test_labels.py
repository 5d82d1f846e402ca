"""Labels of fakes, and fakes that pretend to be reals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import BATCH, SHAPE, draw, linear_gan

import gan_jax
from gan_jax import rng
from gan_jax.objectives.penalties import PENALTIES

CLASSES = 3
REAL_LABELS = jnp.array([0, 0, 1, 1, 2, 2])


def recording(module, seen, name):
    """The module, noting every batch of (inputs, labels, keys) that it is given."""

    class Recorder:
        init = module.init

        def apply(self, variables, inputs, labels=None, **rest):
            def note(inputs, labels, keys):
                seen.append((name, np.asarray(inputs), np.asarray(labels), keys.tolist()))

            words = jax.random.key_data(rest["keys"])
            jax.debug.callback(note, inputs, labels, words, ordered=True)
            return module.apply(variables, inputs, labels, **rest)

    return Recorder()


def conditional(seen, **overrides):
    shared = {"widths": (), "num_classes": CLASSES}
    networks = {
        "generator": gan_jax.mlp.MLPGenerator(SHAPE, **shared),
        "discriminator": gan_jax.mlp.MLPDiscriminator(**shared),
    }
    networks = {name: recording(net, seen, name) for name, net in networks.items()}
    return linear_gan(**{"loss": "hinge", "penalties": ()} | networks | overrides, num_classes=3)


def passes(gan, seen, half_step, key):
    images, z, keys = draw(1)
    getattr(gan, half_step)(
        gan.init(key), jnp.float32(images), jnp.float32(z), labels=REAL_LABELS, keys=keys
    )
    jax.effects_barrier()
    return [(name, inputs, labels.tolist()) for name, inputs, labels, _ in seen], keys


@pytest.mark.parametrize("half_step", ["update_discriminator", "update_generator"])
@pytest.mark.parametrize("uniform", [False, True])
def test_fakes_are_made_and_judged_by_labels_of_their_own_or_of_their_rows(uniform, half_step, key):
    seen = []
    gan = conditional(seen, uniform_fake_labels=uniform)
    found, keys = passes(gan, seen, half_step, key)
    expected = REAL_LABELS
    if uniform:
        expected = rng.uniform_labels(rng.substream(keys, "labels"), CLASSES)
        assert expected.tolist() != REAL_LABELS.tolist()
    real = draw(1)[0].astype(np.float32)
    judged_reals = 0
    for name, inputs, labels in found:
        is_real = name == "discriminator" and np.array_equal(inputs, real)
        judged_reals += is_real
        assert labels == (REAL_LABELS if is_real else expected).tolist()
    assert judged_reals == (half_step == "update_discriminator")
    assert {name for name, _, _ in found} == {"generator", "discriminator"}


def test_uniform_labels_are_uniform_and_a_row_s_own(key):
    keys = rng.keys_for(key, jnp.arange(6000))
    labels = rng.uniform_labels(keys, CLASSES)
    counts = np.bincount(labels, minlength=CLASSES)
    assert len(counts) == CLASSES
    assert np.abs(counts - 2000).max() < 4 * np.sqrt(6000 * 2 / 9)
    np.testing.assert_array_equal(rng.uniform_labels(keys[5:9], CLASSES), labels[5:9])


def test_labels_of_their_own_are_refused_where_real_and_fake_are_judged_together():
    for options in (
        {"loss": "relativistic"},
        *({"penalties": [(PENALTIES[name], 1.0)]} for name in ("r2", "wgan_gp", "lecam")),
    ):
        with pytest.raises(gan_jax.InputError, match="mixes classes"):
            conditional([], uniform_fake_labels=True, **options)
    conditional([], uniform_fake_labels=True, penalties=[(PENALTIES["r1"], 1.0)])
    with pytest.raises(gan_jax.InputError, match="give num_classes"):
        linear_gan("hinge", uniform_fake_labels=True)


def test_class_losses_see_each_side_s_labels(key):
    """An auxiliary classifier whose loss is the labels themselves."""

    def discriminator(real, fake, labels, fake_labels):
        return jnp.float32(10 * labels + 100 * fake_labels)

    loss = gan_jax.class_losses.ClassLoss(
        discriminator, lambda fake, labels: jnp.float32(labels), "classifier"
    )
    gan = conditional([], class_loss=loss, uniform_fake_labels=True)
    images, z, keys = draw(1)
    given = {"labels": REAL_LABELS, "keys": keys}
    state = gan.init(key)
    own = rng.uniform_labels(rng.substream(keys, "labels"), CLASSES).mean()
    _, metrics = gan.update_discriminator(state, jnp.float32(images), jnp.float32(z), **given)
    np.testing.assert_allclose(metrics["discriminator_class_loss"], 10 + 100 * own, rtol=1e-6)
    _, metrics = gan.update_generator(state, None, jnp.float32(z), **given)
    np.testing.assert_allclose(metrics["generator_class_loss"], own, rtol=1e-6)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_pseudo_reals_are_other_fakes_under_the_labels_of_the_reals(p, key):
    seen = []
    pseudo = gan_jax.augment.adaptive_pseudo(images=BATCH, speed_images=100)._replace(
        initial={"apa_probability": p}
    )
    gan = conditional(seen, pseudo=pseudo)
    found, _ = passes(gan, seen, "update_discriminator", key)
    real = draw(1)[0].astype(np.float32)
    judged = [inputs for name, inputs, _ in found if name == "discriminator"]
    made = [inputs for name, inputs, _ in found if name == "generator"]
    assert len(judged) == len(made) == 2
    assert not np.isclose(made[0], made[1]).any(), "the pretenders have the latents of the fakes"
    assert sum(np.array_equal(images, real) for images in judged) == (p == 0)
    assert not np.array_equal(judged[0], judged[1])
    assert all(labels == REAL_LABELS.tolist() for _, _, labels in found)


def test_where_fakes_have_labels_of_their_own_the_pretenders_wear_those_of_the_reals(key):
    seen, pseudo = [], gan_jax.augment.adaptive_pseudo(images=BATCH)
    gan = conditional(seen, pseudo=pseudo, uniform_fake_labels=True)
    found, keys = passes(gan, seen, "update_discriminator", key)
    own = rng.uniform_labels(rng.substream(keys, "labels"), CLASSES).tolist()
    made = [labels for name, _, labels in found if name == "generator"]
    assert sorted(made) == sorted([own, REAL_LABELS.tolist()])


def first_row(images, z, keys):
    """What a penalty returns that has looked at one image."""
    return images(z)[:, 0, 0, 0]


def test_a_generator_penalty_sees_the_generator_as_the_loss_does(key):
    """Under the labels and the keys of the fakes."""
    seen = []
    gan = conditional(seen, uniform_fake_labels=True, generator_penalties=[(first_row, 1.0)])
    passes(gan, seen, "update_generator", key)
    made = [(labels.tolist(), keys) for name, _, labels, keys in seen if name == "generator"]
    assert len(made) == 2
    assert made[0] == made[1]
    assert made[0][0] != REAL_LABELS.tolist()


def test_a_diagnosis_judges_each_side_under_its_own_labels(key):
    """And the reals themselves, where fakes pretend to be some."""
    seen, pseudo = [], gan_jax.augment.adaptive_pseudo(images=BATCH)
    pseudo = pseudo._replace(initial={"apa_probability": 1.0})
    gan = conditional(seen, uniform_fake_labels=True, pseudo=pseudo)
    index = jnp.arange(BATCH)[None]
    batch = {"image": jnp.zeros((1, BATCH, *SHAPE)), "index": index, "label": REAL_LABELS[None]}
    gan.diagnose(gan.init(key), batch)
    jax.effects_barrier()
    made = [labels.tolist() for name, _, labels, _ in seen if name == "generator"]
    (own,) = (labels for labels in made if labels != REAL_LABELS.tolist())
    judged = {
        bool(inputs.any()): labels.tolist()
        for name, inputs, labels, _ in seen
        if name == "discriminator"
    }
    assert judged == {False: REAL_LABELS.tolist(), True: own}


def test_apa_moves_as_ada_does(key):
    pseudo = gan_jax.augment.adaptive_pseudo(images=BATCH, speed_images=100)
    controls = {"apa_probability": jnp.float32(0.5)}
    for rate, moved in ((0.7, 0.5 + BATCH / 100), (0.5, 0.5 - BATCH / 100)):
        after = pseudo.update(controls, {"real_signs": jnp.float32(rate)})
        np.testing.assert_allclose(after["apa_probability"], moved, rtol=1e-6)
    gan = linear_gan("hinge", pseudo=pseudo)
    images, z, keys = draw(1)
    state = gan.init(key)
    new, metrics = gan.update_discriminator(state, jnp.float32(images), jnp.float32(z), keys=keys)
    expected = max(0, np.sign(float(metrics["real_signs"]) - 0.6) * BATCH / 100)
    np.testing.assert_allclose(new.controls["apa_probability"], expected, rtol=1e-6)
