"""StyleGAN2's two halves: against their formulas, styles mixed and truncated, noise by example."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from references import convolved, filtered, modulated, padded
from runs import quick_jit

import gan_jax
from gan_jax import rng
from gan_jax.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan_jax.nn.resample import filter_up
from gan_jax.objectives.generator_penalties import PATH_LENGTH

LATENT, ROWS, LAYERS = 6, 64, 4
SMALL = {"image_shape": (8, 8, 3), "width": 5, "style_width": 7, "mapping_layers": 2}
KEYS = rng.keys_for(jax.random.key(3), jnp.arange(ROWS))
Z = rng.normal(KEYS, (LATENT,))


def initialized(module, *inputs):
    return quick_jit(lambda *inputs: module.init(jax.random.key(0), *inputs, train=False))(*inputs)


def applied(module, variables, *inputs, train=False, **options):
    """Compiled, with keys as an argument."""
    keys = options.pop("keys", None)

    def run(variables, keys, *inputs):
        return module.apply(variables, *inputs, train=train, keys=keys, **options)

    return quick_jit(run)(variables, keys, *inputs)


@pytest.fixture(scope="module")
def variables():
    """With a mean of styles that is not 0, and strengths and biases that are not either."""
    drawn = initialized(StyleGAN2Generator(**SMALL), Z[:1])
    random = np.random.default_rng(0)

    def moved(path, leaf):
        name = path[-1].key
        return (
            leaf if name.startswith(("kernel", "first")) else leaf + random.normal(size=leaf.shape)
        )

    return jax.tree_util.tree_map_with_path(moved, drawn)


def mapped(variables, *, train=False, keys=KEYS, mutable=False, **fields):
    """Styles; in training, a pair with the variables that moved."""
    options = {"train": train, "keys": keys, "mutable": mutable, "method": "mapping"}
    return applied(StyleGAN2Generator(**SMALL | fields), variables, Z, **options)


def pixel_norm(x):
    return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-8)


def leaky(x):
    return np.sqrt(2) * np.where(x > 0, x, 0.2 * x)


def test_the_mapping_is_its_formula(variables):
    w = pixel_norm(np.float64(Z))
    for layer in range(2):
        params = variables["params"]["style_of"][f"EqualizedDense_{layer}"]
        kernel, bias = np.float64(params["kernel"]), np.float64(params["bias"])
        w = leaky(0.01 * (w @ kernel / np.sqrt(len(kernel)) + bias))
    found = mapped(variables)
    assert found.shape == (ROWS, LAYERS, 7)
    for layer in range(LAYERS):
        np.testing.assert_allclose(found[:, layer], w, rtol=0, atol=1e-5 * np.abs(w).max())


def test_the_image_is_the_sum_of_what_the_stages_add(variables):
    """Doubled by the filter from stage to stage; a stage's last w is the first of the next."""
    w = jax.random.normal(jax.random.key(1), (2, LAYERS, 7))
    found = applied(StyleGAN2Generator(**SMALL), variables, w, keys=KEYS[:2], method="synthesis")
    params = variables["params"]["image_of"]

    def styled(x, layer, number, *, up):
        own = params[f"StyledConv_{number}"]
        x = modulated(own["ModulatedConv_0"], x, w[:, layer], up=up, demodulate=True)
        noise = rng.normal(rng.substream(KEYS[:2], f"noise/{number}"), (*x.shape[1:3], 1))
        return leaky(x + own["strength"] * noise + own["bias"])

    def colours(x, layer, number):
        own = params[f"ModulatedConv_{number}"]
        x = modulated(own, x, w[:, layer], up=False, demodulate=False)
        return x + params[f"bias_{number}"]

    x = styled(jnp.broadcast_to(params["first"], (2, 4, 4, 5)), 0, 0, up=False)
    images = colours(x, 1, 0)
    x = styled(styled(x, 1, 1, up=True), 2, 2, up=False)
    images = filter_up(images) + colours(x, 3, 1)
    np.testing.assert_allclose(found, images, rtol=0, atol=1e-5 * float(jnp.abs(images).max()))


