import hashlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from runs import ROOT, final_state, lines

from gan_jax.data import inspection, reading, sources, stacked
from gan_jax.data.loader import Loader, decode
from gan_jax.data.plan import BalancedPlan, IndexPlan
from gan_jax.data.source import ArraySource, RecordSource
from gan_jax.data.statistics import mean_and_deviation

SIZES = {"train": 128_000, "test": 26_000}


@pytest.fixture
def load(prepared_root):
    def load(name="stacked:mnist_5k", split="train", **options):
        return sources.load(name, split, data_dir=prepared_root, **options)

    return load


def digits(count=30, names=("0", "1"), channels=1, **fields):
    """Noise in place of digits; the classes alternate."""
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 4, channels), np.uint8)
    labels = (np.arange(count) % len(names)).astype(np.int32) if names else None
    defaults = {"name": "noise", "split": "train", "fingerprint": "a"}
    return ArraySource(class_names=names, images=images, labels=labels, **defaults | fields)


@pytest.mark.parametrize("split", SIZES)
def test_the_stacks_are_as_many_as_the_protocol_has_and_the_same_each_time(load, split):
    one, two = load(split=split), load(split=split)
    assert one.triples.shape == (SIZES[split], 3)
    assert len(one) == len(one.labels) == SIZES[split]
    np.testing.assert_array_equal(one.triples, two.triples)
    assert one.fingerprint == two.fingerprint
    assert (one.name, one.split) == ("stacked:mnist_5k", split)
    count = len(one.digits)
    assert count == {"train": 4_000, "test": 1_000}[split]
    for channel in one.triples.T:  # uniform: each digit as often as any other
        uses = np.bincount(channel, minlength=count)
        assert uses.min() > 0
        assert uses.var() == pytest.approx(uses.mean(), rel=0.1)
    assert abs(np.corrcoef(one.triples.T)[np.triu_indices(3, 1)]).max() < 0.02


def test_splits_are_drawn_apart():
    train, test = (stacked.stack("", digits(split=split)) for split in SIZES)
    assert (train.triples[:100] != test.triples[:100]).any()


def test_the_draw_is_the_same_on_every_machine_and_release(load):
    """A run that began with an older NumPy goes on with the same stacks under a newer one."""
    drawn = load().triples.astype("<i4").tobytes()
    assert hashlib.sha256(drawn).hexdigest()[:16] == "ddb514dfc523bc11"


def test_a_channel_is_the_digit_that_its_triple_names(load):
    source, plain = load(), load("mnist_5k")
    indices = np.array([127_999, 0, 5, 5, 64_000])
    batch = source.read(indices)
    assert batch["image"].shape == (5, *source.image_shape) == (5, 28, 28, 3)
    assert batch["image"].dtype == np.uint8
    assert batch["label"].dtype == source.labels.dtype == np.int32
    for stack, label, index in zip(batch["image"], batch["label"], indices, strict=True):
        triple = source.triples[index]
        for channel in range(3):
            digit = plain.images[triple[channel], ..., 0]
            np.testing.assert_array_equal(stack[..., channel], digit)
        spelt = "".join(str(plain.labels[digit]) for digit in triple)
        assert label == source.labels[index] == int(spelt)
        assert source.class_names[label] == spelt


@pytest.mark.parametrize("split", SIZES)
def test_all_thousand_modes_occur(load, split):
    source = load(split=split)
    counts = np.bincount(source.labels, minlength=1000)
    assert source.num_classes == len(counts) == 1000
    assert counts.min() > 0
    shares = counts / len(source)
    from_uniform = (shares * np.log(1000 * shares)).sum()  # 999 / (2 N) on average
    assert from_uniform == pytest.approx(999 / (2 * SIZES[split]), rel=0.2)


def test_classes_of_longer_names_are_joined_by_a_dash():
    names = ("ant", "b", "cow")
    source = stacked.stack("", digits(names=names))
    assert source.class_names == tuple(map("-".join, itertools.product(names, repeat=3)))
    for index in range(20):
        of = [names[source.digits.labels[digit]] for digit in source.triples[index]]
        assert source.class_names[source.labels[index]] == "-".join(of)


@pytest.mark.parametrize("plan", ["index", "balanced"])
def test_host_and_device_give_the_same_batches(load, plan):
    source = load()
    plan = IndexPlan(3, len(source)) if plan == "index" else BalancedPlan(3, source.labels)
    options = {"minibatches": 2, "batch_size": 8, "local_devices": 2}
    resident = {name: jnp.asarray(array) for name, array in source.resident.items()}
    kept = {"image": (4_000, 28, 28, 1), "label": (128_000,), "triples": (128_000, 3)}
    assert {name: array.shape for name, array in resident.items()} == kept
    gathered, read = (
        Loader(source, plan, resident=on_device, **options)(step=5, steps=3)
        for on_device in (True, False)
    )
    assert gathered.keys() == {"index", "example"}
    for at in itertools.product(range(2), range(3)):  # device, step
        one, two = (
            jax.jit(decode)(arrays, {name: jnp.asarray(v[at]) for name, v in feed.items()})
            for arrays, feed in ((resident, gathered), ({}, read))
        )
        assert one.keys() == two.keys() == {"image", "label", "index"}
        assert one["image"].shape == (2, 4, 28, 28, 3)
        for name in one:
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)
        example = source.read(gathered["example"][at][1, 2:3])
        pixels = np.round((one["image"][1, 2:3] + 1) * 127.5)
        np.testing.assert_array_equal(pixels, example["image"])
        assert one["label"][1, 2] == example["label"]


