import json

import numpy as np
import pytest
from PIL import Image

from gan_jax.data import inspection, sources
from gan_jax.data.source import ArraySource
from gan_jax.data.statistics import mean_and_deviation


def test_mean_and_deviation_are_numpys_over_all_blocks():
    images = np.random.default_rng(0).integers(0, 256, (9001, 2, 3, 4), np.uint8)
    images[..., 1] //= 3
    mean, deviation = mean_and_deviation(
        ArraySource(name="x", split="train", fingerprint="", images=images)
    )
    exact = images.astype(np.float64) / 127.5 - 1
    assert mean.shape == deviation.shape == (4,)
    assert mean.dtype == deviation.dtype == np.float64
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=0, atol=1e-7)
    np.testing.assert_allclose(deviation, exact.std((0, 1, 2)), rtol=0, atol=1e-7)


def test_points_are_measured_as_they_are():
    source = sources.load("toy:swissroll", "test")
    mean, deviation = mean_and_deviation(source)
    np.testing.assert_allclose(mean, source.images.mean((0, 1, 2), dtype=np.float64), atol=1e-12)
    np.testing.assert_allclose(deviation, source.images.std((0, 1, 2), dtype=np.float64))


def test_a_report_says_what_cleaning_did(tmp_path, write_images):
    paths = write_images(tmp_path / "photos" / "cat", 30)
    write_images(tmp_path / "photos" / "dog", 12, first=100)
    paths[0].write_bytes(b"")
    paths[1].write_text("no image")
    paths[2].write_bytes(paths[3].read_bytes())
    source = sources.load(f"folder:{tmp_path / 'photos'}", image_size=8, data_dir=tmp_path / "tfds")
    text = inspection.inspect(source, tmp_path / "out" / "deep")
    report = json.loads((tmp_path / "out" / "deep" / "inspection.json").read_text())
    assert report["examples"] == 39
    assert report["classes"] == {"cat": 27, "dog": 12}
    assert report["image_shape"] == [8, 8, 3]
    assert report["duplicates"] == 0  # none is left
    assert report["cleaning"]["unreadable"] == {"empty file": 1, "not an image": 1}
    assert report["fingerprint"] == source.fingerprint
    assert report["location"].startswith(str(tmp_path / "tfds"))
    assert "2 unreadable (1 empty file, 1 not an image), 1 duplicates" in text
    assert "69.23%" in text
    assert {len(line) - len(line.lstrip()) for line in text.splitlines()} == {0, 2, 4}
    assert sorted(path.name for path in (tmp_path / "out" / "deep").iterdir()) == [
        "inspection.json",
        "inspection.png",
    ]


def test_a_folder_that_cannot_be_written_is_one_line_and_nothing_is_left(tmp_path, refusal):
    (tmp_path / "file").write_text("in the way")
    images = np.zeros((2, 2, 2, 1), np.uint8)
    source = ArraySource(name="x", split="train", fingerprint="", images=images)
    for place in (tmp_path / "file", tmp_path / "file" / "x", "/proc/x"):  # root seems to be able
        assert refusal(inspection.inspect, source, place).startswith("cannot write ")
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


def test_where_nothing_can_be_written_nothing_is_read(tmp_path, refusal, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.delattr(ArraySource, "read")
    images = np.zeros((2, 2, 2, 1), np.uint8)
    source = ArraySource(name="x", split="train", fingerprint="", images=images)
    assert "cannot write in" in refusal(inspection.inspect, source, tmp_path / "file" / "x")


def test_duplicates_that_stay_are_counted():
    images = np.zeros((5, 2, 2, 1), np.uint8)
    images[3:] = 255
    source = ArraySource(name="x", split="train", fingerprint="", images=images)
    report = inspection.report(source)
    assert report["duplicates"] == 3
    assert (report["minimum"], report["maximum"]) == (-1, 1)
    assert report["classes"] is None
    assert "nothing" in inspection.table(report)


@pytest.mark.parametrize("name", ["mnist_5k", "toy:ring8"])
def test_the_picture_shows_the_whole_split(prepared_root, tmp_path, name):
    source = sources.load(name, data_dir=prepared_root)
    inspection.inspect(source, tmp_path)
    picture = np.asarray(Image.open(tmp_path / "inspection.png").convert("L"))
    assert picture.shape[0] == picture.shape[1]
    tiles = [tile for row in np.array_split(picture, 4) for tile in np.array_split(row, 4, axis=1)]
    busy = sum(tile.std() > 1 for tile in tiles)
    assert busy == (16 if name == "mnist_5k" else 12)  # a ring has an empty middle


def test_many_classes_are_summed_up():
    images = np.arange(240).reshape(-1, 1, 1, 1).astype(np.uint8)
    labels = np.repeat(np.arange(60), 4).astype(np.int32)
    names = tuple(f"class {label}" for label in range(60))
    source = ArraySource(
        name="x", split="train", fingerprint="", images=images, labels=labels, class_names=names
    )
    text = inspection.table(inspection.report(source))
    assert "and 10 more, of 4 to 4 each" in text
    assert len(inspection.report(source)["classes"]) == 60
