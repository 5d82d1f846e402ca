"""A run's averaged generator, to sample from and to evaluate."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from etils import epath
from ml_collections import ConfigDict

from gan_jax import configuration, experiment
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.errors import InputError
from gan_jax.runtime.checkpoint import restore_weights


class Trained(NamedTuple):
    """What a checkpoint of a run holds of its generator.

    Attributes:
      config: of the run.
      facts: of the data it was trained on.
      algorithm: what the config describes, for one device.
      weights: the averaged generator, host arrays.
      step: generator updates it has seen.
      images: real images it has seen.
      notes: a line for each newer checkpoint that is damaged.
    """

    config: ConfigDict
    facts: experiment.DataFacts
    algorithm: Algorithm
    weights: Any
    step: int
    images: int
    notes: Sequence[str] = ()

    @property
    def num_classes(self) -> int | None:
        """How many classes one can ask for; None where the networks have no classes."""
        return self.facts.num_classes if self.config.conditional else None


def load(workdir: epath.PathLike, step: int | None = None) -> Trained:
    """Reads the averaged generator of a run, which may be training meanwhile.

    Args:
      workdir: the folder of the run.
      step: of the checkpoint; the newest sound one by default.

    Raises:
      InputError: there is no such checkpoint, or another version of this library made it.
    """
    restored = restore_weights(epath.Path(workdir) / "checkpoints", step=step)
    metadata = restored.metadata
    config = configuration.from_json(metadata["config"])
    facts = experiment.DataFacts(**metadata["data"])
    try:
        algorithm = experiment.build_algorithm(config, facts)
    except (AttributeError, KeyError) as error:  # a key that was not there when the run was made
        raise InputError(
            f"{workdir} was made by another version of gan_jax, whose config lacks {error}: "
            "take that version, or train on with this one and --config_change=allow"
        ) from error
    seen = metadata["images_seen"]
    return Trained(config, facts, algorithm, restored.state, restored.step, seen, restored.notes)
