"""One update of a linear GAN against gradients written out by hand, and what moves when."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from linear import (
    BATCH,
    LATENT,
    R1,
    R2,
    RATE_D,
    RATE_G,
    SHAPE,
    bits,
    dense,
    draw,
    linear_gan,
    r1_and_r2,
    random_batch,
    same,
)

import gan_jax
from gan_jax import rng
from gan_jax.models.activations import linear
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slopes(loss, real, fake):
    """d L_D / d real, d L_D / d fake, d L_G / d fake for each row of the sum over the batch."""
    zero = np.zeros_like(real)
    if loss == "minimax":
        return -sigmoid(-real), sigmoid(fake), -sigmoid(fake)
    if loss == "non_saturating":
        return -sigmoid(-real), sigmoid(fake), -sigmoid(-fake)
    if loss == "least_squares":
        return real - 1, fake, fake - 1
    if loss == "wasserstein":
        return zero - 1, zero + 1, zero - 1
    if loss == "hinge":
        return zero - (real < 1), zero + (fake > -1), zero - 1
    if loss == "relativistic":
        return -sigmoid(fake - real), sigmoid(fake - real), -sigmoid(real - fake)
    assert loss == "relativistic_average"
    # softplus(mean f - r_i) and softplus(f_i - mean r); the generator's has the roles exchanged.
    a, b = sigmoid(fake.mean() - real), sigmoid(fake - real.mean())
    c, d = sigmoid(real.mean() - fake), sigmoid(real - fake.mean())
    return -a - b.mean(), b + a.mean(), -c - d.mean()


@pytest.mark.parametrize("loss", LOSSES)
def test_discriminator_update_is_the_gradient_written_out(loss, key):
    gan = linear_gan(loss)
    state = gan.init(key)
    images, z, keys = draw(1)
    new, metrics = gan.update_discriminator(state, jnp.float32(images), jnp.float32(z), keys=keys)
    (v, c), (w, b) = dense(state.generator.params), dense(state.discriminator.params)
    reals, fakes = images.reshape(BATCH, -1), z @ v + c
    by_real, by_fake, _ = slopes(loss, (reals @ w + b)[:, 0], (fakes @ w + b)[:, 0])
    # D is linear: its gradient by the image is w everywhere, so R1 = R2 = |w|^2 / 2.
    gradient_w = (by_real @ reals + by_fake @ fakes)[:, None] / BATCH + (R1 + R2) * w
    gradient_b = (by_real + by_fake).mean(keepdims=True)

    new_w, new_b = dense(new.discriminator.params)
    np.testing.assert_allclose(new_w, w - RATE_D * gradient_w, rtol=0, atol=1e-6)
    np.testing.assert_allclose(new_b, b - RATE_D * gradient_b, rtol=0, atol=1e-6)
    np.testing.assert_allclose(metrics["r1"], 0.5 * np.square(w).sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics["r2"], 0.5 * np.square(w).sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics["real_logits"], (reals @ w + b).mean(), atol=1e-6)
    assert same(new.replace(discriminator=state.discriminator), state)


@pytest.mark.parametrize("loss", LOSSES)
def test_generator_update_is_the_gradient_written_out(loss, key):
    gan = linear_gan(loss, ema=0.75)
    state = gan.init(key)
    images, z, keys = draw(2)
    new, _ = gan.update_generator(state, jnp.float32(images), jnp.float32(z), keys=keys)
    (v, c), (w, b) = dense(state.generator.params), dense(state.discriminator.params)
    reals, fakes = images.reshape(BATCH, -1), z @ v + c
    _, _, by_fake = slopes(loss, (reals @ w + b)[:, 0], (fakes @ w + b)[:, 0])
    by_image = by_fake[:, None] * w.T / BATCH

    new_v, new_c = dense(new.generator.params)
    np.testing.assert_allclose(new_v, v - RATE_G * z.T @ by_image, rtol=0, atol=1e-6)
    np.testing.assert_allclose(new_c, c - RATE_G * by_image.sum(0), rtol=0, atol=1e-6)
    average_v, _ = dense(new.ema["params"])
    np.testing.assert_allclose(average_v, 0.75 * v + 0.25 * new_v, rtol=0, atol=1e-6)
    assert int(new.step) == 1
    assert same(new.discriminator, state.discriminator)


# ---- penalties that wait, weights that move, parts that remember --------------------------------


def test_lazy_penalties_have_a_descent_of_their_own(key):
    """With k = 2: first the loss's, then 2 (R1 + R2) w at the weights that this gave."""
    gan = linear_gan(penalties=r1_and_r2(interval=2))
    images, z, keys = draw(1)
    state = gan.init(key)
    plain, _ = linear_gan(penalties=()).update_discriminator(state, images, z, keys=keys)
    w, b = dense(plain.discriminator.params)
    new, metrics = gan.update_discriminator(state, images, z, keys=keys)
    new_w, new_b = dense(new.discriminator.params)
    np.testing.assert_allclose(new_w, w - RATE_D * 2 * (R1 + R2) * w, rtol=0, atol=1e-6)
    np.testing.assert_allclose(new_b, b, rtol=0, atol=1e-6)
    np.testing.assert_allclose(metrics["r1"], 0.5 * np.square(w).sum(), rtol=1e-6)
    waiting, metrics = gan.update_discriminator(state, images, z, keys=keys, penalize=False)
    assert same(waiting.discriminator, plain.discriminator)
    assert float(metrics["r1"]) == 0


