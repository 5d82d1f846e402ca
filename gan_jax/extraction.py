"""Extractors by name, and features of reals and fakes, on all devices of all processes."""

import functools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from flax import traverse_util
from jax.experimental import multihost_utils

from gan_jax import reference_classifier
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.data.images import to_unit_range
from gan_jax.data.source import Source, fingerprint
from gan_jax.data.stacked import StackedSource
from gan_jax.errors import InputError, did_you_mean
from gan_jax.metrics import extractors
from gan_jax.metrics.extractors import Extracted, Extractor
from gan_jax.models.classifier import ConvClassifier
from gan_jax.reference_classifier import ClassifierSettings
from gan_jax.runtime import parallel
from gan_jax.runtime.cache import cached_arrays
from gan_jax.runtime.grid import is_points
from gan_jax.runtime.weights import INCEPTION_SHA256, inception_weights
from gan_jax.runtime.writers import Bar

NAMES = ("auto", "classifier", "inception", "pixels", "random")


MOST_PIXELS = 4_096
"""Numbers of an image: covariances of more take minutes to decompose."""


def chosen(name: str, train: Source) -> str:
    """Returns which extractor `name` means for a data set: "auto" is resolved.

    Raises:
      InputError: there is no such extractor, or none for this data.
    """
    if name not in NAMES:
        raise InputError(
            f"the extractor {name!r} is not known.{did_you_mean(name, NAMES)} "
            f"There are: {', '.join(NAMES)}"
        )
    points, channels = is_points(train.image_shape), train.image_shape[-1]
    if name == "auto":
        few = math.prod(train.image_shape) <= MOST_PIXELS
        other = "pixels" if points or few else "random"
        return other if points or train.num_classes is None else "classifier"
    if points and name != "pixels":
        raise InputError(f"the extractor {name} is for images; {train.name} are points: pixels")
    if name == "classifier" and train.num_classes is None:
        raise InputError(f"the extractor classifier needs classes; {train.name} has none: pixels")
    if name == "inception" and channels not in (1, 3):
        raise InputError(f"the extractor inception takes 1 or 3 channels, not {channels}: pixels")
    return name


def build_extractor(
    name: str,
    train: Source,
    *,
    settings: ClassifierSettings | None = None,
    inception_path: os.PathLike[str] | str | None = None,
    say: Callable[[str], Any] = print,
) -> Extractor:
    """Builds the extractor for a data set.

    Args:
      name: "inception": the network of the reference FID, whose published weights are fetched once.
        "classifier": a small network that learns the classes of the train split, once: it is kept
        in the cache folder. "pixels". "random": the same network untrained. "auto": the classifier
        where there are classes and images, else the pixels, or of larger images "random".
      train: the train split.
      settings: of the classifier.
      inception_path: of the published weights of the Inception network, where they are at hand.
      say: is told what takes long.

    Raises:
      InputError: see `chosen`; or weights cannot be had.
    """
    name, settings = chosen(name, train), settings or ClassifierSettings()
    if name == "pixels":
        return extractors.pixels()
    if name == "random":
        return _random(train)
    if name == "inception":
        with parallel.together():
            weights = inception_weights(inception_path)
        return extractors.inception(weights, INCEPTION_SHA256[:8])
    if isinstance(train, StackedSource):
        one = _classifier(train.digits, settings, say)
        return extractors.by_channel(one, channels=train.image_shape[-1])
    return _classifier(train, settings, say)


def _random(train: Source) -> Extractor:
    network = ConvClassifier(num_classes=1)
    images = np.zeros((1, *train.image_shape), np.float32)
    weights = jax.jit(functools.partial(network.init, train=False))(jax.random.key(0), images)

    def classify(weights: Any, images: jax.Array) -> Any:
        return network.apply(weights, to_unit_range(images), train=False)

    identity = fingerprint(*jax.tree.leaves(jax.device_get(weights)))
    return extractors.by_network("random", classify, weights, identity)


def _classifier(
    train: Source, settings: ClassifierSettings, say: Callable[[str], Any]
) -> Extractor:
    assert train.num_classes is not None, "chosen has seen to it"
    key = {"data": train.fingerprint, "seed": 0, "settings": settings._asdict()}

    def make() -> dict[str, np.ndarray]:
        say(f"training a classifier of {train.name} to look through, once: some minutes")
        with Bar(settings.steps, "classifier", "updates") as bar:
            weights = reference_classifier.train_classifier(
                train, settings, seed=0, on_progress=lambda step, _: bar.reach(step)
            )
        return traverse_util.flatten_dict(weights, sep="/")

    # Another process may have found or made others.
    arrays = parallel.tree_from_first_process(cached_arrays("classifiers", key, make))
    weights = traverse_util.unflatten_dict(arrays, sep="/")
    functions = reference_classifier.build(settings, train.image_shape, train.num_classes)
    # Of the weights themselves: other settings, and other machines, come to others.
    identity = fingerprint(*jax.tree.leaves(weights))

    def classify(weights: Any, images: jax.Array) -> Any:
        return functions.classify(weights, to_unit_range(images))

    return extractors.by_network(
        "classifier", classify, weights, identity, num_classes=train.num_classes
    )


