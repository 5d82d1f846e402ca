import gzip
import struct

import numpy as np
import pytest

from gan_jax.data import sources

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 6, 5), np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 4


def idx(array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.tobytes()


def write(folder, pattern, images=IMAGES, labels=LABELS):
    """Writes a pair of files; `pattern` has a place for "images" or "labels" and for 3 or 1."""
    folder.mkdir(exist_ok=True)
    for kind, array in (("images", images), ("labels", labels)):
        path = folder / pattern.format(kind, array.ndim)
        content = idx(array)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def load(tmp_path):
    folder = tmp_path / "idx"
    folder.mkdir()
    return lambda split="train", **options: sources.load(
        f"idx:{folder}", split, data_dir=tmp_path / "tfds", **options
    )


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-{}-idx{}-ubyte.gz", "t10k-{}-idx{}-ubyte.gz"),
        ("train-{}-idx{}-ubyte", "t10k-{}-idx{}-ubyte"),
        ("train-{}.idx{}-ubyte", "t10k-{}.idx{}-ubyte"),
        ("digits-train-{}-idx{}-ubyte.gz", "digits-test-{}-idx{}-ubyte.gz"),
    ],
)
def test_published_names_give_published_order(tmp_path, load, train, test):
    write(tmp_path / "idx", train)
    write(tmp_path / "idx", test, IMAGES[::-1], LABELS[::-1])
    source, held_out = load(), load("test")
    np.testing.assert_array_equal(source.images[..., 0], IMAGES)
    np.testing.assert_array_equal(source.labels, LABELS)
    np.testing.assert_array_equal(held_out.images[..., 0], IMAGES[::-1])
    assert source.image_shape == (6, 5, 1)
    assert source.class_names == ("0", "1", "2", "3")


def test_emnist_is_turned_upright_and_its_classes_named_as_published(tmp_path, load):
    write(tmp_path / "idx", "emnist-letters-train-{}-idx{}-ubyte.gz", labels=LABELS + 1)
    source = load()
    np.testing.assert_array_equal(source.images[..., 0], IMAGES.swapaxes(1, 2))
    assert source.class_names == ("1", "2", "3", "4")
    np.testing.assert_array_equal(source.labels, LABELS)


def test_duplicates_are_counted_and_kept(tmp_path, load):
    write(tmp_path / "idx", "train-{}-idx{}-ubyte", np.concatenate([IMAGES[:15], IMAGES[:5]]))
    source = load()
    assert len(source) == 20
    assert source.cleaning["duplicates"] == 5
    assert not source.cleaning["duplicates_dropped"]


def test_a_changed_file_is_prepared_anew(tmp_path, load):
    write(tmp_path / "idx", "train-{}-idx{}-ubyte")
    first = load()
    assert load().location == first.location
    write(tmp_path / "idx", "train-{}-idx{}-ubyte", IMAGES[::-1])  # the same sizes
    second = load()
    np.testing.assert_array_equal(second.images[..., 0], IMAGES[::-1])
    assert second.fingerprint != first.fingerprint


def test_a_folder_without_t10k_has_no_test_split(tmp_path, load, refusal):
    write(tmp_path / "idx", "train-{}-idx{}-ubyte")
    assert "no split 'test'; it has train" in refusal(load, "test")


def damage(change):
    def apply(path):
        path.write_bytes(change(path.read_bytes()))

    return apply


BROKEN = {
    "truncated": ("images", damage(lambda raw: raw[:-1]), "is truncated: 599 bytes"),
    "too long": ("images", damage(lambda raw: raw + b"\0"), "is too long: 601 bytes"),
    "header": ("images", damage(lambda raw: raw[:9]), "ends in its header"),
    "magic": ("images", damage(lambda raw: b"\x89PNG" + raw[4:]), "begins with 89 50 4e 47"),
    "float": ("images", damage(lambda raw: b"\0\0\x0d\x03" + raw[4:]), "not an IDX file of uint8"),
    "empty": ("images", damage(lambda raw: b""), "begins with nothing"),
    "counts": (
        "labels",
        damage(lambda raw: raw[:4] + struct.pack(">I", 19) + raw[8:-1]),
        "20 images but",
    ),
    "no labels": ("labels", lambda path: path.unlink(), "labels are missing"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_end_in_one_line_that_names_them(tmp_path, load, refusal, case):
    write(tmp_path / "idx", "train-{}-idx{}-ubyte")
    kind, breaking, expected = BROKEN[case]
    breaking(next((tmp_path / "idx").glob(f"*{kind}*")))
    message = refusal(load)
    assert expected in message
    assert f"train-{kind}" in message or "train-images" in message
    assert not list((tmp_path / "tfds").glob("idx*"))


def test_a_damaged_gzip_ends_in_one_line(tmp_path, load, refusal):
    write(tmp_path / "idx", "train-{}-idx{}-ubyte.gz")
    path = tmp_path / "idx" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert "is damaged" in refusal(load)


def test_an_entry_that_cannot_be_read_ends_in_one_line(tmp_path, load, refusal):
    (tmp_path / "idx" / "train-images-idx3-ubyte").mkdir(parents=True)
    (tmp_path / "idx" / "train-labels-idx1-ubyte").mkdir()
    assert "Is a directory" in refusal(load)


def test_two_sets_in_one_folder_are_ambiguous(tmp_path, load, refusal):
    write(tmp_path / "idx", "emnist-letters-train-{}-idx{}-ubyte.gz")
    write(tmp_path / "idx", "emnist-digits-train-{}-idx{}-ubyte.gz")
    message = refusal(load)
    assert "emnist-digits-train-images" in message
    assert "emnist-letters-train-images" in message


def test_a_folder_without_idx_files(tmp_path, load, refusal):
    assert "no IDX files" in refusal(load)
    message = refusal(sources.load, f"idx:{tmp_path}/nowhere")
    assert "there is no folder" in message
    assert "--config.data.name=idx:FOLDER" in message
    assert "lacks its folder" in refusal(sources.load, "idx:")
