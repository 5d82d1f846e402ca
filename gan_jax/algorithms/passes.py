"""Training passes of a GAN's two networks, and the rows that they see."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from gan_jax.algorithms.network import forward
from gan_jax.algorithms.parts import concatenated
from gan_jax.algorithms.weighted import given
from gan_jax.objectives.adaptive import Adaptive, OfStep
from gan_jax.objectives.generator_penalties import Generate, Halves
from gan_jax.rng import normal, substream, uniform_labels
from gan_jax.train_state import PyTree, TrainState

Array = jax.Array
Augment = Callable[..., Array]


class Rows(NamedTuple):
    """What a half-step sees, a row an example; None for what it does not need."""

    images: Any
    z: Array
    labels: Array | None  # of the images
    fake_labels: Array | None  # that the fakes are to have
    keys: Array
    fakes: Any = None


class Passes(NamedTuple):
    """The two networks in training, with what happens to images before the discriminator.

    The arguments of `gan` by the same names. No pass changes a state: what it makes of a network's
    variables is returned beside its outputs.
    """

    generator: Any
    discriminator: Any
    latent_dim: int
    augment: Augment | Adaptive | OfStep | None = None
    pseudo: Augment | Adaptive | None = None
    num_classes: int | None = None
    uniform_fake_labels: bool = False
    accumulate: int = 1

    def generate(
        self, params: PyTree, state: TrainState, z: Array, labels: Array | None, keys: Array
    ) -> tuple[Array, PyTree]:
        """Returns images (B, H, W, C), and the generator's variables after the pass."""
        keys = substream(keys, "generator")
        return forward(self.generator, params, state.generator.variables, z, labels, keys)

    def generating(
        self, params: PyTree, state: TrainState, labels: Array | None, keys: Array
    ) -> Generate:
        """Returns the function from z to images (B, H, W, C), `Halves` where there is a mapping."""

        def half(method: str | None) -> Callable[[Array], Array]:
            variables, drawn = state.generator.variables, substream(keys, "generator")

            def run(inputs: Array) -> Array:
                outputs, _ = forward(
                    self.generator, params, variables, inputs, labels, drawn, method
                )
                return outputs

            return run

        if getattr(self.generator, "has_mapping", False):
            return Halves(half("mapping"), half("synthesis"))
        return half(None)

    def discriminate(
        self, params: PyTree, state: TrainState, images: Array, labels: Array | None, keys: Array
    ) -> tuple[Any, PyTree]:
        """Returns outputs on augmented images, and the discriminator's variables after the pass."""
        if self.augment is not None:
            augment = given(self.augment, state.controls, step=state.step)
            images = augment(images, substream(keys, "augment"))
        variables, keys = state.discriminator.variables, substream(keys, "discriminator")
        return forward(self.discriminator, params, variables, images, labels, keys)

    def rows(self, images: Any, z: Array, labels: Array | None, keys: Array) -> Rows:
        """Returns the rows of a half-step; draws the labels of fakes where they have their own."""
        fake_labels = labels
        if self.uniform_fake_labels and self.num_classes is not None:
            fake_labels = uniform_labels(substream(keys, "labels"), self.num_classes)
        return Rows(images, z, labels, fake_labels, keys)

    def with_fakes(self, state: TrainState, rows: Rows) -> Rows:
        """Adds the fakes, and lets fakes pretend to be reals where there is `pseudo`."""

        def fakes(rows: Rows) -> Array:
            params = state.generator.params
            return self.generate(params, state, rows.z, rows.fake_labels, rows.keys)[0]

        if self.pseudo is not None:  # pretenders wear the labels of the reals
            keys = substream(rows.keys, "pseudo")
            z = normal(substream(keys, "z"), (self.latent_dim,))
            others = concatenated(fakes, Rows(None, z, None, rows.labels, keys), self.accumulate)
            mix = given(self.pseudo, state.controls)
            rows = rows._replace(images=mix(rows.images, others, substream(keys, "mix")))
        return rows._replace(fakes=concatenated(fakes, rows, self.accumulate))