@pytest.mark.parametrize("d_steps", [1, 3])
def test_lazy_penalties_are_due_at_every_kth_update_of_the_discriminator(d_steps, key):
    """Counted by Adam, which counts each descent."""
    rate = optax.adam(1e-3)
    lazy = r1_and_r2(interval=4)
    gan = linear_gan(penalties=lazy, d_steps=d_steps, discriminator_optimizer=rate)
    state, r1 = gan.init(key), []
    for step in range(5):
        state, metrics = gan.update(state, random_batch(gan, seed=step))
        r1.append(float(metrics["r1"]))
    assert min(r1) > 0  # of the last turn, where there was none
    updates = 5 * d_steps
    assert int(state.discriminator.opt_state[0].count) == updates + -(-updates // 4)


def test_the_weight_of_a_penalty_may_follow_the_step(key):
    def weight(step):
        return jnp.where(step < 1, R1, 5 * R1)

    penalties = [(PENALTIES["r1"], weight), (PENALTIES["r2"], R2)]
    images, z, keys = draw(1)
    scheduled, fixed = linear_gan(penalties=penalties), linear_gan()
    heavy = linear_gan(penalties=[(PENALTIES["r1"], 5 * R1), (PENALTIES["r2"], R2)])
    for step, expected in ((0, fixed), (1, heavy)):
        state = fixed.init(key).replace(step=jnp.int32(step))
        new, _ = scheduled.update_discriminator(state, images, z, keys=keys)
        same_new, _ = expected.update_discriminator(state, images, z, keys=keys)
        (w, _), (expected_w, _) = (dense(s.discriminator.params) for s in (new, same_new))
        np.testing.assert_allclose(w, expected_w, rtol=0, atol=1e-6)


def test_what_a_penalty_remembers_is_in_the_state(key):
    gan = linear_gan("wasserstein", penalties=[(PENALTIES["lecam"], 0.5)])
    images, z, keys = draw(1)
    state = gan.init(key)
    new, metrics = gan.update_discriminator(state, images, z, keys=keys)
    np.testing.assert_allclose(new.controls["lecam_real"], 0.01 * metrics["real_logits"], rtol=1e-5)
    (v, c), (w, b) = dense(state.generator.params), dense(state.discriminator.params)
    reals, fakes = images.reshape(BATCH, -1), z @ v + c
    # The averages begin at 0: each logit l costs l^2 / 2, beside the loss's f - r.
    real_logits, fake_logits = (reals @ w + b)[:, 0], (fakes @ w + b)[:, 0]
    gradient = ((real_logits - 1) @ reals + (fake_logits + 1) @ fakes)[:, None] / BATCH
    np.testing.assert_allclose(
        dense(new.discriminator.params)[0], w - RATE_D * gradient, rtol=0, atol=1e-6
    )


def test_the_generator_learns_from_the_best_fakes_alone(key):
    gan = linear_gan("wasserstein", penalties=(), top_k=0.5)
    _, z, keys = draw(2)
    state = gan.init(key)
    new, _ = gan.update_generator(state, None, z, keys=keys)
    (v, c), (w, _) = dense(state.generator.params), dense(state.discriminator.params)
    best = np.argsort((z @ v + c) @ w[:, 0])[-BATCH // 2 :]
    expected = v + RATE_G * np.outer(z[best].mean(0), w[:, 0])
    np.testing.assert_allclose(dense(new.generator.params)[0], expected, rtol=0, atol=1e-6)


def test_of_the_best_fakes_alone_it_learns_the_class_too(key):
    """With a class loss that is the label itself."""
    networks = {
        "generator": gan_jax.mlp.MLPGenerator(SHAPE, widths=(), num_classes=BATCH),
        "discriminator": gan_jax.mlp.MLPDiscriminator(
            widths=(), num_classes=BATCH, conditioning="classifier"
        ),
    }
    loss = gan_jax.class_losses.ClassLoss(
        lambda *_: None, lambda fake, labels: jnp.float32(labels), "classifier"
    )
    options = {"penalties": (), "num_classes": BATCH, "class_loss": loss, "top_k": 0.5}
    gan = linear_gan("wasserstein", **networks, **options)
    _, z, keys = draw(6)
    state, z, labels = gan.init(key), jnp.float32(z), jnp.arange(BATCH)
    fakes = networks["generator"].apply(state.generator.weights, z, labels, train=True)
    logits = networks["discriminator"].apply(state.discriminator.weights, fakes, train=True).logits
    _, metrics = gan.update_generator(state, None, z, labels=labels, keys=keys)
    best = np.argsort(logits)[-BATCH // 2 :]
    assert best.mean() != labels.mean()
    np.testing.assert_allclose(metrics["generator_class_loss"], best.mean(), rtol=1e-6)


def test_a_class_loss_joins_both_sides_with_its_weight(key):
    """With SGD an update differs by rate times weight times the gradient of the class loss."""
    auxiliary = gan_jax.class_losses.AUXILIARY
    networks = {
        "generator": gan_jax.mlp.MLPGenerator(SHAPE, widths=(), output=linear, num_classes=3),
        "discriminator": gan_jax.mlp.MLPDiscriminator(
            widths=(), num_classes=3, conditioning="classifier"
        ),
    }
    plain = linear_gan(**networks, num_classes=3)
    gan = linear_gan(**networks, num_classes=3, class_loss=auxiliary, class_weight=0.25)
    images, z, keys = draw(6)
    images, z, labels = jnp.float32(images), jnp.float32(z), jnp.array([0, 2, 1, 1, 0, 2])
    state = gan.init(key)
    given = {"labels": labels, "keys": keys}

    def class_logits(discriminator, images):
        return networks["discriminator"].apply({"params": discriminator}, images, train=True)[2]

    def fakes(generator):
        return networks["generator"].apply({"params": generator}, z, labels, train=True)

    def of_discriminator(params):
        logits = (class_logits(params, images), class_logits(params, fakes(state.generator.params)))
        return auxiliary.discriminator(*logits, labels, labels).mean()

    def of_generator(params):
        return auxiliary.generator(
            class_logits(state.discriminator.params, fakes(params)), labels
        ).mean()

    for side, rate, loss in (
        ("discriminator", RATE_D, of_discriminator),
        ("generator", RATE_G, of_generator),
    ):
        half_step = f"update_{side}"
        with_loss, metrics = getattr(gan, half_step)(state, images, z, **given)
        without, _ = getattr(plain, half_step)(state, images, z, **given)
        value, gradient = jax.value_and_grad(loss)(getattr(state, side).params)
        np.testing.assert_allclose(metrics[f"{side}_class_loss"], value, rtol=1e-5)
        expected = jax.tree.map(
            lambda p, g, rate=rate: p - rate * 0.25 * g, getattr(without, side).params, gradient
        )
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
            getattr(with_loss, side).params,
            expected,
        )


# ---- the whole update ----------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "d_steps"), [("relativistic", 1), ("non_saturating", 3)])
def test_update_is_its_half_steps_with_fresh_noise_and_reals(loss, d_steps, key):
    seen = []
    network = gan_jax.mlp.MLPGenerator(SHAPE, widths=(), output=linear)
    gan = linear_gan(loss, d_steps=d_steps, generator=Recorder(network, seen))
    assert gan.minibatches == d_steps + (loss == "relativistic")
    state, batch = gan.init(key), random_batch(gan, seed=3)
    new, metrics = gan.update(state, batch)
    jax.effects_barrier()

    noise = np.stack(seen)
    assert noise.shape == (d_steps + 1, BATCH, LATENT)
    assert len(np.unique(noise)) == noise.size, "some noise was drawn twice"
    assert int(new.step) == 1
    assert metrics.keys() >= {"discriminator_loss", "generator_loss", "r1", "r2"}
    # Every minibatch of reals counts: changing any one changes the result.
    for minibatch in range(gan.minibatches):
        other = batch | {"image": batch["image"].at[minibatch].multiply(0.5)}
        changed, _ = gan.update(state, other)
        assert not same(changed.generator, new.generator)


def test_update_is_its_half_steps_one_after_the_other(key):
    """Whoever lifts the half-steps, and draws as `rng` says, gets the same update."""
    gan = linear_gan()
    state, batch = gan.init(key), random_batch(gan, seed=8)
    expected = state
    for row, phase in enumerate(("discriminator", "generator")):
        keys = rng.keys_for(rng.key_for(state.key, phase, state.step), batch["index"][row])
        z = rng.normal(rng.substream(keys, "z"), (LATENT,))
        half_step = getattr(gan, f"update_{phase}")
        expected, _ = half_step(expected, batch["image"][row], z, keys=keys)
    new, _ = gan.update(state, batch)
    for a, b in zip(jax.tree.leaves(bits(new)), jax.tree.leaves(bits(expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-7)


class Recorder:
    """A generator that notes every z it is given."""

    def __init__(self, network, seen):
        self.init, self._network, self._seen = network.init, network, seen

    def apply(self, variables, z, labels=None, **rest):
        jax.debug.callback(lambda z: self._seen.append(np.asarray(z)), z)
        return self._network.apply(variables, z, labels, **rest)


def test_one_row_never_sees_another(key):
    """The draw of row i depends on its index alone: permuted rows give the same update."""
    gan = linear_gan()
    state, batch = gan.init(key), random_batch(linear_gan(), seed=4)
    order = np.random.default_rng(0).permutation(BATCH)
    shuffled = {name: value[:, order] for name, value in batch.items()}
    one, _ = gan.update(state, batch)
    other, _ = gan.update(state, shuffled)
    for a, b in zip(jax.tree.leaves(one.generator), jax.tree.leaves(other.generator), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_image_i_depends_on_the_key_and_i_only(key):
    gan = linear_gan()
    weights = gan.init(key).ema
    whole = gan.sample(weights, key, 10)
    np.testing.assert_allclose(gan.sample(weights, key, 4), whole[:4], atol=1e-6)
    np.testing.assert_allclose(gan.sample(weights, key, 3, offset=5), whole[5:8], atol=1e-6)
    assert whole.shape == (10, *SHAPE)
    assert whole.dtype == jnp.float32
    assert np.abs(whole - gan.sample(weights, jax.random.key(9), 10)).max() > 0.1


def conditional_gan(loss="relativistic"):
    return linear_gan(
        loss,
        generator=gan_jax.mlp.MLPGenerator(SHAPE, widths=(8,), num_classes=3),
        discriminator=gan_jax.mlp.MLPDiscriminator(widths=(8,), num_classes=3),
        num_classes=3,
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_a_conditional_gan_reads_labels_everywhere(loss, key):
    gan = conditional_gan(loss)
    state, batch = gan.init(key), random_batch(gan, seed=6)
    labels = jnp.zeros(batch["index"].shape, jnp.int32)
    one, _ = gan.update(state, batch | {"label": labels})
    for row in range(gan.minibatches):
        other, _ = gan.update(state, batch | {"label": labels.at[row].set(1)})
        assert not same(one.generator, other.generator)
    images = gan.sample(state.ema, key, 6)
    asked = gan.sample(state.ema, key, 6, labels=jnp.array([0, 1, 2, 0, 1, 2]))
    np.testing.assert_array_equal(images, asked)  # by default the classes take turns
    swapped = gan.sample(state.ema, key, 6, labels=jnp.array([1, 1, 2, 0, 1, 2]))
    assert np.abs(images - swapped).max(axis=(1, 2, 3)).nonzero()[0].tolist() == [0]


def test_no_discriminator_step_is_refused():
    with pytest.raises(gan_jax.InputError, match="d_steps is 0"):
        linear_gan(d_steps=0)


def test_penalties_go_by_the_names_of_their_functions(key):
    """A partial by that of the function within; two of one name would share their draws."""
    r1, partial = PENALTIES["r1"], functools.partial(PENALTIES["r2"])
    gan = linear_gan(penalties=[(r1, R1), (functools.partial(partial), R2), (Silent(), 1.0)])
    state = gan.init(key)
    images, z, keys = draw(1)
    _, metrics = gan.update_discriminator(state, jnp.float32(images), jnp.float32(z), keys=keys)
    assert {"r1", "r2", "Silent"} <= metrics.keys()
    with pytest.raises(gan_jax.InputError, match="have the name r1"):
        linear_gan(penalties=[(r1, R1), (functools.partial(r1), R2)])


class Silent:
    """A penalty that is an object."""

    def __call__(self, discriminate, real, fake, keys):
        return jnp.zeros(len(real))


def test_samples_stay_in_range_though_the_output_is_linear(key):
    gan = linear_gan()
    weights = jax.tree.map(lambda x: 50 * x, gan.init(key).ema)
    images = gan.sample(weights, key, 20)
    assert np.abs(images).max() == 1
