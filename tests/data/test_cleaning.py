import json
import struct
import zlib

import pytest

from gan_jax.data import sources


def truncate(path):
    path.write_bytes(path.read_bytes()[:-60])


def claim_a_billion_pixels(path):
    raw = bytearray(path.read_bytes())
    raw[16:24] = struct.pack(">II", 40_000, 25_000)  # the header's size, with its checksum
    raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    path.write_bytes(raw)


DAMAGES = {
    "damaged": truncate,
    "not an image": lambda path: path.write_text("<html>404 Not Found</html>"),
    "empty file": lambda path: path.write_bytes(b""),
    "too many pixels": claim_a_billion_pixels,
}


@pytest.fixture
def load(tmp_path):
    return lambda: sources.load(
        f"folder:{tmp_path / 'photos'}", image_size=8, data_dir=tmp_path / "tfds"
    )


@pytest.mark.parametrize("reason", DAMAGES)
def test_an_unreadable_file_is_dropped_and_counted(tmp_path, load, write_images, reason):
    paths = write_images(tmp_path / "photos", 20, size=(30, 30))
    DAMAGES[reason](paths[4])
    source = load()
    assert len(source) == 19
    assert source.cleaning["unreadable"] == {reason: 1}
    assert source.cleaning["unreadable_examples"] == [str(paths[4])]


def test_a_size_just_over_pillows_warning_is_too_many_pixels(tmp_path, load, write_images):
    paths = write_images(tmp_path / "photos", 20)
    raw = bytearray(paths[0].read_bytes())
    raw[16:24] = struct.pack(">II", 10_000, 10_000)  # Pillow warns here and raises at twice that
    raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    paths[0].write_bytes(raw)
    assert load().cleaning["unreadable"] == {"too many pixels": 1}


def test_more_than_one_in_twenty_is_an_error_and_leaves_nothing(
    tmp_path, load, write_images, refusal
):
    paths = write_images(tmp_path / "photos", 39, size=(30, 30))
    DAMAGES["empty file"](paths[7])
    DAMAGES["not an image"](paths[3])
    message = refusal(load)
    assert "2 of 39 images" in message
    assert f"{paths[3]} (not an image)" in message
    assert [path.name for path in (tmp_path / "tfds").glob("folder*")] == []
    write_images(tmp_path / "photos", 1, first=39, size=(30, 30))  # 2 of 40 are just not too many
    assert len(load()) == 38


def test_a_folder_of_damaged_images_leaves_nothing(tmp_path, load, write_images, refusal):
    paths = write_images(tmp_path / "photos", 3)
    for path in paths:
        DAMAGES["empty file"](path)
    assert "3 of 3 images" in refusal(load)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "photos", *paths]


def test_nor_does_it_take_anything_away(tmp_path, load, write_images, refusal):
    for path in write_images(tmp_path / "photos", 20, size=(30, 30)):
        assert path.exists()
    load()
    before = sorted(tmp_path.rglob("*"))
    for path in tmp_path.glob("photos/*"):
        DAMAGES["not an image"](path)
    assert "20 of 20 images" in refusal(load)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_report_lies_with_the_prepared_set(tmp_path, load, write_images):
    paths = write_images(tmp_path / "photos", 20)
    DAMAGES["empty file"](paths[0])
    paths[1].write_bytes(paths[2].read_bytes())
    source = load()
    (stored,) = (tmp_path / "tfds").glob("folder/*/*/metadata.json")
    report = json.loads(stored.read_text())["train"]
    assert report == load().cleaning == source.cleaning
    assert (report["read"], report["kept"], report["duplicates"]) == (20, 18, 1)
