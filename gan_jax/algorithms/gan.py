"""Generative adversarial networks: one update as a pure function of (state, batch)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Algorithm, Batch, Metrics
from gan_jax.algorithms.descent import Descent
from gan_jax.algorithms.diagnosis import slope, spread
from gan_jax.algorithms.ema import update_average
from gan_jax.algorithms.network import forward, init_net
from gan_jax.algorithms.parts import concatenated
from gan_jax.algorithms.standing import standing_statistics
from gan_jax.algorithms.weighted import (
    Pairs,
    Part,
    Penalties,
    adapt,
    adaptive,
    given,
    value_at,
)
from gan_jax.axis import mean_over
from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import Adaptive
from gan_jax.objectives.class_losses import ClassLoss
from gan_jax.objectives.generator_penalties import BY_IMAGES
from gan_jax.objectives.losses import Loss, sign_rate
from gan_jax.objectives.penalties import BY_LOGITS, OF_REALS
from gan_jax.objectives.top_k import top_k_weights
from gan_jax.rng import key_for, keys_for, normal, substream, uniform_labels
from gan_jax.train_state import PyTree, TrainState

Array = jax.Array
Augment = Callable[[Array, Array], Array]


class GAN(NamedTuple):
    """A GAN as pure functions: the fields of `Algorithm`, and the two half-steps of `update`.

    Attributes:
      init: `(key) -> TrainState`.
      update: `(state, batch) -> (state, metrics)`: `d_steps` discriminator updates, then one
        generator update, each with fresh noise and, where it reads reals, fresh reals. Metrics are
        means over the `d_steps`.
      sample: `(weights, key, num_samples, labels=None, *, offset=0, standing=None) -> images`.
      minibatches: minibatches of reals that one update takes.
      diagnose: `(state, batch) -> metrics`, of a state as it is: `real_slope` and `fake_slope`, the
        mean gradient norm of the discriminator at reals and at fakes; `real_spread` and
        `fake_spread`, the deviation of the batch's pixels. It takes some passes of its own.
      update_discriminator: `(state, images, z, *, labels=None, keys, penalize=True) -> (state,
        metrics)`; `penalize` says whether lazy penalties are due.
      update_generator: the same; counts `state.step` and moves the average. `images` may be None
        unless the loss is relativistic.
    """

    init: Callable[[Array], TrainState]
    update: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
    sample: Callable[..., Array]
    minibatches: int
    diagnose: Callable[[TrainState, Batch], Metrics]
    update_discriminator: Callable[..., tuple[TrainState, Metrics]]
    update_generator: Callable[..., tuple[TrainState, Metrics]]

    @property
    def algorithm(self) -> Algorithm:
        """The functions that the training loop knows."""
        return Algorithm(self.init, self.update, self.sample, self.minibatches, self.diagnose)


class _Rows(NamedTuple):
    """What a half-step sees, a row an example; None for what it does not need."""

    images: Any
    z: Array
    labels: Array | None  # of the images
    fake_labels: Array | None  # that the fakes are to have
    keys: Array
    fakes: Any = None


def gan(
    *,
    generator: Any,
    discriminator: Any,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    loss: Loss,
    image_shape: Sequence[int],
    latent_dim: int,
    penalties: Pairs = (),
    penalty_interval: int = 1,
    generator_penalties: Pairs = (),
    generator_penalty_interval: int = 1,
    augment: Augment | Adaptive | None = None,
    pseudo: Augment | Adaptive | None = None,
    top_k: optax.ScalarOrSchedule | None = None,
    num_classes: int | None = None,
    uniform_fake_labels: bool = False,
    class_loss: ClassLoss | None = None,
    class_weight: optax.ScalarOrSchedule = 1.0,
    d_steps: int = 1,
    accumulate: int = 1,
    ema: optax.ScalarOrSchedule = 0.999,
    diagnostics: bool = False,
    axis_name: str | None = None,
) -> GAN:
    """Builds the pure functions of a GAN.

    The discriminator minimizes `mean(loss.discriminator) + sum_i weight_i * mean(penalty_i)`, the
    generator `mean(loss.generator)` and the same sum of its own penalties.

    Each network's variables (batch statistics, spectral-norm vectors) move in its own phase only:
    every other pass throws its updates away. The discriminator's real and fake pass start from the
    same variables, which become the mean of what the two passes make of them.

    Args:
      generator: Flax module, `apply(variables, z, labels=None, *, train, keys=None)` to images
        (B, H, W, C) in [-1, 1].
      discriminator: Flax module, `apply(variables, images, labels=None, *, train, keys=None)` to
        an object with `logits` (B,).
      generator_optimizer: an optax transformation, its learning rate inside.
      discriminator_optimizer: the same.
      loss: one of `gan_jax.losses.LOSSES`.
      image_shape: (H, W, C).
      latent_dim: the length of z, which is standard normal.
      penalties: pairs (penalty, weight); see `gan_jax.penalties`. A penalty's draws and its metric
        go by the name of its function, so no two may share one. A weight may be a function of
        `state.step`.
      penalty_interval: with k > 1 the penalties are lazy: they wait for every k-th update of the
        discriminator and then, k times as heavy, have a descent of their own after the loss's
        (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 3.1).
        Their metrics are k times the value there and 0 elsewhere, so that means over updates hold.
      generator_penalties: the same for the generator; see `gan_jax.generator_penalties`.
      generator_penalty_interval: likewise.
      augment: `(images, keys) -> images`, differentiable, applied to all that the discriminator
        sees. The real and the fake of a row share their draws, as do the penalties: so each of them
        looks at the very function of images that the loss judges by.
      pseudo: `(real, fake, keys) -> images`, which take the place of the reals of an update of the
        discriminator; the fakes are made for it, apart from those that the discriminator is to
        tell from reals. See `gan_jax.augment.adaptive_pseudo`.
      top_k: the fraction of fakes, the most realistic ones, that the generator learns from; may be
        a function of `state.step`. None for all of them.
      num_classes: the number of classes of a conditional GAN. A fake wears the label of the real
        in its row, so that relativistic pairs stay within a class.
      uniform_fake_labels: whether fakes draw their labels evenly instead.
      class_loss: one of `gan_jax.class_losses.CLASS_LOSSES`, for a conditional GAN whose
        discriminator gives `class_logits`.
      class_weight: its weight in both networks' loss; may be a function of `state.step`.
      d_steps: discriminator updates for each generator update.
      accumulate: in how many parts, one after the other, a batch goes through the networks; the
        gradient is the mean over them. With batch statistics each part has its own.
      ema: decay of the averaged generator for one update, or a function from `state.step` to it.
      diagnostics: whether the metrics tell of both networks the norm of the loss's gradient,
        `NET_gradient`, and that of the step over that of the parameters, `NET_update`.
      axis_name: the mapped axis to average over under `pmap` or `vmap`; None under plain `jit`.

    Returns:
      A `GAN`.

    Raises:
      InputError: parts that do not go together.
    """
    of_discriminator = Penalties.of(penalties, penalty_interval)
    of_generator = Penalties.of(generator_penalties, generator_penalty_interval)
    for name, count in {
        "d_steps": d_steps,
        "accumulate": accumulate,
        "penalty_interval": penalty_interval,
        "generator_penalty_interval": generator_penalty_interval,
    }.items():
        if count < 1:
            raise InputError(f"{name} is {count}; it must be at least 1")
    if num_classes is None and (class_loss is not None or uniform_fake_labels):
        raise InputError("class losses and labels of fakes need classes: give num_classes")
    _check_coupling(loss, class_loss, top_k=top_k is not None, accumulate=accumulate)
    if uniform_fake_labels and (loss.relativistic or of_discriminator.functions - OF_REALS):
        raise InputError(
            "where fakes have labels of their own, a loss or penalty that judges real and fake "
            "together mixes classes: use a loss that is not relativistic, and penalties on reals"
        )
    loss = loss.over(axis_name)
    class_loss = class_loss.over(axis_name) if class_loss is not None else None
    remembering = adaptive(augment, pseudo)
    descend_d, descend_g = (
        Descent(name, optimizer, accumulate, axis_name, diagnostics)
        for name, optimizer in (
            ("discriminator", discriminator_optimizer),
            ("generator", generator_optimizer),
        )
    )

    def init(key: Array) -> TrainState:
        keys = key_for(key, "init")[None]
        labels = None if num_classes is None else jnp.zeros((1,), jnp.int32)
        z, images = jnp.zeros((1, latent_dim)), jnp.zeros((1, *image_shape))
        net_g = init_net(generator, generator_optimizer, "generator", keys, z, labels)
        net_d = init_net(
            discriminator, discriminator_optimizer, "discriminator", keys, images, labels
        )
        for name, net, by_gradient in (
            ("discriminator", net_d, of_discriminator.functions - BY_LOGITS),
            ("generator", net_g, of_generator.functions - BY_IMAGES),
        ):
            if by_gradient and "batch_stats" in net.variables:
                raise InputError(
                    f"gradient penalties need per-example gradients, which a {name} with "
                    "BatchNorm does not have: use another normalization or drop the penalties"
                )
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            generator=net_g,
            discriminator=net_d,
            # A copy: the average must not share buffers with weights that are donated.
            ema=jax.tree.map(jnp.copy, net_g.weights),
            controls={
                name: jnp.float32(value)
                for part in (
                    *remembering,
                    *of_discriminator.adaptive,
                    *of_generator.adaptive,
                )
                for name, value in part.initial.items()
            },
        )

    def generate(
        params: PyTree, state: TrainState, z: Array, labels: Array | None, keys: Array
    ) -> tuple[Array, PyTree]:
        variables = state.generator.variables
        return forward(generator, params, variables, z, labels, substream(keys, "generator"))

    def discriminate(
        params: PyTree, state: TrainState, images: Array, labels: Array | None, keys: Array
    ) -> tuple[Any, PyTree]:
        if augment is not None:
            images = given(augment, state.controls)(images, substream(keys, "augment"))
        variables = state.discriminator.variables
        keys = substream(keys, "discriminator")
        return forward(discriminator, params, variables, images, labels, keys)

    def rows_of(images: Any, z: Array, labels: Array | None, keys: Array) -> _Rows:
        fake_labels = labels
        if uniform_fake_labels and num_classes is not None:
            fake_labels = uniform_labels(substream(keys, "labels"), num_classes)
        return _Rows(images, z, labels, fake_labels, keys)

    def with_fakes(state: TrainState, rows: _Rows) -> _Rows:
        def fakes(rows: _Rows) -> Array:
            return generate(state.generator.params, state, rows.z, rows.fake_labels, rows.keys)[0]

        if pseudo is not None:  # these pretend to be reals, under the labels of those
            keys = substream(rows.keys, "pseudo")
            z = normal(substream(keys, "z"), (latent_dim,))
            others = _Rows(None, z, None, rows.labels, keys)
            others = concatenated(fakes, others, accumulate)
            mix = given(pseudo, state.controls)
            images = mix(rows.images, others, substream(keys, "mix"))
            rows = rows._replace(images=images)
        return rows._replace(fakes=concatenated(fakes, rows, accumulate))

    def update_discriminator(
        state: TrainState,
        images: Array,
        z: Array,
        *,
        labels: Array | None = None,
        keys: Array,
        penalize: Array | bool = True,
    ) -> tuple[TrainState, Metrics]:
        def objective(params: PyTree, rows: _Rows) -> tuple[Array, tuple[PyTree, Metrics]]:
            real, after_real = discriminate(params, state, rows.images, rows.labels, rows.keys)
            fake, after_fake = discriminate(params, state, rows.fakes, rows.fake_labels, rows.keys)
            total = loss.discriminator(real.logits, fake.logits).mean()
            metrics = {
                "discriminator_loss": total,
                "real_logits": real.logits.mean(),
                "fake_logits": fake.logits.mean(),
            }
            if loss.undecided is not None:
                metrics |= {
                    "real_signs": sign_rate(loss, real.logits, fake.logits, axis_name),
                    "fake_signs": sign_rate(loss, fake.logits, real.logits, axis_name),
                }
            if class_loss is not None:
                values = class_loss.discriminator(
                    real.class_logits, fake.class_logits, rows.labels, rows.fake_labels
                )
                metrics["discriminator_class_loss"] = values.mean()
                total = total + value_at(class_weight, state.step) * values.mean()
            return total, (jax.tree.map(_midpoint, after_real, after_fake), metrics)

        def penalize_with(params: PyTree, rows: _Rows) -> tuple[Array, Metrics]:
            def logits(images: Array) -> Array:
                return discriminate(params, state, images, rows.labels, rows.keys)[0].logits

            def fakes(z: Array) -> Array:
                return generate(fixed, state, z, rows.labels, rows.keys)[0]

            def apply(penalty: Part, keys: Array) -> Any:
                function = given(penalty, state.controls, generate=fakes, z=rows.z)
                return function(logits, rows.images, rows.fakes, keys)

            return of_discriminator.sum(state.step, rows.keys, apply)

        fixed = state.generator.params
        net, metrics, seen = descend_d.with_penalties(
            state.discriminator,
            objective,
            penalize_with if penalties else None,
            with_fakes(state, rows_of(images, z, labels, keys)),
            interval=of_discriminator.interval,
            due=penalize,
        )
        controls = adapt(remembering, state.controls, seen)
        controls |= adapt(of_discriminator.adaptive, state.controls, seen, penalize)
        state = state.replace(discriminator=net, controls={**state.controls, **controls})
        return state, metrics | controls

    def update_generator(
        state: TrainState,
        images: Any,
        z: Array,
        *,
        labels: Array | None = None,
        keys: Array,
        penalize: Array | bool = True,
    ) -> tuple[TrainState, Metrics]:
        def objective(params: PyTree, rows: _Rows) -> tuple[Array, tuple[PyTree, Metrics]]:
            real_logits = None
            if loss.relativistic:
                real, _ = discriminate(fixed, state, rows.images, rows.labels, rows.keys)
                real_logits = real.logits
            fakes, variables = generate(params, state, rows.z, rows.fake_labels, rows.keys)
            fake, _ = discriminate(fixed, state, fakes, rows.fake_labels, rows.keys)
            kept: Array | float = 1.0
            if top_k is not None:
                kept = top_k_weights(fake.logits, value_at(top_k, state.step), axis_name)
            total = (kept * loss.generator(fake.logits, real_logits)).mean()
            metrics = {"generator_loss": total}
            if class_loss is not None:
                values = kept * class_loss.generator(fake.class_logits, rows.fake_labels)
                metrics["generator_class_loss"] = values.mean()
                total = total + value_at(class_weight, state.step) * values.mean()
            return total, (variables, metrics)

        def penalize_with(params: PyTree, rows: _Rows) -> tuple[Array, Metrics]:
            def images(z: Array) -> Array:
                return generate(params, state, z, rows.fake_labels, rows.keys)[0]

            def apply(penalty: Part, keys: Array) -> Any:
                return given(penalty, state.controls)(images, rows.z, keys)

            return of_generator.sum(state.step, rows.keys, apply)

        fixed = state.discriminator.params
        net, metrics, seen = descend_g.with_penalties(
            state.generator,
            objective,
            penalize_with if generator_penalties else None,
            rows_of(images if loss.relativistic else None, z, labels, keys),
            interval=of_generator.interval,
            due=penalize,
        )
        controls = adapt(of_generator.adaptive, state.controls, seen, penalize)
        state = state.replace(
            step=state.step + 1,
            generator=net,
            ema=update_average(state.ema, net.weights, value_at(ema, state.step)),
            controls={**state.controls, **controls},
        )
        return state, metrics | controls

    def phase(
        state: TrainState, batch: Batch, name: str, minibatch: int
    ) -> tuple[Array, Array, dict[str, Any]]:
        keys = keys_for(key_for(state.key, name, state.step), batch["index"][minibatch])
        labels = None if num_classes is None else batch["label"][minibatch]
        z = normal(substream(keys, "z"), (latent_dim,))
        return batch["image"][minibatch], z, {"labels": labels, "keys": keys}

    def update(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        found = []
        for minibatch in range(d_steps):
            images, z, rest = phase(state, batch, "discriminator", minibatch)
            due = (state.step * d_steps + minibatch) % of_discriminator.interval == 0
            state, metrics = update_discriminator(state, images, z, **rest, penalize=due)
            found.append(metrics)
        means = jax.tree.map(lambda *values: sum(values) / d_steps, *found)
        images, z, rest = phase(state, batch, "generator", minibatches - 1)
        due = state.step % of_generator.interval == 0
        state, metrics = update_generator(state, images, z, **rest, penalize=due)
        return state, means | metrics

    def diagnose(state: TrainState, batch: Batch) -> Metrics:
        images, z, rest = phase(state, batch, "diagnosis", minibatches - 1)
        rows = with_fakes(state, rows_of(images, z, **rest))
        fixed = state.discriminator.params

        def slope_at(images: Array, labels: Array | None) -> Array:
            def logits(images: Array) -> Array:
                return discriminate(fixed, state, images, labels, rows.keys)[0].logits

            return slope(logits, images)

        metrics = {
            "real_slope": slope_at(images, rows.labels),
            "fake_slope": slope_at(rows.fakes, rows.fake_labels),
            "real_spread": spread(images, axis_name),
            "fake_spread": spread(rows.fakes, axis_name),
        }
        return mean_over(metrics, axis_name)

    def sample(
        weights: PyTree,
        key: Array,
        num_samples: int,
        labels: Array | None = None,
        *,
        offset: Array | int = 0,
        standing: tuple[int, int] | None = None,
    ) -> Array:
        """Images `offset` to `offset + num_samples` of the endless sequence that `key` names.

        `labels` (num_samples,) are needed by a conditional GAN only; by default the classes take
        turns. With `standing=(batches, rows)` batch normalization uses `standing_statistics` of so
        many batches; the GAN then has no `axis_name`.
        """
        if standing is not None:
            weights = standing_statistics(
                generator,
                weights,
                key_for(key, "standing"),
                latent_dim=latent_dim,
                batches=standing[0],
                batch_size=standing[1],
                num_classes=num_classes,
            )
        indices = offset + jnp.arange(num_samples)
        keys = keys_for(key, indices)
        if num_classes is not None and labels is None:
            labels = indices % num_classes
        z = normal(substream(keys, "z"), (latent_dim,))
        keys = substream(keys, "generator")
        images = generator.apply(weights, z, labels, train=False, keys=keys)
        return jnp.clip(images, -1, 1)  # a linear output may reach beyond

    minibatches = d_steps + int(loss.relativistic)
    return GAN(init, update, sample, minibatches, diagnose, update_discriminator, update_generator)


def _check_coupling(
    loss: Loss, class_loss: ClassLoss | None, *, top_k: bool, accumulate: int
) -> None:
    """Refuses what takes a batch apart where rows see each other."""
    if top_k and loss.couples:
        raise InputError("top-k training needs a loss that judges each fake by itself")
    coupled = loss.couples or (class_loss is not None and class_loss.couples)
    if accumulate > 1 and (coupled or top_k):
        raise InputError("accumulation needs losses that judge each row by itself, and no top-k")


def _midpoint(a: Array, b: Array) -> Array:
    """The mean of two passes; what counts (integers) counts the same in both."""
    return (a + b) / 2 if jnp.issubdtype(a.dtype, jnp.inexact) else a
