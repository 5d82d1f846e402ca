import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.activations import ACTIVATIONS, linear
from gan_jax.models.families import FAMILIES
from gan_jax.models.mlp import NORMS, MLPDiscriminator, MLPGenerator
from gan_jax.models.sngan import SNGANDiscriminator
from gan_jax.models.standardized import StandardizedDiscriminator, StandardizedGenerator

LATENT = 12  # as many parts as a hierarchical latent is cut into divide it
ROWS = 8


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("channels", "num_classes", "dtype"), [(2, None, jnp.float32), (4, 7, jnp.bfloat16)]
)
def test_every_family_keeps_the_contract(family, channels, num_classes, dtype, key):
    shape, shared = (28, 28, channels), {"num_classes": num_classes, "dtype": dtype}
    generator = FAMILIES[family].generator(image_shape=shape, **shared)
    discriminator = FAMILIES[family].discriminator(**shared)
    labels = None if num_classes is None else jnp.zeros(ROWS, jnp.int32)

    def run(key):
        images, _ = generator.init_with_output(key, jnp.zeros((ROWS, LATENT)), labels, train=False)
        return images, discriminator.init_with_output(key, images, labels, train=False)[0]

    images, outputs = jax.eval_shape(run, key)
    assert (images.shape, images.dtype) == ((ROWS, *shape), jnp.float32)
    assert (outputs.logits.shape, outputs.logits.dtype) == ((ROWS,), jnp.float32)
    assert outputs.features.shape[0] == ROWS


def both(family, **fields):
    """A family's networks for 28 x 28 x 1, each with its inputs; those that attend, at 14 x 14."""
    if getattr(FAMILIES[family].generator, "attention", 0):
        fields["attention"] = 14
    generator = FAMILIES[family].generator(image_shape=(28, 28, 1), **fields)
    discriminator = FAMILIES[family].discriminator(**fields)
    return (generator, jnp.zeros((ROWS, LATENT))), (discriminator, jnp.zeros((ROWS, 28, 28, 1)))


def initialized(network, inputs, labels=None, train=False):
    return jax.eval_shape(
        lambda key: network.init(key, inputs, labels, train=train, keys=key[None]),
        jax.random.key(0),
    )


