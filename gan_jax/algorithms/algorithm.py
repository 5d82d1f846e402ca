"""The shape of everything that is learned here: a tuple of pure functions, as in optax."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

Array = jax.Array
Batch = Mapping[str, Array]
Metrics = dict[str, Array]


class Algorithm(NamedTuple):
    """A learning algorithm as pure functions; networks and optimizers are closed over.

    Attributes:
      init: `(key) -> state`. The state has at least `step` () int32, `key` and `ema`.
      update: `(state, batch) -> (state, metrics)`, one update. `batch` holds `image`
        (minibatches, B, H, W, C) float32 in [-1, 1], `label` (minibatches, B) int32 where the data
        has classes, and `index` (minibatches, B) int32: minibatch * global batch + row, which
        numbers the rows of one update across all devices. `metrics` are () float32.
      sample: `(weights, key, num_samples, labels=None, **options) -> images`, float32
        (num_samples, H, W, C) in [-1, 1]. `weights` is `state.ema`. Image i depends on (key, i).
      minibatches: how many minibatches of real data one update takes.
      diagnose: `(state, batch) -> metrics`, what is worth a look now and then but too dear for
        every update; None where there is nothing.
      standing: `(weights, key, *, batches, batch_size, **options) -> weights` with standing
        statistics, for `sample` with these options; None where nothing is normalized by batch
        statistics.
    """

    init: Callable[[Array], Any]
    update: Callable[[Any, Batch], tuple[Any, Metrics]]
    sample: Callable[..., Array]
    minibatches: int
    diagnose: Callable[[Any, Batch], Metrics] | None = None
    standing: Callable[..., Any] | None = None
