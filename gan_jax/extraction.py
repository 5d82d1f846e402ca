"""Extractors by name, and features of reals and fakes, on all devices of all processes."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import traverse_util
from jax.experimental import multihost_utils

from gan_jax import reference_classifier
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
from gan_jax.trained import Trained

NAMES = ("auto", "classifier", "pixels", "random")


def build_extractor(
    name: str,
    train: Source,
    *,
    settings: ClassifierSettings | None = None,
    say: Callable[[str], Any] = print,
) -> Extractor:
    """Builds the extractor for a data set.

    Args:
      name: "classifier": a small network that learns the classes of the train split, once: it is
        kept in the cache folder. "pixels". "random": the same network untrained. "auto": the
        classifier where there are classes and images, else the pixels.
      train: the train split.
      settings: of the classifier.
      say: is told what takes long.

    Raises:
      InputError: there is no such extractor, or none for this data.
    """
    if name not in NAMES:
        raise InputError(
            f"--extractor: {name!r} is not known.{did_you_mean(name, NAMES)} "
            f"There are: {', '.join(NAMES)}"
        )
    points, settings = is_points(train.image_shape), settings or ClassifierSettings()
    if name == "auto":
        name = "pixels" if points or train.num_classes is None else "classifier"
    if name == "pixels":
        return extractors.pixels()
    if points:
        raise InputError(f"--extractor={name} is for images, and {train.name} are points: pixels")
    if name == "random":
        return _random(train)
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

    return extractors.by_network("random", classify, weights, "seed 0")


def _classifier(
    train: Source, settings: ClassifierSettings, say: Callable[[str], Any]
) -> Extractor:
    if train.num_classes is None:
        raise InputError(f"--extractor=classifier needs classes, and {train.name} has none: pixels")
    key = {"data": train.fingerprint, "seed": 0, "settings": settings._asdict()}

    def make() -> dict[str, np.ndarray]:
        say(f"training a classifier of {train.name} to look through, once: some minutes")
        weights = reference_classifier.train_classifier(train, settings, seed=0)
        return traverse_util.flatten_dict(weights, sep="/")

    weights = traverse_util.unflatten_dict(cached_arrays("classifiers", key, make), sep="/")
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
    words = extractor._replace(weights=None, extract=None)._asdict()  # type: ignore[arg-type]
    key = {**words, "data": source.fingerprint, "split": source.split, "count": len(source)}

    def make() -> dict[str, np.ndarray]:
        found = _of_source(extractor, source)._asdict()
        return {name: array for name, array in found.items() if array is not None}

    return Extracted(**cached_arrays("features", key, make))


def _of_source(extractor: Extractor, source: Source) -> Extracted:
    compiled = jax.pmap(extractor.extract, in_axes=(None, 0))
    weights = parallel.replicate(extractor.weights)

    def look(offsets: np.ndarray) -> Any:
        rows = offsets[:, None] + np.arange(extractor.chunk)
        images = source.read(np.minimum(rows, len(source) - 1).reshape(-1))["image"]
        return compiled(weights, parallel.shard(images.reshape(*rows.shape, *images.shape[1:])))

    return _in_rounds(look, len(source), extractor.chunk)


def of_fakes(
    extractor: Extractor, run: Trained, num_samples: int
) -> tuple[Callable[..., Extracted], np.ndarray | None]:
    """Returns a function to what an extractor sees in fakes, and the classes (N,) asked for.

    The function takes a seed and `on_progress`, which is told how many are drawn. The fakes are the
    images of `--mode=sample --seed=SEED`, as a file would hold them; a conditional generator is
    asked for all classes in turn.
    """
    asked = None
    if run.num_classes is not None:
        asked = np.resize(np.arange(run.num_classes, dtype=np.int32), num_samples)
    points = is_points(run.facts.image_shape)

    def draw(generator: Any, weights: Any, key: jax.Array, labels: Any, offset: jax.Array) -> Any:
        images = run.algorithm.sample(generator, key, extractor.chunk, labels, offset=offset)
        return extractor.extract(weights, images if points else extractors.quantized(images))

    compiled = jax.pmap(draw, in_axes=(None, None, None, 0, 0))
    weights = parallel.replicate((run.weights, extractor.weights))

    def of_seed(seed: int, on_progress: Callable[[int], Any] = lambda drawn: None) -> Extracted:
        key = parallel.replicate(jax.random.key(seed))

        def look(offsets: np.ndarray) -> Any:
            rows = offsets[:, None] + np.arange(extractor.chunk)
            labels = None if asked is None else asked[rows % num_samples]
            on_progress(int(offsets[0]))
            return compiled(*weights, key, *parallel.shard((labels, np.int32(offsets))))

        found: Extracted = _in_rounds(look, num_samples, extractor.chunk)
        on_progress(num_samples)
        return found

    return of_seed, asked


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