def of_reals(extractor: Extractor, source: Source) -> Extracted:
    """Returns what an extractor sees in all of a split, once computed from the cache folder."""
    if extractor.of_channel is not None and isinstance(source, StackedSource):
        # Its digits are few, and make many stacks.
        digits = of_reals(extractor.of_channel, source.digits)
        return extractors.stacked(digits, source.triples, extractor.of_channel.num_classes)
    words = extractor._replace(weights=None, extract=None)._asdict()  # type: ignore[arg-type]
    key = {**words, "data": source.fingerprint, "split": source.split, "count": len(source)}

    def make() -> dict[str, np.ndarray]:
        found = _of_source(extractor, source)._asdict()
        return {name: array for name, array in found.items() if array is not None}

    return Extracted(**cached_arrays("features", key, make, agree=parallel.all_agree))


def _of_source(extractor: Extractor, source: Source) -> Extracted:
    compiled = jax.pmap(extractor.extract, in_axes=(None, 0))
    weights = parallel.replicate(extractor.weights)

    def look(offsets: np.ndarray) -> Any:
        bar.reach(int(offsets[0]))
        rows = offsets[:, None] + np.arange(extractor.chunk)
        images = source.read(np.minimum(rows, len(source) - 1).reshape(-1))["image"]
        return compiled(weights, parallel.shard(images.reshape(*rows.shape, *images.shape[1:])))

    with Bar(len(source), f"{extractor.name} of {source.split}", "images") as bar:
        found: Extracted = _in_rounds(look, len(source), extractor.chunk)
        bar.reach(len(source))
    return found


def of_fakes(
    look: Callable[[Any, jax.Array], Any],
    algorithm: Algorithm,
    image_shape: Sequence[int],
    asked: np.ndarray | None,
    num_samples: int,
    *,
    chunk: int,
) -> Callable[..., Any]:
    """Returns a function that draws fakes and looks at them.

    It takes `replicate`d weights of the generator and of `look`, a seed, and
    `on_progress`, which is told how many are drawn; one compiled program serves all its calls. The
    fakes are the images of `--mode=sample --seed=SEED`, as a file would hold them.

    Args:
      look: `(weights, images) -> tree` of arrays (B, ...), such as `Extractor.extract`.
      algorithm: draws them, on one device.
      image_shape: (H, W, C).
      asked: (N,) int32, the class that each is asked for; None where a generator has no classes.
      num_samples: how many fakes.
      chunk: how many a device takes at a time, at most.
    """
    chunk = min(chunk, -(-num_samples // jax.device_count()))
    points = is_points(image_shape)

    def draw(generator: Any, weights: Any, key: jax.Array, labels: Any, offset: jax.Array) -> Any:
        images = algorithm.sample(generator, key, chunk, labels, offset=offset)
        return look(weights, images if points else extractors.quantized(images))

    compiled = jax.pmap(draw, in_axes=(None, None, None, 0, 0))

    def of_seed(
        generator: Any,
        weights: Any,
        seed: int,
        on_progress: Callable[[int], Any] = lambda drawn: None,
    ) -> Any:
        key = parallel.replicate(jax.random.key(seed))

        def at(offsets: np.ndarray) -> Any:
            rows = offsets[:, None] + np.arange(chunk)
            labels = None if asked is None else asked[rows % num_samples]
            on_progress(int(offsets[0]))
            return compiled(generator, weights, key, *parallel.shard((labels, np.int32(offsets))))

        found = _in_rounds(at, num_samples, chunk)
        on_progress(num_samples)
        return found

    return of_seed


def _in_rounds(look: Callable[[np.ndarray], Any], number: int, chunk: int) -> Any:
    """Looks at `number` examples, `chunk` on each device of the job at a time; all get all.

    `look` takes the first example of each device of this process, and returns arrays
    (devices, chunk, ...).
    """
    local = jax.local_device_count()
    devices = jax.process_index() * local + np.arange(local)
    starts = range(0, number, chunk * jax.device_count())
    rounds = [jax.device_get(look(start + chunk * devices)) for start in starts]
    arrays = jax.tree.map(lambda *each: np.stack(each), *rounds)
    if jax.process_count() == 1:
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[3:])[:number], arrays)
    everywhere = multihost_utils.process_allgather(arrays)  # (processes, rounds, devices, ...)
    return jax.tree.map(
        lambda x: np.asarray(x).swapaxes(0, 1).reshape(-1, *x.shape[4:])[:number], everywhere
    )
