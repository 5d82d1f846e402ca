"""Where published weights come from; `golden/make_tensors.py` wrote a small stand-in."""

import hashlib
import pathlib

import jax
import numpy as np
import pytest

from gan_jax.errors import InputError
from gan_jax.runtime import weights
from gan_jax.runtime.torch_file import read_tensors

GOLDEN = pathlib.Path(__file__).parent / "golden" / "tensors_legacy.pth"


@pytest.fixture(autouse=True)
def published(tmp_path, monkeypatch):
    """The stand-in is what is published, in a folder of this machine; the cache is empty."""
    place = tmp_path / "published" / "weights.pth"
    place.parent.mkdir()
    place.write_bytes(GOLDEN.read_bytes())
    digest = hashlib.sha256(GOLDEN.read_bytes()).hexdigest()
    monkeypatch.setattr(weights, "INCEPTION_URL", place.as_uri())
    monkeypatch.setattr(weights, "INCEPTION_SHA256", digest)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def of_layers(path):  # the stand-in has others too
        tensors = read_tensors(path).items()
        return {name: tensor for name, tensor in tensors if name.startswith(("Mixed.", "fc."))}

    monkeypatch.setattr(weights, "read_tensors", of_layers)
    return place


@pytest.fixture
def cached(tmp_path):
    return tmp_path / "cache" / "gan_jax" / "weights" / "weights.pth"


def refused(path, *parts):
    with pytest.raises(InputError) as caught:
        weights.inception_weights(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message, message


def test_fetched_once(published, cached):
    first = weights.inception_weights()
    assert cached.read_bytes() == GOLDEN.read_bytes()
    published.unlink()
    jax.tree.map(np.testing.assert_array_equal, first, weights.inception_weights())
    assert [path.name for path in cached.parent.iterdir()] == ["weights.pth"]
    kernel = first["params"]["Mixed"]["conv"]["kernel"]
    assert isinstance(kernel, jax.Array)
    np.testing.assert_array_equal(kernel[0, :, :, 1], [[4, 6], [5, 7]])
    assert first["params"]["fc"]["kernel"].shape == (3, 4)
    assert set(first["batch_stats"]["Mixed"]["bn"]) == {"mean", "var"}


def test_a_file_of_the_users(published, cached):
    published.rename(published.with_name("mine.pth"))
    weights.inception_weights(published.with_name("mine.pth"))
    weights.inception_weights(str(published.with_name("mine.pth")))
    assert not cached.exists()
    refused(published, published, "cannot be read")


def test_offline_says_where_the_file_belongs(published, cached):
    published.unlink()
    refused(None, published.as_uri(), f"put that file at {cached}")


def test_another_file_is_refused(published, cached):
    published.write_bytes(b"another")
    digest = hashlib.sha256(b"another").hexdigest()[:8]
    refused(None, "another file", digest, f"put that file at {cached}")
    assert list(cached.parent.iterdir()) == []  # nothing half-written
    refused(published, published, digest, weights.INCEPTION_SHA256[:8])
    cached.write_bytes(b"another")
    refused(None, cached, digest, "Delete it")


def test_tensors_of_other_networks_are_refused():
    for name in ("fc.gain", "conv1.weight", "weight"):
        with pytest.raises(InputError, match=f"^{name} is not a tensor of"):
            weights.inception_variables({name: np.zeros(3)})


def test_the_file_is_the_one_that_its_name_says(monkeypatch):
    monkeypatch.undo()
    assert weights.INCEPTION_URL.endswith(f"-{weights.INCEPTION_SHA256[:8]}.pth")
    assert len(weights.INCEPTION_SHA256) == 64
