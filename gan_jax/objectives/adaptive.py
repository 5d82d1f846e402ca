"""Parts of the objective that carry numbers from update to update, in `TrainState.controls`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax

Array = jax.Array
Controls = Mapping[str, Array]


class Adaptive(NamedTuple):
    """A penalty or an augmentation that also reads numbers which follow the training.

    Attributes:
      function: the penalty or augmentation; takes `controls` as one keyword more.
      initial: the numbers by name, as they are before the first update.
      update: `(controls, metrics) -> controls` after each update of the discriminator, of whose
        metrics it reads means over the whole batch.
    """

    function: Callable[..., Array]
    initial: Mapping[str, float]
    update: Callable[[Controls, Mapping[str, Array]], dict[str, Array]]
