"""The Inception network and its resize, against pytorch-fid's and torch-fidelity's.

`golden/make_inception.py` wrote the expected numbers, and says how. The weights are random, of the
right sizes for the signal to live to the end: else every mistake would pass.
"""

import json
import pathlib
import runpy
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import quick_jit

from gan_jax.errors import InputError
from gan_jax.metrics import extractors
from gan_jax.metrics.resize import inception_input, resize_like_tf1
from gan_jax.models.inception import InceptionV3
from gan_jax.runtime.weights import inception_variables

GOLDEN = pathlib.Path(__file__).parent / "golden"
DRAWN = runpy.run_path(str(GOLDEN / "inception_weights.py"))
SHAPES, image, weight = DRAWN["SHAPES"], DRAWN["image"], DRAWN["weight"]
NAMES = ["{}x{}x{}".format(*shape) for shape in SHAPES]
TAPS = {  # and what torch-fidelity calls them
    "features_64": "64",
    "features_192": "192",
    "features_768": "768",
    "features_2048": "2048",
    "logits_without_bias": "logits_unbiased",
    "logits": "logits",
}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "inception.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def tensors(golden):
    """The weights by PyTorch's names."""
    shapes = json.loads(str(golden["shapes"]))
    return {name: weight(name, tuple(shape)) for name, shape in shapes.items()}


def test_taps_are_those_of_the_reference(tensors, golden):
    """Of one image a size."""
    images = jnp.concatenate([inception_input(image(shape)[None]) for shape in SHAPES])
    taps = quick_jit(InceptionV3().apply)(inception_variables(tensors), images)._asdict()
    assert taps.keys() == TAPS.keys()
    for tap, found in taps.items():
        expected = np.stack([golden[f"{name}/{TAPS[tap]}"] for name in NAMES])
        assert (found.dtype, found.shape) == (jnp.float32, expected.shape)
        errors = np.abs(found - expected).max(1) / np.abs(expected).max(1)
        assert errors.max() < 1e-5, (tap, errors)


def test_the_extractor_takes_the_features_and_logits_of_the_reference(tensors, golden):
    """Those of FID and KID, and of the Inception score."""
    extractor = extractors.inception(inception_variables(tensors), "abc")
    images = image(SHAPES[0])[None]  # grey
    found = quick_jit(extractor.extract)(extractor.weights, images)
    for values, tap in ((found.features, "2048"), (found.logits, "logits_unbiased")):
        expected = golden[f"{NAMES[0]}/{tap}"]
        np.testing.assert_allclose(values[0], expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert found.classes is None  # which are not the data's


@pytest.mark.parametrize(("shape", "name"), list(zip(SHAPES, NAMES, strict=True)))
def test_resized_as_by_tensorflow_1(shape, name, golden):
    expected = golden[f"{name}/resized"]
    found = resize_like_tf1(image(shape)[None])
    assert (found.dtype, found.shape) == (jnp.float32, (1, 299, 299, shape[-1]))
    np.testing.assert_allclose(
        np.broadcast_to(found[0, ::13, ::13], expected.shape), expected, rtol=0, atol=1e-4
    )
    standard = (expected - 128) / 128
    np.testing.assert_allclose(
        inception_input(image(shape)[None])[0, ::13, ::13], standard, rtol=0, atol=1e-6
    )


def test_an_image_of_the_right_size_is_left_alone():
    pixels = image((299, 299, 3))
    np.testing.assert_array_equal(resize_like_tf1(pixels[None])[0], pixels)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((1, 8, 8, 4), np.uint8),
        ((1, 8, 8, 2), np.uint8),
        ((8, 8, 3), np.uint8),
        ((1, 8, 8, 3), "f"),
    ],
)
def test_other_images_are_refused(shape, dtype):
    with pytest.raises(InputError, match="takes uint8 images"):
        inception_input(np.zeros(shape, dtype))


def test_every_weight_has_one_place(tensors, key):
    """Every number of the file is found again, once, in an array of the shape that it should be."""
    numbered, offset = {}, 0
    for name, tensor in tensors.items():
        if not name.endswith("num_batches_tracked"):
            numbered[name] = np.arange(offset, offset + tensor.size).reshape(tensor.shape)
            offset += tensor.size
    placed = inception_variables(numbered)
    expected = jax.eval_shape(InceptionV3().init, key, jnp.zeros((1, 299, 299, 3)))
    assert jax.tree.map(jnp.shape, placed) == jax.tree.map(jnp.shape, expected)
    assert len(jax.tree.leaves(placed)) == len(numbered) == 472
    seen = np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(placed)])
    np.testing.assert_array_equal(np.sort(seen), np.arange(offset))


@pytest.mark.slow
def test_the_golden_numbers_are_made_again(golden, monkeypatch):
    """Live, where PyTorch and both packages are installed."""
    torch = pytest.importorskip("torch")
    for package in ("torchvision", "pytorch_fid", "torch_fidelity"):
        pytest.importorskip(package)
    monkeypatch.setattr(sys, "path", [str(GOLDEN), *sys.path])
    with torch.no_grad():
        made = runpy.run_path(str(GOLDEN / "make_inception.py"))["arrays"]()
    assert made.keys() == golden.keys()
    assert made.pop("shapes") == golden["shapes"]
    for name, values in made.items():
        atol = 1e-6 * np.abs(values).max()
        np.testing.assert_allclose(golden[name], values, rtol=0, atol=atol, err_msg=name)
