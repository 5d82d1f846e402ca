"""Reading a prepared TFDS set as a `Source`."""

import functools
import math
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from gan_jax.data import images
from gan_jax.data.source import MAX_BYTES_IN_MEMORY, ImageShape, RecordSource, Source, fingerprint
from gan_jax.errors import InputError


def read(
    folder: epath.Path,
    name: str,
    split: str,
    image_size: int | None = None,
    channels: int | None = None,
) -> Source:
    """Opens one split of a prepared set, and reads it into memory where it is small enough.

    Args:
      folder: The folder of one version of a set, as TFDS writes it.
      name: What the user called it.
      split: The split's name.
      image_size: Height and width to resize and crop to; None keeps the stored ones.
      channels: The number of channels to convert to; None keeps the stored one.

    Returns:
      The source.

    Raises:
      InputError: The set has no such split, no images of one known shape, or lies there in a
        format that cannot be read by index.
    """
    builder = tfds.builder_from_directory(folder)
    if split not in builder.info.splits:
        known = ", ".join(sorted(builder.info.splits))
        raise InputError(f"{name} has no split {split!r}; it has {known}")
    feature = _image_feature(builder, name)
    shape = _shape(feature, name, image_size, channels)
    source = RecordSource(
        name=name,
        split=split,
        fingerprint=_fingerprint(builder, split, shape),
        class_names=_class_names(builder),
        location=str(folder),
        cleaning=_cleaning(builder, split),
        records=_records(builder, name, split),
        shape=shape,
        decode=_decoder(feature, image_size, shape),
    )
    return source.in_memory() if len(source) * math.prod(shape) <= MAX_BYTES_IN_MEMORY else source


def _image_feature(builder: tfds.core.DatasetBuilder, name: str) -> Any:
    feature = dict(builder.info.features.items()).get("image")
    kinds = (tfds.features.Image, tfds.features.Tensor)
    if not isinstance(feature, kinds) or len(feature.shape) != 3:
        raise InputError(f"{name} has no 'image' feature: GANs here train on images")
    if feature.np_dtype != np.uint8:
        raise InputError(f"{name} has images of {np.dtype(feature.np_dtype)}, not of 8 bits")
    return feature


def _shape(feature: Any, name: str, image_size: int | None, channels: int | None) -> ImageShape:
    height, width, stored_channels = feature.shape
    if image_size is None and (height is None or width is None):
        raise InputError(
            f"the images of {name} differ in size: choose one, as in --config.data.image_size=64"
        )
    channels = channels or stored_channels or 3
    return (image_size or height, image_size or width, channels)


def _decoder(feature: Any, image_size: int | None, shape: ImageShape) -> Any:
    if isinstance(feature, tfds.features.Image):
        return functools.partial(images.decode, size=image_size, channels=shape[-1])
    stored = feature.shape

    def decode(raw: bytes) -> np.ndarray:
        image = np.frombuffer(raw, np.uint8).reshape(stored)
        return image if stored == shape else images.refit(image, image_size, shape[-1])

    return decode


def _class_names(builder: tfds.core.DatasetBuilder) -> tuple[str, ...]:
    label = dict(builder.info.features.items()).get("label")
    return tuple(label.names) if isinstance(label, tfds.features.ClassLabel) else ()


def _cleaning(builder: tfds.core.DatasetBuilder, split: str) -> dict[str, Any]:
    """Returns the report that `builders.RecipeBuilder` left; {} for stock sets."""
    metadata = builder.info.metadata
    report = metadata.get(split) if isinstance(metadata, dict) else None
    return report if isinstance(report, dict) else {}


def _fingerprint(builder: tfds.core.DatasetBuilder, split: str, shape: ImageShape) -> str:
    """Hashes the content where preparing did, else the set's full name and size; and the shape."""
    info = builder.info.splits[split]
    content = _cleaning(builder, split).get("fingerprint")
    identity = content or (builder.info.full_name, split, info.shard_lengths, info.num_bytes)
    return fingerprint(identity, shape)


def _records(builder: tfds.core.DatasetBuilder, name: str, split: str) -> Any:
    try:
        return builder.as_data_source(
            split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )
    except NotImplementedError:
        raise InputError(
            f"{name} lies in {builder.data_dir} as {builder.info.file_format.value}, which cannot "
            "be read by index: remove that folder, or set TFDS_DATA_DIR to another"
        ) from None
