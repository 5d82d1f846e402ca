"""Penalties with their weights, by name; and what the parts of an objective are given to read."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Metrics
from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import (
    Adaptive,
    Controls,
    OfLatents,
    OfOutputs,
    OfParameters,
    OfStep,
)
from gan_jax.rng import substream
from gan_jax.train_state import PyTree

Array = jax.Array
Part = Callable[..., Any] | Adaptive | OfLatents | OfOutputs | OfParameters
Weight: TypeAlias = optax.ScalarOrSchedule
Entries = Sequence[tuple[Part, Weight] | tuple[Part, Weight, int]]
Weighted = dict[str, tuple[Part, Weight]]


class Penalties(NamedTuple):
    """A network's penalties with their weights, by the names of their functions.

    Attributes:
      steady: those of every update of the network.
      lazy: those that are due at every so many updates.
      interval: how many; 1 where none is lazy.
    """

    steady: Weighted
    lazy: Weighted
    interval: int

    @classmethod
    def of(cls, entries: Entries) -> "Penalties":
        """Returns the penalties of entries (penalty, weight) or (penalty, weight, interval).

        Raises:
          InputError: two of them go by one name, an interval is not a whole number from 1 on, or
            lazy ones have unlike intervals.
        """
        weighted, intervals = dict[str, tuple[Part, Weight]](), dict[str, int]()
        for penalty, weight, *rest in entries:
            name = name_of(penalty)
            if name in weighted:
                raise InputError(
                    f"two penalties have the name {name}: give their functions names of their own"
                )
            weighted[name], intervals[name] = (penalty, weight), rest[0] if rest else 1
        for name, interval in intervals.items():
            if interval != int(interval) or interval < 1:
                raise InputError(f"the interval of {name} is {interval}; it must be 1, 2, 3, ...")
        lazy = {name: weighted.pop(name) for name, k in intervals.items() if k > 1}
        if len(found := {intervals[name] for name in lazy}) > 1:
            raise InputError(
                f"lazy penalties of one network have intervals of {sorted(found)}: give them one"
            )
        return cls(weighted, lazy, found.pop() if found else 1)

    @property
    def of_examples(self) -> set[Any]:
        """The functions of those that read examples, without what is bound to them."""
        penalties = (penalty for penalty, _ in (self.steady | self.lazy).values())
        return {_function(part) for part in penalties if not isinstance(part, OfParameters)}

    @property
    def initial(self) -> dict[str, float]:
        """Their controls before the first update: of those that adapt; lazy ones' last means."""
        parts = (*_adaptive(self.steady), *_adaptive(self.lazy))
        return joined(initial_controls(*parts), dict.fromkeys(self.lazy, 0.0))

    def adapt(
        self, controls: Controls, metrics: Metrics, found: Metrics, due: Array | bool
    ) -> dict[str, Array]:
        """Returns their controls after an update.

        Args:
          controls: of the state.
          metrics: of the update, without the lazy ones'.
          found: the lazy ones' metrics, if they are due.
          due: whether they are. Then their controls move, and hold their means until the next turn,
            so that metrics can tell these at any time.
        """
        lazy = adapt(_adaptive(self.lazy), controls, metrics | found)
        lazy |= {name: found[name] for name in self.lazy}
        lazy = {name: jnp.where(due, value, controls[name]) for name, value in lazy.items()}
        return adapt(_adaptive(self.steady), controls, metrics) | lazy


def weighted_sum(
    weighted: Weighted, step: Array, keys: Array, apply: Callable[[Part, Array], Any]
) -> tuple[Array, Metrics]:
    """Returns `sum_i weight_i * mean(penalty_i)`, and the means by name.

    Args:
      weighted: the penalties.
      step: of the state, for weights that are functions of it.
      keys: (B,); a penalty draws from a stream of its own name.
      apply: `(penalty, keys) -> (B,)`, or (), or a pair of that and a dict of more to tell.
    """
    total, metrics = jnp.float32(0), dict[str, Array]()
    for name, (penalty, weight) in weighted.items():
        values = apply(penalty, substream(keys, f"penalty/{name}"))
        values, more = values if isinstance(values, tuple) else (values, {})
        metrics |= {name: values.mean()} | {key: x.mean() for key, x in more.items()}
        total = total + value_at(weight, step) * values.mean()
    return total, metrics


def _adaptive(weighted: Weighted) -> list[Adaptive]:
    return adaptive(*(penalty for penalty, _ in weighted.values()))


def _function(part: Part) -> Any:
    """Returns the function within a part of the objective, partials taken off."""
    special = Adaptive | OfLatents | OfOutputs | OfParameters
    function: Any = part.function if isinstance(part, special) else part
    while isinstance(function, functools.partial):
        function = function.func
    return function


def name_of(part: Part) -> str:
    """Returns the name that a penalty goes by: that of its function."""
    function = _function(part)
    return getattr(function, "__name__", type(function).__name__)


def value_at(value: Weight, step: Array) -> Any:
    """Returns a value that may be a function of the step."""
    return value(step) if callable(value) else value


# ---- adaptive parts ------------------------------------------------------------------------------


def given(
    part: Part | OfStep,
    controls: Controls,
    params: PyTree = None,
    *,
    step: Array | None = None,
    **latents: Any,
) -> Callable[..., Any]:
    """Returns the part's function with what it reads beside its arguments.

    Args:
      part: of the objective.
      controls: of the state, for an `Adaptive`.
      params: of the network, for an `OfParameters`, which then takes and drops all arguments.
      step: of the state, for an `OfStep`.
      **latents: `generate` and `z`, for an `OfLatents`.
    """
    if isinstance(part, Adaptive):
        return functools.partial(part.function, controls=controls)
    if isinstance(part, OfStep):
        return functools.partial(part.function, step=step)
    if isinstance(part, OfLatents):
        return functools.partial(part.function, **latents)
    if isinstance(part, OfParameters):
        return lambda *_: part.function(params)
    return part.function if isinstance(part, OfOutputs) else part


def judging(part: Part, judge: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """Returns what a penalty of the discriminator looks through: logits, or `judge` itself."""
    return judge if isinstance(part, OfOutputs) else lambda images: judge(images).logits


def adaptive(*parts: Part | OfStep | None) -> list[Adaptive]:
    """Returns those of the parts that are adaptive."""
    return [part for part in parts if isinstance(part, Adaptive)]


def initial_controls(*parts: Adaptive) -> dict[str, float]:
    """Returns the parts' controls as they are before the first update."""
    return joined(*(part.initial for part in parts))


def joined(*controls: Mapping[str, float]) -> dict[str, float]:
    """Returns several parts' controls as one dict.

    Raises:
      InputError: two of them go by one name.
    """
    names = [name for part in controls for name in part]
    if len(names) > len(set(names)):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            f"state.controls would hold two things under the name {', '.join(twice)}: name what "
            "adapts, and the functions of lazy penalties, apart"
        )
    return {name: value for part in controls for name, value in part.items()}


def adapt(parts: Sequence[Adaptive], controls: Controls, metrics: Metrics) -> dict[str, Array]:
    """Returns the parts' controls after an update."""
    moved: dict[str, Array] = {}
    for part in parts:
        moved |= part.update(controls, metrics)
    return moved
