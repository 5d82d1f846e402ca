"""Penalties with their weights, by name; and what the parts of an objective are given to read."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Metrics
from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import Adaptive, Controls, OfLatents
from gan_jax.rng import substream

Array = jax.Array
Part = Callable[..., Any] | Adaptive | OfLatents
Pairs = Sequence[tuple[Part, optax.ScalarOrSchedule]]


class Penalties(NamedTuple):
    """A network's penalties.

    Attributes:
      weighted: (penalty, weight) by the name of the penalty's function.
      interval: they are due every so many updates of the network; 1 where there are none.
    """

    weighted: Mapping[str, tuple[Part, optax.ScalarOrSchedule]]
    interval: int = 1

    @classmethod
    def of(cls, pairs: Pairs, interval: int) -> "Penalties":
        """Returns the penalties of pairs (penalty, weight).

        Raises:
          InputError: two of them go by one name.
        """
        weighted = {name_of(penalty): (penalty, weight) for penalty, weight in pairs}
        if len(weighted) < len(pairs):
            raise InputError(
                "two penalties have the same name: give their functions names of their own"
            )
        return cls(weighted, interval if weighted else 1)

    @property
    def functions(self) -> set[Any]:
        """Their functions, without what is bound to them."""
        return {_function(penalty) for penalty, _ in self.weighted.values()}

    @property
    def initial(self) -> dict[str, float]:
        """Their controls before the first update: of those that adapt; lazy ones' last means."""
        lazy = dict.fromkeys(self.weighted, 0.0) if self.interval > 1 else {}
        return initial_controls(*self._adaptive) | lazy

    def adapt(
        self, controls: Controls, metrics: Metrics, found: Metrics, due: Array | bool
    ) -> dict[str, Array]:
        """Returns their controls after an update.

        Args:
          controls: of the state.
          metrics: of the update, without the penalties'.
          found: the penalties' metrics, of a turn if they are due.
          due: whether lazy ones were due. Then their controls move, and hold their means until the
            next turn, so that metrics can tell these at any time.
        """
        moved = adapt(self._adaptive, controls, metrics | found)
        if self.interval == 1:
            return moved
        moved |= {name: found[name] for name in self.weighted}
        return {name: jnp.where(due, value, controls[name]) for name, value in moved.items()}

    def told(self, found: Metrics) -> Metrics:
        """Returns what metrics tell beside the controls; these hold the means of lazy ones."""
        return found if self.interval == 1 else {}

    @property
    def _adaptive(self) -> list[Adaptive]:
        return adaptive(*(penalty for penalty, _ in self.weighted.values()))

    def sum(
        self, step: Array, keys: Array, apply: Callable[[Part, Array], Any]
    ) -> tuple[Array, Metrics]:
        """Returns `sum_i weight_i * mean(penalty_i)`, and the means by name.

        Args:
          step: of the state, for weights that are functions of it.
          keys: (B,); a penalty draws from a stream of its own name.
          apply: `(penalty, keys) -> (B,)`, or a pair of that and a dict of more (B,) to tell.
        """
        total, metrics = jnp.float32(0), dict[str, Array]()
        for name, (penalty, weight) in self.weighted.items():
            values = apply(penalty, substream(keys, f"penalty/{name}"))
            values, more = values if isinstance(values, tuple) else (values, {})
            metrics |= {name: values.mean()} | {key: x.mean() for key, x in more.items()}
            total = total + value_at(weight, step) * values.mean()
        return total, metrics


def _function(part: Part) -> Any:
    """Returns the function within a part of the objective, partials taken off."""
    function: Any = part.function if isinstance(part, Adaptive | OfLatents) else part
    while isinstance(function, functools.partial):
        function = function.func
    return function


def name_of(part: Part) -> str:
    """Returns the name that a penalty goes by: that of its function."""
    function = _function(part)
    return getattr(function, "__name__", type(function).__name__)


def value_at(value: optax.ScalarOrSchedule, step: Array) -> Any:
    """Returns a value that may be a function of the step."""
    return value(step) if callable(value) else value


# ---- adaptive parts ------------------------------------------------------------------------------


def given(part: Part, controls: Controls, **latents: Any) -> Callable[..., Any]:
    """Returns the part's function with what it reads beside its arguments.

    Args:
      part: of the objective.
      controls: of the state, for an `Adaptive`.
      **latents: `generate` and `z`, for an `OfLatents`.
    """
    if isinstance(part, Adaptive):
        return functools.partial(part.function, controls=controls)
    if isinstance(part, OfLatents):
        return functools.partial(part.function, **latents)
    return part


def adaptive(*parts: Part | None) -> list[Adaptive]:
    """Returns those of the parts that are adaptive."""
    return [part for part in parts if isinstance(part, Adaptive)]


def initial_controls(*parts: Adaptive) -> dict[str, float]:
    """Returns the parts' controls as they are before the first update."""
    return {name: value for part in parts for name, value in part.initial.items()}


def adapt(parts: Sequence[Adaptive], controls: Controls, metrics: Metrics) -> dict[str, Array]:
    """Returns the parts' controls after an update."""
    moved: dict[str, Array] = {}
    for part in parts:
        moved |= part.update(controls, metrics)
    return moved
