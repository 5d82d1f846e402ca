"""How either network learns: a gradient, averaged over parts and devices, and a step of optax."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Metrics
from gan_jax.algorithms.parts import averaged
from gan_jax.axis import mean_over
from gan_jax.train_state import NetState, PyTree

Array = jax.Array
Objective = Callable[[PyTree, Any], tuple[Array, tuple[PyTree, Metrics]]]
Penalize = Callable[[PyTree, Any], tuple[Array, Metrics]]


class Descent(NamedTuple):
    """One network's way of learning.

    Attributes:
      name: "generator" or "discriminator"; the metrics of `diagnostics` begin with it.
      optimizer: an optax transformation.
      parts: in how many parts a batch is taken.
      axis_name: the mapped axis to average over, or None.
      diagnostics: whether to measure `NAME_gradient`, the norm of the gradient of the whole
        objective, and `NAME_update`, the norm of the step over that of the parameters.
    """

    name: str
    optimizer: optax.GradientTransformation
    parts: int = 1
    axis_name: str | None = None
    diagnostics: bool = False

    def __call__(
        self, net: NetState, objective: Objective, rows: PyTree
    ) -> tuple[NetState, Metrics]:
        """One step down the mean over rows of an objective.

        Args:
          net: the network's state.
          objective: `(params, rows) -> (value, (variables, metrics))`.
          rows: of this device.
        """
        by_params = jax.grad(objective, has_aux=True)
        found = averaged(lambda part: by_params(net.params, part), rows, self.parts)
        grads, (variables, metrics) = mean_over(found, self.axis_name)
        updates, opt_state = self.optimizer.update(grads, net.opt_state, net.params)
        params = optax.apply_updates(net.params, updates)
        if self.diagnostics:
            norms = [optax.tree.norm(tree) for tree in (grads, updates, net.params)]
            metrics |= {
                f"{self.name}_gradient": norms[0],
                f"{self.name}_update": norms[1] / norms[2],
            }
        return NetState(params=params, variables=variables, opt_state=opt_state), metrics

    def with_penalties(
        self,
        net: NetState,
        objective: Objective,
        penalize: Penalize | None,
        rows: PyTree,
        *,
        interval: int = 1,
        due: Array | bool = True,
    ) -> tuple[NetState, Metrics, Metrics]:
        """One step down an objective and its penalties.

        With an interval k > 1 the penalties are lazy: they wait until they are due, every k-th
        time, and then have a descent of their own after the objective's, k times as heavy.

        Args:
          net: the network's state.
          objective: as above.
          penalize: `(params, rows) -> (weighted sum, metrics)`, or None.
          rows: of this device.
          interval: k.
          due: whether lazy penalties are due.

        Returns:
          The state; the metrics, in which those of lazy penalties are k times as large where they
          were due and 0 elsewhere, so that means over steps hold; and the metrics as they are.
        """
        if penalize is None:
            net, metrics = self(net, objective, rows)
            return net, metrics, metrics

        def both(params: PyTree, rows: PyTree) -> tuple[Array, tuple[PyTree, Metrics]]:
            total, (variables, metrics) = objective(params, rows)
            penalty, more = penalize(params, rows)
            return total + penalty, (variables, metrics | more)

        def penalty_alone(params: PyTree, rows: PyTree) -> tuple[Array, tuple[PyTree, Metrics]]:
            penalty, metrics = penalize(params, rows)
            return interval * penalty, (net.variables, metrics)

        if interval == 1:
            net, metrics = self(net, both, rows)
            return net, metrics, metrics
        net, metrics = self(net, objective, rows)
        descend = self._replace(diagnostics=False)
        shapes = jax.eval_shape(lambda: descend(net, penalty_alone, rows)[1])
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        net, more = jax.lax.cond(
            due, lambda: descend(net, penalty_alone, rows), lambda: (net, nothing)
        )
        return net, metrics | jax.tree.map(lambda x: interval * x, more), metrics | more
