"""The two halves of a GAN's update: the discriminator's turn and the generator's."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Metrics
from gan_jax.algorithms.descent import Descent
from gan_jax.algorithms.ema import update_average
from gan_jax.algorithms.passes import Passes, Rows
from gan_jax.algorithms.weighted import (
    Part,
    Penalties,
    Weighted,
    adapt,
    adaptive,
    given,
    judging,
    value_at,
    weighted_sum,
)
from gan_jax.objectives.class_losses import ClassLoss
from gan_jax.objectives.losses import Loss, sign_rate
from gan_jax.objectives.top_k import top_k_weights
from gan_jax.train_state import PyTree, TrainState

Array = jax.Array
HalfStep = Callable[..., tuple[TrainState, Metrics]]
Known = Sequence[tuple[Array, Any]]  # images, and what the discriminator says of them


class Game(NamedTuple):
    """What both sides play by: the arguments of `gan` by the same names."""

    loss: Loss
    class_loss: ClassLoss | None = None
    class_weight: optax.ScalarOrSchedule = 1.0
    axis_name: str | None = None


def discriminator_step(
    passes: Passes, game: Game, descend: Descent, penalties: Penalties
) -> HalfStep:
    """Returns `update_discriminator`, as `GAN` describes it."""
    remembering = adaptive(passes.augment, passes.pseudo)

    def update_discriminator(
        state: TrainState,
        images: Array,
        z: Array,
        *,
        labels: Array | None = None,
        keys: Array,
        penalize: Array | bool = True,
    ) -> tuple[TrainState, Metrics]:
        def objective(params: PyTree, rows: Rows) -> tuple[Array, tuple[PyTree, Metrics]]:
            real, after_real = passes.discriminate(
                params, state, rows.images, rows.labels, rows.keys
            )
            fake, after_fake = passes.discriminate(
                params, state, rows.fakes, rows.fake_labels, rows.keys
            )
            total = _loss_of(game.loss.discriminator, real, fake).mean()
            metrics = {"discriminator_loss": total} | _told(game, real.logits, fake.logits)
            if game.class_loss is not None:
                values = game.class_loss.discriminator(
                    real.class_logits, fake.class_logits, rows.labels, rows.fake_labels
                )
                metrics["discriminator_class_loss"] = values.mean()
                total = total + value_at(game.class_weight, state.step) * values.mean()
            known = [(rows.images, real), (rows.fakes, fake)]
            penalty, found = penalize_with(params, rows, penalties.steady, known)
            variables = jax.tree.map(_midpoint, after_real, after_fake)
            return total + penalty, (variables, metrics | found)

        def penalize_with(
            params: PyTree, rows: Rows, weighted: Weighted, known: Known = ()
        ) -> tuple[Array, Metrics]:
            def judge(images: Array) -> Any:
                for seen, outputs in known:  # the loss's passes serve the penalties as well
                    if images is seen:
                        return outputs
                return passes.discriminate(params, state, images, rows.labels, rows.keys)[0]

            fakes = passes.generating(state.generator.params, state, rows.labels, rows.keys)

            def apply(penalty: Part, keys: Array) -> Any:
                function = given(penalty, state.controls, params, generate=fakes, z=rows.z)
                return function(judging(penalty, judge), rows.images, rows.fakes, keys)

            return weighted_sum(weighted, state.step, rows.keys, apply)

        net, metrics, found = descend(
            state.discriminator,
            objective,
            partial(penalize_with, weighted=penalties.lazy) if penalties.lazy else None,
            passes.with_fakes(state, passes.rows(images, z, labels, keys)),
            interval=penalties.interval,
            due=penalize,
        )
        controls = adapt(remembering, state.controls, metrics)
        controls |= penalties.adapt(state.controls, metrics, found, penalize)
        state = state.replace(discriminator=net, controls={**state.controls, **controls})
        return state, metrics | controls

    return update_discriminator


def generator_step(
    passes: Passes,
    game: Game,
    descend: Descent,
    penalties: Penalties,
    *,
    top_k: optax.ScalarOrSchedule | None,
    ema: optax.ScalarOrSchedule,
) -> HalfStep:
    """Returns `update_generator`, as `GAN` describes it."""

    def update_generator(
        state: TrainState,
        images: Any,
        z: Array,
        *,
        labels: Array | None = None,
        keys: Array,
        penalize: Array | bool = True,
    ) -> tuple[TrainState, Metrics]:
        fixed = state.discriminator.params

        def objective(params: PyTree, rows: Rows) -> tuple[Array, tuple[PyTree, Metrics]]:
            real = None
            if game.loss.relativistic:
                real, _ = passes.discriminate(fixed, state, rows.images, rows.labels, rows.keys)
            fakes, variables = passes.generate(params, state, rows.z, rows.fake_labels, rows.keys)
            fake, _ = passes.discriminate(fixed, state, fakes, rows.fake_labels, rows.keys)
            kept: Array | float = 1.0
            if top_k is not None:
                kept = top_k_weights(fake.logits, value_at(top_k, state.step), game.axis_name)
            total = (kept * _loss_of(game.loss.generator, fake, real)).mean()
            metrics = {"generator_loss": total}
            if game.class_loss is not None:
                values = kept * game.class_loss.generator(fake.class_logits, rows.fake_labels)
                metrics["generator_class_loss"] = values.mean()
                total = total + value_at(game.class_weight, state.step) * values.mean()
            penalty, found = penalize_with(params, rows, penalties.steady)
            return total + penalty, (variables, metrics | found)

        def penalize_with(params: PyTree, rows: Rows, weighted: Weighted) -> tuple[Array, Metrics]:
            generate = passes.generating(params, state, rows.fake_labels, rows.keys)

            def apply(penalty: Part, keys: Array) -> Any:
                return given(penalty, state.controls, params)(generate, rows.z, keys)

            return weighted_sum(weighted, state.step, rows.keys, apply)

        net, metrics, found = descend(
            state.generator,
            objective,
            partial(penalize_with, weighted=penalties.lazy) if penalties.lazy else None,
            passes.rows(images if game.loss.relativistic else None, z, labels, keys),
            interval=penalties.interval,
            due=penalize,
        )
        controls = penalties.adapt(state.controls, metrics, found, penalize)
        state = state.replace(
            step=state.step + 1,
            generator=net,
            ema=update_average(state.ema, net.weights, value_at(ema, state.step)),
            controls={**state.controls, **controls},
        )
        return state, metrics | controls

    return update_generator


def _loss_of(side: Callable[..., Array], *outputs: Any) -> Array:
    """One side's loss (B,) of outputs; where pixels have logits, plus the mean of its loss of them.

    The pixels at one place are a batch like any other: a loss that compares reals with fakes, or
    with the batch, compares what stands at that place.
    """
    values = side(*(None if output is None else output.logits for output in outputs))
    pixels = [getattr(output, "pixel_logits", None) for output in outputs]
    if pixels[0] is None:
        return values
    places = jax.tree.map(lambda x: x.reshape(len(x), -1), pixels)  # (B, H W)
    return values + jax.vmap(side, in_axes=1, out_axes=1)(*places).mean(axis=1)


def _told(game: Game, real_logits: Array, fake_logits: Array) -> Metrics:
    """Where the discriminator stands: its mean logits, and how sure it is of their signs."""
    metrics = {"real_logits": real_logits.mean(), "fake_logits": fake_logits.mean()}
    if game.loss.undecided is not None:
        metrics |= {
            "real_signs": sign_rate(game.loss, real_logits, fake_logits, game.axis_name),
            "fake_signs": sign_rate(game.loss, fake_logits, real_logits, game.axis_name),
        }
    return metrics


def _midpoint(a: Array, b: Array) -> Array:
    """The mean of two passes; what counts (integers) counts the same in both."""
    return (a + b) / 2 if jnp.issubdtype(a.dtype, jnp.inexact) else a
