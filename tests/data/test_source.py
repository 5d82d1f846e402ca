import concurrent.futures

import numpy as np
import pytest

from gan_jax.data import reading, sources
from gan_jax.data.source import ArraySource, RecordSource, blocks, fingerprint


@pytest.fixture
def on_disk(prepared_root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(reading, "MAX_BYTES_IN_MEMORY", 0)
        return sources.load("mnist_5k", data_dir=prepared_root)


@pytest.fixture
def in_memory(prepared_root):
    return sources.load("mnist_5k", data_dir=prepared_root)


def test_both_kinds_give_the_same_examples(on_disk, in_memory):
    assert isinstance(on_disk, RecordSource)
    assert isinstance(in_memory, ArraySource)
    indices = np.array([3999, 0, 17, 17, 5])
    for kind in (on_disk, in_memory):
        batch = kind.read(indices)
        np.testing.assert_array_equal(batch["image"], in_memory.images[indices])
        np.testing.assert_array_equal(batch["label"], [9, 0, 7, 7, 5])
        assert batch["image"].dtype == np.uint8
        assert batch["label"].dtype == np.int32
    np.testing.assert_array_equal(on_disk.labels, in_memory.labels)
    assert on_disk.labels.dtype == np.int32
    for attribute in ("name", "split", "image_shape", "num_classes", "class_names", "fingerprint"):
        assert getattr(on_disk, attribute) == getattr(in_memory, attribute)
    assert len(on_disk) == len(in_memory) == 4000


def test_what_is_on_disk_can_be_taken_into_memory(on_disk, in_memory):
    assert on_disk.resident is None
    taken = on_disk.in_memory()
    assert in_memory.in_memory() is in_memory
    assert taken.resident.keys() == in_memory.resident.keys() == {"image", "label"}
    for name, values in taken.resident.items():
        np.testing.assert_array_equal(values, in_memory.resident[name])
    assert taken.fingerprint == on_disk.fingerprint


def test_threads_may_share_a_source(on_disk, in_memory):
    draws = np.random.default_rng(0).integers(0, 4000, (40, 32))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(on_disk.read, draws))
    for indices, batch in zip(draws, batches, strict=True):
        np.testing.assert_array_equal(batch["image"], in_memory.images[indices])
        np.testing.assert_array_equal(batch["label"], in_memory.labels[indices])


def test_blocks_cover_each_index_once():
    np.testing.assert_array_equal(np.concatenate(blocks(10, 4)), np.arange(10))
    assert [len(block) for block in blocks(10, 4)] == [4, 4, 2]


def test_fingerprints_tell_content_shape_and_type_apart():
    array = np.arange(6)
    parts = [array, array[::-1], array.reshape(2, 3), array.astype(np.int32), "a", ("a",)]
    assert len({fingerprint(part) for part in parts}) == len(parts)
    assert fingerprint(array) == fingerprint(array.copy())
