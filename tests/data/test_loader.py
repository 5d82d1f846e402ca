import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.images import to_unit_range
from gan_jax.data.loader import Loader, decode, prefetch
from gan_jax.data.plan import IndexPlan
from gan_jax.data.source import ArraySource

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 4, 3, 1), dtype=np.uint8)
LABELS = np.arange(50, dtype=np.int32) % 7
SOURCE = ArraySource(
    name="toy",
    split="train",
    fingerprint="",
    class_names=tuple("abcdefg"),
    images=IMAGES,
    labels=LABELS,
)


def loader(**options):
    defaults = {"minibatches": 2, "batch_size": 12}
    return Loader(SOURCE, IndexPlan(0, len(SOURCE)), **defaults | options)


def rows(feed):
    """The feed with devices joined: (steps, minibatches, batch, ...)."""
    return {name: np.concatenate(value, axis=2) for name, value in feed.items()}


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_the_batch_is_the_same_however_it_is_shared(devices, processes):
    whole = rows(loader()(step=6, steps=3))
    shares = [
        loader(local_devices=devices, process_index=process, process_count=processes)
        for process in range(processes)
    ]
    parts = [rows(share(step=6, steps=3)) for share in shares]
    assert whole.keys() == {"index", "example"}
    for name, expected in whole.items():
        assert expected.shape == (3, 2, 12)
        joined = np.concatenate([part[name] for part in parts], axis=2)
        np.testing.assert_array_equal(joined, expected)


def test_calls_continue_each_other():
    one = rows(loader()(step=0, steps=4))
    two = [rows(loader()(step=step, steps=2)) for step in (0, 2)]
    for name in one:
        np.testing.assert_array_equal(one[name], np.concatenate([part[name] for part in two]))


def test_no_two_rows_of_a_step_share_an_index():
    index = loader()(step=5, steps=1)["index"]
    np.testing.assert_array_equal(np.sort(index.ravel()), np.arange(24))


@pytest.mark.parametrize("step", [0, 3])
def test_resident_and_host_feeds_decode_to_the_same_batch(step):
    resident = {"image": jnp.asarray(IMAGES), "label": jnp.asarray(LABELS)}
    fed = [
        jax.tree.map(lambda x: jnp.asarray(x[0, 0]), loader(resident=on_device)(step, 1))
        for on_device in (True, False)
    ]
    one, two = decode(resident, fed[0]), decode({}, fed[1])
    assert one.keys() == two.keys() == {"image", "label", "index"}
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    assert one["image"].shape == (2, 12, 4, 3, 1)


def test_the_unit_range_is_reached_at_both_ends():
    np.testing.assert_array_equal(to_unit_range(jnp.array([0, 255], jnp.uint8)), [-1, 1])
    points = jnp.array([0.25, -0.125])
    np.testing.assert_array_equal(to_unit_range(points), points)


def test_prefetch_keeps_the_order_and_runs_ahead():
    made, ahead = [], threading.Event()

    def make(number):
        made.append(number)
        if len(made) == 3:
            ahead.set()
        return number * number

    results = prefetch(make, iter(range(6)), depth=2)
    assert next(results) == 0
    assert ahead.wait(10), "nothing was made ahead of the consumer"
    assert list(results) == [1, 4, 9, 16, 25]


def test_prefetch_hands_on_errors():
    def fail(number):
        raise OSError(f"cannot read {number}")

    with pytest.raises(OSError, match="cannot read 0"):
        next(prefetch(fail, iter(range(3))))