@pytest.mark.parametrize("residual", [True, False])
def test_the_discriminator_is_its_formula(residual):
    critic = StyleGAN2Discriminator(width=5, residual=residual, minibatch_group=2)
    images = np.random.default_rng(1).normal(size=(4, 8, 8, 3)).astype(np.float32)
    drawn = initialized(critic, images)
    random = np.random.default_rng(2)
    params = jax.tree_util.tree_map_with_path(
        lambda path, x: random.normal(size=x.shape) if path[-1].key == "bias" else np.float64(x),
        drawn["params"],
    )

    def conv(number, x, k, *, down=False):
        own = params[f"EqualizedConv_{number}"]
        edges = k // 2 + 1 if down else k // 2
        x = filtered(padded(x, edges, edges)) if down else padded(x, edges, edges)
        x = convolved(x, own["kernel"], 2 if down else 1) / np.sqrt(k * k * own["kernel"].shape[2])
        return x + own.get("bias", 0)

    def dense(number, x):
        own = params[f"EqualizedDense_{number}"]
        return x @ own["kernel"] / np.sqrt(x.shape[-1]) + own["bias"]

    x = leaky(conv(0, images, 1))
    y = leaky(conv(2, leaky(conv(1, x, 3)), 3, down=True))
    last = 4 if residual else 3
    if residual:
        y = (y + conv(3, x, 1, down=True)) / np.sqrt(2)
    pairs = y.reshape(2, 2, 4, 4, 5)  # a pair's deviation is half of its difference
    told = np.sqrt((pairs[:, 0] - pairs[:, 1]) ** 2 / 4 + 1e-8).mean((1, 2, 3))
    told = np.broadcast_to(np.repeat(told, 2)[:, None, None, None], (4, 4, 4, 1))
    y = leaky(conv(last, np.concatenate([y, told], -1), 3))
    features = leaky(dense(0, y.reshape(4, -1)))
    found = applied(critic, {"params": jax.tree.map(np.float32, params)}, images)
    logits = dense(1, features)[:, 0]
    near = {"rtol": 0, "atol": 1e-5 * np.abs(features).max()}
    np.testing.assert_allclose(found.features, features, **near)
    np.testing.assert_allclose(found.logits, logits, rtol=0, atol=1e-5 * np.abs(logits).max())


def test_styles_are_mixed_from_a_layer_on_in_training_only(variables):
    plain, other = mapped(variables), mapped(variables, keys=rng.substream(KEYS, "x"))
    np.testing.assert_array_equal(plain, other)  # no draws without training
    (mixed, _) = mapped(variables, train=True, mutable=["mean_style"])
    others = rng.normal(rng.substream(KEYS, "mixing"), (LATENT,))
    second = applied(StyleGAN2Generator(**SMALL), variables, others, method="mapping")
    near = {"rtol": 0, "atol": 1e-5 * float(jnp.abs(plain).max())}
    kept = np.isclose(mixed, plain, **near).all(-1)
    assert np.all(kept | np.isclose(mixed, second, **near).all(-1))
    counts = kept.sum(1)
    for row, count in zip(kept, counts, strict=True):
        assert row[:count].all()  # first layers keep theirs
    assert counts.min() == 1  # the first always does
    assert set(counts.tolist()) == {1, 2, 3, LAYERS}
    assert 0.02 < (counts == LAYERS).mean() < 0.25  # one in ten is not mixed
    never, _ = mapped(variables, train=True, mutable=["mean_style"], mixing=0.0)
    np.testing.assert_allclose(never, plain, **near)
    with pytest.raises(gan_jax.InputError, match="give keys, or set mixing to 0"):
        mapped(variables, train=True, keys=None, mutable=["mean_style"])


def test_the_mean_of_styles_follows_in_training(variables):
    _, moved = mapped(variables, train=True, mutable=["mean_style"])
    mean = variables["mean_style"]["mean"]
    expected = 0.995 * mean + 0.005 * mapped(variables)[:, 0].mean(0)
    np.testing.assert_allclose(moved["mean_style"]["mean"], expected, rtol=1e-5)


def test_truncation_moves_styles_towards_their_mean(variables):
    mean, plain = variables["mean_style"]["mean"], mapped(variables)
    generator = StyleGAN2Generator(**SMALL)
    for psi in (0.0, 0.5, 2.0):
        found = applied(generator, variables, Z, truncation=psi, method="mapping")
        np.testing.assert_allclose(found, mean + psi * (plain - mean), rtol=1e-4, atol=1e-5)
    whole = applied(generator, variables, Z[:3], truncation=0.0)
    np.testing.assert_allclose(whole, jnp.broadcast_to(whole[:1], whole.shape), atol=1e-4)


def test_noise_is_drawn_by_example_and_has_strength_zero_at_first(variables):
    generator = StyleGAN2Generator(**SMALL)

    def images(variables, keys, rows=slice(None)):
        return applied(generator, variables, Z[rows], keys=keys)

    noisy, silent = images(variables, KEYS), images(variables, None)
    assert np.abs(noisy - silent).max() > 0.01
    np.testing.assert_allclose(images(variables, KEYS[:3], slice(3)), noisy[:3], atol=1e-4)
    first = initialized(generator, Z[:1])
    np.testing.assert_allclose(images(first, KEYS), images(first, None), atol=1e-5)


def of_path_length_alone():
    """A GAN whose generator learns from the penalty on path length and from nothing else."""
    loss = gan_jax.losses.LOSSES["non_saturating"]
    return gan_jax.gan(
        generator=StyleGAN2Generator(**SMALL | {"mixing": 1.0}),
        discriminator=StyleGAN2Discriminator(width=4, minibatch_group=2),
        generator_optimizer=optax.sgd(1.0),
        discriminator_optimizer=optax.sgd(0.0),
        loss=loss._replace(generator=lambda fake, real: jnp.zeros_like(fake)),
        generator_penalties=[(PATH_LENGTH, 2.0)],
        image_shape=SMALL["image_shape"],
        latent_dim=LATENT,
    )