IN_FLOAT32 = {
    "pixel_logits": "of the U-Net",
    "EqualizedConv_7": "of StyleGAN2's discriminator, after the deviation of the batch",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_is_of_the_computation_alone(family):
    """Convolutions and dense layers give bfloat16, but for the logits; parameters are float32."""
    convolved, dense = set(), []

    def told(call, args, kwargs, context):
        found = call(*args, **kwargs)
        kind, name = type(context.module).__name__, context.module.name
        if "Conv" in kind and context.method_name == "__call__" and name not in IN_FLOAT32:
            assert found.dtype == jnp.bfloat16, context.module.path
            convolved.add(kind)
        if kind == "Dense" and len(context.module.path) == 1:  # and not a norm's
            dense.append(found.dtype)
        return found

    for network, inputs in both(family, dtype=jnp.bfloat16):
        dense.clear()
        with nn.intercept_methods(told):
            variables = initialized(network, inputs)
        if "Discriminator" in type(network).__name__ and dense:
            assert dense.pop() == jnp.float32  # the logits, which come last
        assert set(dense) <= {jnp.dtype("bfloat16")}
        params = variables.pop("params")

        def total(params, others, network=network, inputs=inputs):
            outputs, _ = network.apply(
                {"params": params, **others},
                inputs,
                train=True,
                keys=jax.random.split(jax.random.key(1), ROWS),
                mutable=list(others),
            )
            return jax.tree.leaves(outputs)[0].sum()

        gradients = jax.eval_shape(jax.grad(total), params, variables)
        assert {x.dtype for x in jax.tree.leaves(params)} == {jnp.dtype("float32")}
        assert {x.dtype for x in jax.tree.leaves(gradients)} == {jnp.dtype("float32")}
        assert "bf16" in str(jax.make_jaxpr(total)(params, variables))
    assert bool(convolved) == (family != "mlp")


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_with_classes_need_labels(family):
    for network, inputs in both(family, num_classes=3):
        with pytest.raises(InputError, match="needs labels"):
            initialized(network, inputs)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_pass_writes_nothing_where_nothing_may_be_written(family):
    for network, inputs in both(family):
        variables = initialized(network, inputs, train=True)
        keys = jax.random.split(jax.random.key(1), ROWS)
        jax.eval_shape(
            lambda variables, n=network, x=inputs, keys=keys: n.apply(
                variables, x, train=True, keys=keys
            ),
            variables,
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_batch_has_no_outputs(family):
    for network, inputs in both(family):
        variables = initialized(network, inputs)
        outputs = jax.eval_shape(
            lambda variables, n=network, x=inputs[:0]: n.apply(variables, x, train=False), variables
        )
        assert {x.shape[0] for x in jax.tree.leaves(outputs)} == {0}


@pytest.mark.parametrize(
    ("base", "count", "widths", "left"),
    [
        *((4, 3, [2, 2, 2, 2], 8), (6, 3, [1, 2, 4, 8, 16], 3), (4, 4, [1, 2, 4, 8, 16], 2)),
        *((4, 5, [1, 2, 4, 8, 16, 16], 4), (4, 6, [1, 2, 4, 8, 8, 16, 16], 4)),
        *((7, 2, [2, 2, 2, 2], 7), (7, 3, [2, 2, 2, 2], 14), (5, 4, [1, 2, 4, 8, 16], 5)),
    ],
)
def test_sngan_halves_as_the_authors_do(base, count, widths, left):
    """At 32, 48, 64, 128 and 256 pixels; at others down to what can be halved."""
    plan = SNGANDiscriminator.plan(base, count)
    assert [times for times, _ in plan] == widths
    assert base * 2**count == left * 2 ** sum(halves for _, halves in plan)


def test_the_mlps_of_the_article(key):
    generator, discriminator = MLPGenerator((28, 28, 1)), MLPDiscriminator()
    weights, critic = jax.eval_shape(
        lambda key: (
            generator.init(key, jnp.zeros((1, 100)), train=False),
            discriminator.init(key, jnp.zeros((1, 28, 28, 1)), train=False),
        ),
        key,
    )
    layers = [(100, 128), (128, 256), (256, 512), (512, 784)]
    assert count(weights) == sum(i * o + o for i, o in layers)
    layers = [(784, 512), (512, 256), (256, 128), (128, 1)]
    assert count(critic) == sum(i * o + o for i, o in layers)


LABELS = np.array([0, 2, 2, 1, 0, 1, 2, 0])


def normed(num_classes, **options):
    return MLPGenerator((2, 2, 1), (7, 5), num_classes=num_classes, norm="batch", **options)


@pytest.fixture
def drawn(key):
    """Latents, and for conditional generators variables with tables that are not 0."""
    z = jax.random.normal(key, (8, 3))
    variables = normed(3).init(key, z, LABELS, train=False)
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda x: x + np.float32(random.normal(size=x.shape)), variables)
    return z, {**variables, "params": params["params"]}


@pytest.mark.parametrize("num_classes", [None, 3])
def test_batch_normalization_stands_before_each_activation(num_classes, drawn, key):
    z, variables = drawn
    network = normed(num_classes)
    if num_classes is None:
        variables = network.init(key, z, train=False)
    plain = MLPGenerator((2, 2, 1), (7, 5), num_classes=num_classes)
    start, labels = network.init(key, z, LABELS, train=False), jnp.array(LABELS)
    for name, layer in plain.init(key, z, LABELS, train=False)["params"].items():
        jax.tree.map(np.testing.assert_array_equal, start["params"][name], layer)

    params = variables["params"]
    x = z if num_classes is None else np.concatenate([z, np.eye(3)[LABELS]], axis=1)
    for i in range(2):
        x = x @ params[f"Dense_{i}"]["kernel"] + params[f"Dense_{i}"]["bias"]
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
        if num_classes is not None:
            tables = params[f"BatchNorm_{i}"]
            x = x * (1 + tables["gain"][labels]) + tables["bias"][labels]
        x = np.where(x > 0, x, 0.2 * x)
    expected = np.tanh(x @ params["Dense_2"]["kernel"] + params["Dense_2"]["bias"])
    found = network.apply(variables, z, labels, train=True)
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-5)


