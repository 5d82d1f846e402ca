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
Objective = Callable[[PyTree, Any], tuple[Array, tuple[PyTree, Any]]]
Penalize = Callable[[PyTree, Any], tuple[Array, Metrics]]


class Descent(NamedTuple):
    """One network's way of learning.

    Attributes:
      name: "generator" or "discriminator"; the metrics of `diagnostics` begin with it.
      optimizer: an optax transformation.
      parts: in how many parts a batch is taken.
      axis_name: the mapped axis to average over, or None.
      diagnostics: whether to measure `NAME_gradient`, the norm of the gradient of all but lazy
        penalties, and `NAME_update`, the norm of that step over that of the parameters.
    """

    name: str
    optimizer: optax.GradientTransformation
    parts: int = 1
    axis_name: str | None = None
    diagnostics: bool = False

    def step(
        self, net: NetState, objective: Objective, rows: PyTree
    ) -> tuple[NetState, Any, Metrics]:
        """One step down the mean over rows of an objective.

        Args:
          net: the network's state.
          objective: `(params, rows) -> (value, (variables, told))`.
          rows: of this device.

        Returns:
          The state, the mean of what is told, and the diagnostics.
        """
        by_params = jax.grad(objective, has_aux=True)
        found = averaged(lambda part: by_params(net.params, part), rows, self.parts)
        grads, (variables, told) = mean_over(found, self.axis_name)
        updates, opt_state = self.optimizer.update(grads, net.opt_state, net.params)
        params = optax.apply_updates(net.params, updates)
        norms: Metrics = {}
        if self.diagnostics:
            gradient, step, weights = map(optax.tree.norm, (grads, updates, net.params))
            norms = {f"{self.name}_gradient": gradient, f"{self.name}_update": step / weights}
        return NetState(params=params, variables=variables, opt_state=opt_state), told, norms

    def __call__(
        self,
        net: NetState,
        objective: Objective,
        lazy: Penalize | None,
        rows: PyTree,
        *,
        interval: int = 1,
        due: Array | bool = True,
    ) -> tuple[NetState, Metrics, Metrics]:
        """One step down an objective, and where lazy penalties are due one down these.

        They wait for every k-th time, and then are k times as heavy.

        Args:
          net: the network's state.
          objective: `(params, rows) -> (value, (variables, metrics))`.
          lazy: `(params, rows) -> (weighted sum, metrics)` of the lazy penalties, or None.
          rows: of this device.
          interval: k.
          due: whether lazy penalties are due.

        Returns:
          The state; the objective's metrics; and the lazy penalties', 0 where these were not due.
        """
        net, metrics, norms = self.step(net, objective, rows)
        if lazy is None:
            return net, metrics | norms, {}

        def heavier(params: PyTree, rows: PyTree) -> tuple[Array, tuple[PyTree, Metrics]]:
            total, found = lazy(params, rows)
            return interval * total, ({}, found)

        def descend() -> tuple[NetState, Metrics]:
            stepped, found, _ = self._replace(diagnostics=False).step(net, heavier, rows)
            return stepped.replace(variables=net.variables), found

        nothing = jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(lambda: descend()[1])
        )
        net, found = jax.lax.cond(due, descend, lambda: (net, nothing))
        return net, metrics | norms, found
