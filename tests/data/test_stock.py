"""Sets that TFDS defines: stood in for by sets prepared with TFDS's own machinery."""

import io
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from gan_jax.data import sources, stock

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 9, 9, 3), np.uint8)


def png(image):
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG")
    return data.getvalue()


class StandIn(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A set as TFDS's own are: encoded images, shuffled by key."""

    VERSION = tfds.core.Version("3.0.1")

    def __init__(self, name, features, examples, **options):
        self.name, self._features, self._examples = name, features, examples
        super().__init__(**options)

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(self._features)
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(), "validation": self._generate_examples()}

    def _generate_examples(self):
        yield from enumerate(self._examples)


@pytest.fixture
def prepare(tmp_path):
    def call(name, features, examples, file_format="array_record"):
        builder = StandIn(name, features, examples, data_dir=str(tmp_path))
        tfds.disable_progress_bar()
        builder.download_and_prepare(file_format=file_format)
        tfds.enable_progress_bar()

    return call


@pytest.fixture
def cifar(prepare):
    features = {
        "image": tfds.features.Image(shape=(9, 9, 3), encoding_format="png"),
        "label": tfds.features.ClassLabel(names=["bird", "cat", "deer"]),
        "id": tfds.features.Text(),
    }
    prepare(
        "cifar10",
        features,
        [{"image": png(image), "label": i % 3, "id": str(i)} for i, image in enumerate(PIXELS)],
    )


@pytest.mark.parametrize("name", ["cifar10", "cifar10:3.0.1"])
def test_a_prepared_set_is_read_without_tensorflow(cifar, tmp_path, name):
    source = sources.load(name, data_dir=tmp_path)
    assert "tensorflow" not in sys.modules
    assert source.image_shape == (9, 9, 3)
    assert source.class_names == ("bird", "cat", "deer")
    order = [
        int(np.square(PIXELS.astype(int) - image).sum((1, 2, 3)).argmin())
        for image in source.images
    ]
    np.testing.assert_array_equal(source.images, PIXELS[order])
    np.testing.assert_array_equal(source.labels, np.array(order) % 3)
    assert sorted(order) == list(range(30))


def test_conversion_on_reading(cifar, tmp_path):
    source = sources.load("cifar10", image_size=4, channels=1, data_dir=tmp_path)
    assert source.images.shape == (30, 4, 4, 1)


def test_splits_have_fingerprints_and_unknown_ones_are_named(cifar, tmp_path, refusal):
    train = sources.load("cifar10", data_dir=tmp_path)
    validation = sources.load("cifar10", "validation", data_dir=tmp_path)
    assert train.fingerprint != validation.fingerprint
    assert train.fingerprint == sources.load("cifar10", data_dir=tmp_path).fingerprint
    assert "it has train, validation" in refusal(sources.load, "cifar10", "test", data_dir=tmp_path)


def test_images_of_different_sizes_need_a_size(prepare, tmp_path, refusal):
    images = [PIXELS[i, : 5 + i % 4] for i in range(30)]
    feature = tfds.features.Image(shape=(None, None, 3), encoding_format="png")
    prepare("celeb_a", {"image": feature}, [{"image": png(image)} for image in images])
    assert "--config.data.image_size=64" in refusal(sources.load, "celeb_a", data_dir=tmp_path)
    source = sources.load("celeb_a", image_size=6, data_dir=tmp_path)
    assert source.images.shape == (30, 6, 6, 3)
    assert source.num_classes is None


@pytest.mark.parametrize(
    ("features", "example", "expected"),
    [
        ({"text": tfds.features.Text()}, {"text": "hello"}, "has no 'image' feature"),
        (
            {"image": tfds.features.Tensor(shape=(2,), dtype=np.float32)},
            {"image": np.zeros(2, np.float32)},
            "has no 'image' feature",
        ),
        (
            {"image": tfds.features.Tensor(shape=(2, 2, 1), dtype=np.float32)},
            {"image": np.zeros((2, 2, 1), np.float32)},
            "has images of float32",
        ),
    ],
)
def test_sets_without_images(prepare, tmp_path, refusal, features, example, expected):
    prepare("iris", features, [example])
    assert expected in refusal(sources.load, "iris", data_dir=tmp_path)


def test_unprepared_without_tensorflow_names_the_one_command(tmp_path, monkeypatch, refusal):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(stock.importlib.util, "find_spec", lambda name: None)
    message = refusal(sources.load, "cifar10", data_dir=tmp_path / "tfds")
    assert "pip install tensorflow-cpu" in message
    assert "once" in message
    assert not (tmp_path / "tfds").exists()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("mnist5k", "mnist_5k"),
        ("cifar", "cifar10"),
        ("fashion-mnist", "fashion_mnist"),
        ("fashion_mnits:3.0.1", "fashion_mnist"),
        ("Mnist", "mnist"),
    ],
)
def test_unknown_names_come_with_the_nearest(tmp_path, refusal, name, nearest):
    message = refusal(sources.load, name, data_dir=tmp_path)
    assert message == f"unknown data set {name!r}. Did you mean {nearest!r}?"


def test_with_tensorflow_what_tfds_refuses_ends_in_one_line(tmp_path, monkeypatch, refusal):
    monkeypatch.setattr(stock.importlib.util, "find_spec", lambda name: object())
    message = refusal(sources.load, "cifar10:1.2.3", data_dir=tmp_path)
    assert message.startswith("cifar10:1.2.3 cannot be prepared: ")


def test_a_set_is_prepared_as_array_record(tmp_path, monkeypatch):
    """TFDS and TensorFlow being there, the stand-in takes the way of a stock set."""
    feature = tfds.features.Image(shape=(9, 9, 3), encoding_format="png")
    examples = [{"image": png(image)} for image in PIXELS]
    monkeypatch.setattr(stock.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(
        stock.tfds,
        "builder",
        lambda name, data_dir: StandIn(name, {"image": feature}, examples, data_dir=data_dir),
    )
    source = sources.load("cifar10", data_dir=tmp_path)
    assert len(source) == 30
    assert list(tmp_path.glob("cifar10/3.0.1/*.array_record-*"))


def test_another_file_format_is_explained(cifar, tmp_path, refusal):
    info = tmp_path / "cifar10" / "3.0.1" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    message = refusal(sources.load, "cifar10", data_dir=tmp_path)
    assert "as tfrecord, which cannot be read by index" in message
