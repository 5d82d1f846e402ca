"""Which examples make up which batch: a pure function of (seed, position), computed on the host.

The examples that training consumes form one endless sequence. Update `step` with `minibatches`
minibatches of `batch_size` rows reads positions `step * minibatches * batch_size` onwards. There is
no iterator, so nothing has to be saved, and any process can compute any part of the sequence.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

Permutation = Callable[[int], np.ndarray]


def _epochs(seed: int, size: int, stream: int = 0, kept: int = 2) -> Permutation:
    """Returns the function from an epoch to its permutation of `size` examples.

    The latest ones are kept: consecutive steps share an epoch, and a call may straddle two.
    """

    @lru_cache(maxsize=kept)
    def permutation(epoch: int) -> np.ndarray:
        # Sorting Philox's raw words, whose values NumPy guarantees; those of Generator.permutation
        # may change from release to release, and with them every run.
        words = np.random.Philox(key=[seed, stream], counter=[0, 0, 0, epoch]).random_raw(size)
        return np.argsort(words, kind="stable")

    return permutation


class IndexPlan:
    """The endless sequence of examples, in epochs: each is a fresh permutation of all of them.

    Args:
      seed: names the sequence, at least 0.
      size: the number of examples, at least 1.
    """

    def __init__(self, seed: int, size: int):
        self._size = size
        self._epochs = _epochs(seed, size)

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Returns the example at each of `positions`, int64 of the same shape."""
        return _by_epoch(self._epochs, positions, self._size)


class BalancedPlan:
    """The endless sequence with classes drawn evenly, however many examples each class has.

    Every run of `num_classes` positions holds each class once, in a random order. The examples of
    a class come in epochs of their own.

    Args:
      seed: names the sequence, at least 0.
      labels: (N,) the class of each example, in [0, num_classes).
    """

    def __init__(self, seed: int, labels: np.ndarray):
        self._members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self._order = _epochs(seed, len(self._members), stream=1, kept=4096)
        self._epochs = [
            _epochs(seed, len(members), stream=2 + label)
            for label, members in enumerate(self._members)
        ]

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Returns the example at each of `positions`, int64 of the same shape."""
        classes = len(self._members)
        chosen = _by_epoch(self._order, positions, classes)
        visits = positions // classes
        examples = np.empty(positions.shape, np.int64)
        for label, (members, epochs) in enumerate(zip(self._members, self._epochs, strict=True)):
            here = chosen == label
            examples[here] = members[_by_epoch(epochs, visits[here], len(members))]
        return examples


def _by_epoch(permutation: Permutation, positions: np.ndarray, size: int) -> np.ndarray:
    examples = np.empty(positions.shape, np.int64)
    epochs = positions // size
    for epoch in np.unique(epochs):
        here = epochs == epoch
        examples[here] = permutation(int(epoch))[positions[here] % size]
    return examples
