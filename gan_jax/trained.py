"""A run's averaged generator, to sample from and to evaluate."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from etils import epath
from ml_collections import ConfigDict

from gan_jax import configuration, experiment
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.errors import InputError
from gan_jax.runtime.checkpoint_reading import best_step, restore_weights


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


def load(workdir: epath.PathLike, checkpoint: str = "newest") -> Trained:
    """Reads the averaged generator of a run, which may be training meanwhile.

    Args:
      workdir: the folder of the run.
      checkpoint: "newest", the newest sound one; "best", by what `eval.best` of the config says; or
        a step.

    Raises:
      InputError: there is no such checkpoint, or another version of this library made it.
    """
    folder = epath.Path(workdir) / "checkpoints"
    restored = restore_weights(folder, step=_step(folder, checkpoint))
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


def _step(folder: epath.Path, checkpoint: str) -> int | None:
    """The step that `checkpoint` means; None for the newest."""
    if checkpoint == "newest":
        return None
    if checkpoint == "best":
        return best_step(folder)
    if not checkpoint.isdecimal():
        raise InputError(f"--checkpoint={checkpoint}: say newest, best or a step")
    return int(checkpoint)
