"""How a discriminator sees, or tells, the class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gan_jax
from gan_jax.models.heads import CONDITIONINGS

IMAGES = jnp.float32(np.random.default_rng(0).uniform(-1, 1, (4, 3, 2, 1)))
LABELS = jnp.array([0, 4, 2, 4])


def build(conditioning, num_classes=5):
    return gan_jax.mlp.MLPDiscriminator((7,), num_classes=num_classes, conditioning=conditioning)


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


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_without_classes_they_are_one_network(conditioning, key):
    params, outputs = initialized(build(conditioning, num_classes=None), key)
    expected, _ = initialized(gan_jax.mlp.MLPDiscriminator((7,)), key)
    assert jax.tree.structure(params) == jax.tree.structure(expected)
    assert outputs.class_logits is None


def test_an_unknown_one_is_refused(key):
    with pytest.raises(gan_jax.InputError, match="'projektion'"):
        initialized(build("projektion"), key)