def test_the_penalty_on_path_length_is_of_styles(variables):
    """|J' y| with J = dG/dw, of each layer; and both halves learn from it."""
    gan = of_path_length_alone()
    params, others = variables["params"], {"mean_style": variables["mean_style"]}
    state = quick_jit(gan.init)(jax.random.key(0))
    state = state.replace(generator=state.generator.replace(params=params, variables=others))
    z, keys = Z[:4], KEYS[:4]
    new, metrics = quick_jit(gan.update_generator)(state, None, z, keys=keys)
    generator, drawn = (
        StyleGAN2Generator(**SMALL | {"mixing": 1.0}),
        rng.substream(keys, "generator"),
    )
    of_penalty = rng.substream(rng.substream(keys, "penalty/path_length"), "direction")
    y = rng.normal(of_penalty, (8, 8, 3)) / 8
    options = {"train": True, "keys": drawn}

    def penalty(params):
        weights = {"params": params, **others}
        w, _ = generator.apply(weights, z, method="mapping", mutable=["mean_style"], **options)

        def along(w, i):  # of image i alone, which the other rows do not move
            return jnp.sum(generator.apply(weights, w, method="synthesis", **options)[i] * y[i])

        by_w = jax.vmap(lambda i: jax.grad(along)(w, i)[i])(jnp.arange(4))  # (4, layers, width)
        lengths = jnp.sqrt(jnp.square(by_w).sum(2).mean(1))
        return 2 * jnp.square(lengths).mean(), lengths

    (value, lengths), gradient = quick_jit(jax.value_and_grad(penalty, has_aux=True))(params)
    np.testing.assert_allclose(metrics["path_lengths"], lengths.mean(), rtol=1e-4)
    np.testing.assert_allclose(2 * metrics["path_length"], value, rtol=1e-4)
    moved = jax.tree.map(lambda old, new: old - new, params, new.generator.params)
    for half in ("style_of", "image_of"):
        largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(gradient[half]))
        assert largest > 1e-3
        for a, b in zip(jax.tree.leaves(moved[half]), jax.tree.leaves(gradient[half]), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-3 * largest)


def test_samples_are_truncated_by_their_styles(variables):
    gan = of_path_length_alone()

    def quieter(path, x):  # without noise, and so that pixels are not clipped
        return x * (0.0 if path[-1].key == "strength" else 0.3)

    weights = variables | {"params": jax.tree_util.tree_map_with_path(quieter, variables["params"])}

    def drawn(truncation):
        sample = functools.partial(gan.sample, num_samples=6, truncation=truncation)
        return quick_jit(sample)(weights, jax.random.key(2))

    whole = drawn(1.0)
    np.testing.assert_array_equal(whole, drawn(None))
    spreads = [float(images.std(0).max()) for images in (drawn(0.0), drawn(0.5), whole)]
    assert spreads[0] < 1e-5 < 1e-3 < spreads[2]
    assert spreads[1] != spreads[2]


def test_classes_are_embedded_and_projected():
    labels = jnp.arange(4) % 3
    generator = StyleGAN2Generator(**SMALL, num_classes=3)
    weights = initialized(generator, Z[:4], labels)
    images = applied(generator, weights, Z[:4], labels)
    assert np.abs(images - applied(generator, weights, Z[:4], labels + 1)).max() > 1e-3
    with pytest.raises(gan_jax.InputError, match="needs labels"):
        generator.apply(weights, Z[:4], train=False)
    critic = StyleGAN2Discriminator(
        width=5, style_width=7, num_classes=3, conditioning="projection", mapping_layers=1
    )
    weights = initialized(critic, images, labels)
    found = applied(critic, weights, images, labels)
    params = jax.tree.map(np.float64, weights["params"])
    told = params["Mapping_0"]["EqualizedDense_0"]["kernel"] / np.sqrt(3)
    told = pixel_norm(told)[np.asarray(labels)]
    told = leaky(0.01 * told @ params["Mapping_0"]["EqualizedDense_1"]["kernel"] / np.sqrt(7))
    turned = np.float64(found.features) @ params["EqualizedDense_1"]["kernel"] / np.sqrt(5)
    np.testing.assert_allclose(found.logits, (turned * told).sum(1) / np.sqrt(7), rtol=1e-3)


def test_a_standardized_generator_keeps_its_halves(variables):
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    inner = StyleGAN2Generator(**SMALL)
    wrapped = gan_jax.StandardizedGenerator(inner, mean, std)
    assert wrapped.has_mapping
    weights = {name: {"generator": tree} for name, tree in variables.items()}
    w = applied(wrapped, weights, Z[:3], method="mapping")
    images = applied(wrapped, weights, w, method="synthesis")
    expected = applied(inner, variables, Z[:3]) * np.array(std) + np.array(mean)
    np.testing.assert_allclose(images, expected, atol=1e-4)
    np.testing.assert_allclose(applied(wrapped, weights, Z[:3]), expected, atol=1e-4)