def test_batch_normalization_sees_the_whole_batch(drawn):
    z, variables = drawn
    expected = normed(3).apply(variables, z, LABELS, train=True)
    part = normed(3, axis_name="devices")
    found = jax.vmap(
        lambda z, labels: part.apply(variables, z, labels, train=True), axis_name="devices"
    )(z.reshape(4, 2, 3), LABELS.reshape(4, 2))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-6)


def test_an_image_of_running_statistics_depends_on_its_own_latent_alone(drawn):
    z, variables = drawn
    together = normed(3).apply(variables, z, LABELS, train=False)
    alone = normed(3).apply(variables, z[:1], LABELS[:1], train=False)
    np.testing.assert_allclose(together[:1], alone, atol=1e-6)


def test_statistics_and_spectral_vectors_are_float32_in_half_precision(key):
    z, images = jnp.ones((5, 16)), jnp.ones((5, 28, 28, 1))
    for network, inputs, collection in (
        (MLPGenerator((28, 28, 1), norm="batch", dtype=jnp.bfloat16), z, "batch_stats"),
        (MLPDiscriminator(spectral=True, dtype=jnp.bfloat16), images, "spectral"),
    ):
        variables = jax.eval_shape(lambda n=network, x=inputs: n.init(key, x, train=False))
        outputs, updates = jax.eval_shape(
            lambda v, n=network, x=inputs, c=collection: n.apply(v, x, train=True, mutable=[c]),
            variables,
        )
        assert jax.tree.leaves(updates)
        for leaf in jax.tree.leaves((variables, outputs, updates)):
            assert leaf.dtype == jnp.float32


def test_an_unknown_norm_is_refused_with_the_choices(key):
    with pytest.raises(InputError, match=f"'bach'.*{', '.join(NORMS)}"):
        MLPGenerator((1, 1, 2), norm="bach").init(key, jnp.zeros((1, 3)), train=False)


def test_leaky_relu_has_slope_a_fifth():
    np.testing.assert_allclose(ACTIVATIONS["leaky_relu"](jnp.array([-1.0, 2.0])), [-0.2, 2.0])


MEAN, STD = (-0.5, 0.2), (0.3, 0.6)


def test_standardized_networks_see_mean_0_and_deviation_1(key):
    wrapped = MLPDiscriminator(widths=())
    network = StandardizedDiscriminator(wrapped, MEAN, STD)
    random = np.random.default_rng(0)
    images = jnp.float32(random.normal(MEAN, STD, size=(8, 5, 5, 2)))
    weights = network.init(key, images, train=True)
    inner = {"params": weights["params"]["discriminator"]}
    standardized = (np.asarray(images) - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(
        network.apply(weights, images, train=True).logits,
        wrapped.apply(inner, jnp.float32(standardized), train=True).logits,
        atol=1e-5,
    )


def test_standardized_generators_are_mapped_back(key):
    wrapped = MLPGenerator((5, 5, 2), widths=(), output=linear)
    network = StandardizedGenerator(wrapped, MEAN, STD)
    z = 4 * jax.random.normal(key, (64, 3))
    weights = network.init(key, z, train=True)
    raw = wrapped.apply({"params": weights["params"]["generator"]}, z, train=True)
    images = network.apply(weights, z, train=True)
    np.testing.assert_allclose(images, raw * np.array(STD) + np.array(MEAN), atol=1e-5)
