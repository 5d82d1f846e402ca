import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from gan_jax.data import sources


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    return tmp_path / "photos"


@pytest.fixture
def load(folder, tmp_path):
    def call(split="train", image_size=8, **options):
        root = tmp_path / "tfds"
        return sources.load(
            f"folder:{folder}", split, image_size=image_size, data_dir=root, **options
        )

    return call


def test_files_directly_in_the_folder_have_no_classes(folder, load, write_images):
    paths = write_images(folder, 5, size=(8, 8))
    source = load()
    assert source.num_classes is None
    assert source.labels is None
    for path, image in zip(paths, source.images, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), image)


def test_sub_folders_are_classes_in_sorted_order(folder, load, write_images):
    write_images(folder / "dog", 3)
    write_images(folder / "cat" / "kittens", 4, first=10)
    write_images(folder / ".hidden", 1, first=20)
    source = load()
    assert source.class_names == ("cat", "dog")
    np.testing.assert_array_equal(source.labels, [0, 0, 0, 0, 1, 1, 1])


def test_train_and_test_folders_are_splits(folder, load, write_images):
    write_images(folder / "train" / "a", 3)
    write_images(folder / "train" / "b", 2, first=10)
    write_images(folder / "test" / "b", 2, first=20)
    train, test = load(), load("test")
    assert train.class_names == test.class_names == ("a", "b")
    np.testing.assert_array_equal(train.labels, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(test.labels, [1, 1])


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
@pytest.mark.parametrize("has_test", [False, True])
def test_a_validation_folder_is_a_split_too(folder, load, write_images, refusal, name, has_test):
    write_images(folder / "train" / "a", 3)
    write_images(folder / "train" / "b", 2, first=10)
    write_images(folder / name / "b", 2, first=4)
    if has_test:
        write_images(folder / "test" / "b", 2, first=5)  # the first is the last of validation
    train, validation = load(), load("validation")
    assert train.class_names == validation.class_names == ("a", "b")
    np.testing.assert_array_equal(train.labels, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(validation.labels, [1, 1])
    if has_test:
        np.testing.assert_array_equal(load("test").labels, [1])
    else:
        assert "has no split 'test'; it has train, validation" in refusal(load, "test")


def test_a_train_folder_alone_is_the_train_split(folder, load, write_images):
    write_images(folder / "train" / "cat", 3)
    write_images(folder / "train" / "dog", 2, first=10)
    assert load().class_names == ("cat", "dog")


def test_trains_may_be_a_class(folder, load, write_images):
    write_images(folder / "train", 3)
    write_images(folder / "bus", 2, first=10)
    assert load().class_names == ("bus", "train")


def test_so_may_tests(folder, load, write_images):
    write_images(folder / "test" / "crash", 3)
    write_images(folder / "street", 2, first=10)
    assert load().class_names == ("street", "test")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train", "val", "extra"), "extra lies beside train and val, which are splits: move it"),
        (("train", "test", "."), "000.png lies beside train and test, which are splits: move it"),
        (("val", "test"), "holds val and test but no train: rename one to train, or"),
        (("test",), "photos/test"),
        (("train", "val", "valid"), "train and val and valid, two names of one split"),
    ],
)
def test_what_may_be_splits_or_classes_is_refused(
    folder, load, write_images, refusal, tmp_path, names, message
):
    for index, name in enumerate(names):
        write_images(folder / name, 1, first=0 if name == "." else index)
    assert message in refusal(load)
    assert not (tmp_path / "tfds").exists()


def test_without_them_everything_is_train(folder, load, write_images, refusal):
    write_images(folder, 3)
    assert len(load()) == 3
    assert "has no split 'test'; it has train" in refusal(load, "test")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_mix_of_modes_sizes_and_formats(folder, load, write_images, channels):
    write_images(folder, 1, size=(20, 9), mode="RGBA")
    write_images(folder, 1, first=1, size=(5, 6), mode="L")
    write_images(folder, 1, first=2, size=(8, 30), mode="LA")
    Image.new("CMYK", (9, 9), (10, 20, 30, 40)).save(folder / "print.jpg")
    Image.new("P", (9, 9), 3).save(folder / "UPPER.GIF")
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(folder / "deep.tiff")
    (folder / "README.txt").write_text("not an image")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1")
    source = load(channels=channels)
    assert source.images.shape == (6, 8, 8, channels)
    assert source.cleaning["read"] == 6


def test_photographs_come_upright(folder, load):
    folder.mkdir()
    image = Image.new("L", (8, 8))
    image.paste(255, (0, 0, 8, 4))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 3  # held upside down
    image.save(folder / "a.png", exif=exif)
    np.testing.assert_array_equal(load(channels=1).images[0, :, 4, 0], [0] * 4 + [255] * 4)


def test_the_first_of_exact_duplicates_stays(folder, load, write_images):
    write_images(folder / "train" / "b", 3)
    write_images(folder / "train" / "a", 1, first=1)  # the second of b, in another class
    write_images(folder / "test" / "b", 2, first=2)  # the first is the third of train/b
    train, test = load(), load("test")
    np.testing.assert_array_equal(train.labels, [0, 1, 1])
    assert (train.cleaning["read"], train.cleaning["kept"], train.cleaning["duplicates"]) == (
        4,
        3,
        1,
    )
    assert len(test) == 1
    assert test.cleaning["duplicates_dropped"]


def test_duplicates_are_those_after_resizing(folder, load):
    folder.mkdir()
    for side in (8, 16, 24):
        Image.new("RGB", (side, side), "teal").save(folder / f"{side}.png")
    assert len(load()) == 1


def test_identity_covers_files_size_and_channels(folder, load, write_images):
    paths = write_images(folder, 3)
    locations = {load().location, load(channels=1).location, load(image_size=9).location}
    assert len(locations) == 3
    assert load().location in locations
    paths[1].unlink()
    assert load().location not in locations
    assert len(load()) == 2


def test_a_file_replaced_by_one_of_equal_size_and_time_is_noticed(folder, load):
    folder.mkdir()
    path = folder / "a.bmp"
    Image.new("RGB", (8, 8), "red").save(path)
    before = path.stat()
    assert (load().images == (255, 0, 0)).all()
    Image.new("RGB", (8, 8), "blue").save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as archives do
    assert path.stat().st_size == before.st_size
    assert (load().images == (0, 0, 255)).all()


def test_fingerprint_is_of_the_content_not_of_the_files(folder, load, write_images):
    paths = write_images(folder, 3)
    first = load()
    for path in paths:
        path.touch()
    second = load()
    assert second.location != first.location
    assert second.fingerprint == first.fingerprint
    write_images(folder, 1, first=7)
    assert load().fingerprint != first.fingerprint


def test_folders_that_are_no_data_sets_leave_nothing(folder, load, tmp_path, refusal, write_images):
    assert "there is no folder" in refusal(load)
    folder.mkdir()
    assert "is empty" in refusal(load)
    (folder / "README.txt").write_text("hello")
    (folder / "drawing.svg").write_text("<svg/>")
    assert "holds no images" in refusal(load)
    write_images(folder, 1)
    assert "--config.data.image_size=64" in refusal(load, image_size=None)
    write_images(folder / "cats", 1)
    assert "both directly in the folder and in sub-folders (cats" in refusal(load)
    assert "lacks its folder" in refusal(sources.load, "folder:")
    assert not (tmp_path / "tfds").exists()


@pytest.mark.parametrize("options", [{"channels": 5}, {"channels": 0}, {"image_size": -1}])
def test_impossible_options(folder, load, write_images, refusal, options):
    write_images(folder, 1)
    assert "must be" in refusal(load, **options)