def test_balanced_stacks_show_every_mode_equally_often(load):
    source = load()
    drawn = source.labels[BalancedPlan(0, source.labels)(np.arange(3_000))]
    np.testing.assert_array_equal(np.bincount(drawn, minlength=1000), 3)


def test_digits_that_stay_on_disk_are_read_from_there(load, monkeypatch):
    expected = load()
    monkeypatch.setattr(reading, "MAX_BYTES_IN_MEMORY", 0)
    source = load()
    assert isinstance(source.digits, RecordSource)
    assert source.resident is None
    indices = np.arange(50)
    for here in (source, whole := source.in_memory()):
        for name, values in here.read(indices).items():
            np.testing.assert_array_equal(values, expected.read(indices)[name])
        assert here.fingerprint == expected.fingerprint
    assert whole.resident.keys() == expected.resident.keys()
    for name, values in whole.resident.items():
        np.testing.assert_array_equal(values, expected.resident[name])


def test_the_fingerprint_is_that_of_the_digits_and_the_draw(monkeypatch):
    def fingerprint(**fields):
        return stacked.stack("", digits(**fields)).fingerprint

    seen = {fingerprint(), fingerprint(fingerprint="b"), fingerprint(count=31)}
    assert len(seen) == 3
    assert fingerprint() in seen
    for name, value in {"_SEED": 1, "TRAIN": 127_999}.items():
        with monkeypatch.context() as patch:
            patch.setattr(stacked, name, value)
            assert fingerprint() not in seen


def test_digits_are_resized_before_they_are_stacked(load):
    source, plain = load(image_size=14, channels=3), load("mnist_5k", image_size=14)
    assert source.image_shape == (14, 14, 3)
    assert source.fingerprint != load().fingerprint
    stack = source.read(np.array([7]))["image"][0]
    for channel, digit in enumerate(source.triples[7]):
        np.testing.assert_array_equal(stack[..., channel], plain.images[digit, ..., 0])


def test_the_pictures_of_a_folder_are_stacked_as_grey(tmp_path, write_images):
    for number, name in enumerate(("a", "b")):
        write_images(tmp_path / "photos" / name, 3, first=10 * number)
    options = {"image_size": 8, "data_dir": tmp_path / "tfds"}
    source = sources.load(f"stacked:folder:{tmp_path / 'photos'}", **options)
    assert source.image_shape == (8, 8, 3)
    assert source.class_names == ("aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb")
    assert source.location == source.digits.location
    assert source.cleaning["kept"] == 6


REFUSED = {
    "two channels": ({"channels": 2}, "has 3 channels, an image each, not 2"),
    "one channel": ({"channels": 1}, "has 3 channels, an image each, not 1"),
    "five channels": ({"channels": 5}, "must be 1, 2, 3 or 4"),
    "no name": ({"name": "stacked:"}, "lacks the set to stack, as in stacked:mnist_5k"),
    "unknown": ({"name": "stacked:mnist_5j"}, "Did you mean 'mnist_5k'?"),
    "no folder": ({"name": "stacked:idx:"}, "lacks its folder"),
    "points": ({"name": "stacked:toy:ring8"}, "needs grey images with classes; toy:ring8 has 2 ch"),
    "twice": ({"name": "stacked:stacked:mnist_5k"}, "stacked:mnist_5k has 3 channels"),
    "split": ({"split": "validation"}, "mnist_5k has no split 'validation'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_stacked_is_one_line(load, refusal, case):
    options, words = REFUSED[case]
    assert words in refusal(load, **options)


def test_colours_and_pictures_without_classes_are_refused(refusal):
    needs = "stacked: needs grey images with classes; noise has "
    assert refusal(stacked.stack, "", digits(channels=3)) == f"{needs}3 channels"
    assert refusal(stacked.stack, "", digits(names=())) == f"{needs}no classes"


def test_a_look_at_stacks_is_short_and_in_colour(load, tmp_path, monkeypatch):
    monkeypatch.setattr(stacked, "TRAIN", 2_000)
    source = load()
    text = inspection.inspect(source, tmp_path)
    assert len(text.splitlines()) < 70
    assert "28 x 28 x 3 uint8" in text
    assert "950 more" in text
    with Image.open(tmp_path / "inspection.png") as picture:
        assert picture.mode == "RGB"
    pixels = source.read(np.arange(2_000))["image"] / 127.5 - 1
    mean, deviation = mean_and_deviation(source)
    np.testing.assert_allclose(mean, pixels.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(deviation, pixels.std((0, 1, 2)), atol=1e-6)


def test_the_config_shrunken_trains_on_two_devices(run, tmp_path):
    small = [f"--config.{key}" for key in ("generator.widths=(16,)", "discriminator.widths=(16,)")]
    small += [f"--config.{key}_every=4" for key in ("log", "sample", "checkpoint")]
    small += [f"--config.{key}" for key in ("total_steps=4", "steps_per_call=2", "batch_size=8")]
    config = f"--config={ROOT / 'configs' / 'stacked_mnist.py'}"
    status, _, stderr = run(config, f"--workdir={tmp_path / 'run'}", *small, devices=2)
    assert status == 0, stderr
    assert lines(tmp_path / "run")[-1]["images"] == 32
    step, state = final_state(tmp_path / "run")
    assert step == 4
    assert any(array.shape == (16, 28 * 28 * 3) for array in state.values())
    with Image.open(tmp_path / "run" / "samples" / "latest.png") as grid:
        assert grid.mode == "RGB"
