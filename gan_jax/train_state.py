"""What training carries from step to step: arrays only, so that a checkpoint needs no object."""

from typing import Any

import flax.struct
import jax
import optax

Array = jax.Array
PyTree = Any


class NetState(flax.struct.PyTreeNode):
    """One network and its optimizer."""

    params: PyTree  # trained
    variables: PyTree  # not trained: batch statistics, spectral-norm vectors; by collection
    opt_state: optax.OptState

    @property
    def weights(self) -> PyTree:
        """The dict that Flax's `apply` takes: the parameters and every other collection."""
        return {"params": self.params, **self.variables}


class TrainState(flax.struct.PyTreeNode):
    """The whole state of a GAN in training."""

    step: Array  # () int32, generator updates done
    key: Array  # () typed PRNG key, the root: never advanced, never split in place
    generator: NetState
    discriminator: NetState
    ema: PyTree  # the averaged generator, in the structure of `generator.weights`
    controls: dict[str, Array]  # what adaptive parts carry from step to step
