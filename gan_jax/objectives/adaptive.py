"""Parts of the objective that need more than usual: lasting numbers, the step, fakes, outputs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

Array = jax.Array
Controls = Mapping[str, Array]


class Adaptive(NamedTuple):
    """A penalty or an augmentation that also reads numbers which follow the training.

    The numbers are carried from update to update in `TrainState.controls`.

    Attributes:
      function: the penalty or augmentation; takes `controls` as one keyword more.
      initial: the numbers by name, as they are before the first update.
      update: `(controls, metrics) -> controls` after each update that it had a part in, of whose
        metrics it reads means over the whole batch.
    """

    function: Callable[..., Any]
    initial: Mapping[str, float]
    update: Callable[[Controls, Mapping[str, Array]], dict[str, Array]]


class OfStep(NamedTuple):
    """An augmentation that follows a schedule.

    Attributes:
      function: the augmentation; takes `step`, the updates of the generator so far, int32 (), as
        one keyword more.
    """

    function: Callable[..., Array]


class OfLatents(NamedTuple):
    """A penalty on the discriminator that makes more fakes.

    Attributes:
      function: the penalty; takes two keywords more. `generate` maps latents (B, Z) to images
        (B, H, W, C), and has all else inside: it is not differentiated, and a row keeps its label
        and its keys. `z` (B, Z) are the latents of the fakes: `generate(z)` is `fake`.
    """

    function: Callable[..., Array]


class OfOutputs(NamedTuple):
    """A penalty on the discriminator that reads more than logits.

    Attributes:
      function: the penalty; `judge`, which it takes in the place of `discriminate`, maps images
        (B, H, W, C) to all that the discriminator returns of them.
    """

    function: Callable[..., Any]


class OfParameters(NamedTuple):
    """A penalty on a network's parameters, whatever it makes of examples.

    Attributes:
      function: the penalty; `params -> ()`, of the network that is trained.
    """

    function: Callable[[Any], Array]
