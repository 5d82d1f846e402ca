"""How a discriminator sees, or tells, the class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gan_jax
from gan_jax.models.heads import CONDITIONINGS

IMAGES = jnp.float32(np.random.default_rng(0).uniform(-1, 1, (4, 3, 2, 1)))
LABELS = jnp.array([0, 4, 2, 4])


def build(conditioning, num_classes=5, **options):
    return gan_jax.mlp.MLPDiscriminator(
        (7,), num_classes=num_classes, conditioning=conditioning, **options
    )


def initialized(network, key):
    variables = network.init(key, IMAGES, LABELS, train=False)
    return variables["params"], network.apply(variables, IMAGES, LABELS, train=False)


def test_the_projection_is_the_inner_product_with_the_label_s_embedding(key):
    params, outputs = initialized(build("projection"), key)
    table = params["class_embedding"]["embedding"]
    assert table.shape == (5, 7)
    plain = outputs.features @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"]
    expected = plain[:, 0] + (np.asarray(table)[LABELS] * outputs.features).sum(-1)
    np.testing.assert_allclose(outputs.logits, expected, atol=1e-6)


@pytest.mark.parametrize(("conditioning", "outputs"), [("classifier", 5), ("twin_classifier", 10)])
def test_a_classifier_gives_class_logits_and_does_not_see_the_label(conditioning, outputs, key):
    network = build(conditioning)
    params, found = initialized(network, key)
    assert found.class_logits.shape == (4, outputs)
    other = network.apply({"params": params}, IMAGES, 1 - LABELS, train=False)
    np.testing.assert_array_equal(other.logits, found.logits)
    expected = found.features @ params["class_logits"]["kernel"] + params["class_logits"]["bias"]
    np.testing.assert_allclose(found.class_logits, expected, atol=1e-6)


def test_proxies_stand_beside_an_embedding_of_the_features(key):
    network = build("proxies")
    params, found = initialized(network, key)
    layer, table = params["class_projection"], params["class_proxies"]["embedding"]
    assert (found.class_logits.shape, table.shape) == ((4, 2, 7), (5, 7))
    expected = found.features @ layer["kernel"] + layer["bias"]
    np.testing.assert_allclose(found.class_logits[:, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(found.class_logits[:, 1], np.asarray(table)[LABELS])
    other = network.apply({"params": params}, IMAGES, 1 - LABELS, train=False)
    np.testing.assert_array_equal(other.logits, found.logits)


def spectral_by_hand(params, vectors, *, train):
    """Divides each layer's kernel or table by |W u|, and in training by v^T W u' = |W^T v|."""
    assert params.keys() == vectors.keys()
    normalized = {}
    for name, layer in params.items():
        weight = "embedding" if "embedding" in layer else "kernel"
        matrix = np.asarray(layer[weight], np.float64)
        along = matrix @ np.float64(vectors[name]["u"])
        sigma = np.linalg.norm(along)
        if train:
            sigma = np.linalg.norm(matrix.T @ along) / sigma
        normalized[name] = {**layer, weight: np.float32(matrix / sigma)}
    return normalized


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("train", [True, False])
def test_spectral_normalization_is_of_every_kernel_and_table(train, conditioning, key):
    plain, spectral = build(conditioning), build(conditioning, spectral=True)
    variables = spectral.init(key, IMAGES, LABELS, train=False)
    weights = plain.init(key, IMAGES, LABELS, train=False)
    assert list(weights) == ["params"]
    jax.tree.map(np.testing.assert_array_equal, variables["params"], weights["params"])
    found, updates = spectral.apply(variables, IMAGES, LABELS, train=train, mutable=["spectral"])
    by_hand = spectral_by_hand(variables["params"], variables["spectral"], train=train)
    expected = plain.apply({"params": by_hand}, IMAGES, LABELS, train=train)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)
    for name, vector in variables["spectral"].items():
        # That of the logit, of length 1 in one dimension, has nowhere to go.
        moves = train and vector["u"].size > 1
        moved = np.abs(updates["spectral"][name]["u"] - vector["u"]).max() > 1e-4
        assert moved == moves, name


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_without_classes_they_are_one_network(conditioning, key):
    params, outputs = initialized(build(conditioning, num_classes=None), key)
    expected, _ = initialized(gan_jax.mlp.MLPDiscriminator((7,)), key)
    assert jax.tree.structure(params) == jax.tree.structure(expected)
    assert outputs.class_logits is None


def test_an_unknown_one_is_refused(key):
    with pytest.raises(gan_jax.InputError, match="'projektion'"):
        initialized(build("projektion"), key)


@pytest.mark.parametrize("conditioning", ["concatenate", "projection", "proxies"])
def test_what_reads_labels_needs_them(conditioning, key):
    with pytest.raises(gan_jax.InputError, match="needs labels"):
        build(conditioning).init(key, IMAGES, train=False)
