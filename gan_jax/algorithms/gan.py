"""Generative adversarial networks: one update as a pure function of (state, batch)."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Algorithm, Batch, Metrics
from gan_jax.algorithms.ema import update_average
from gan_jax.axis import mean_over
from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import Adaptive
from gan_jax.objectives.class_losses import ClassLoss
from gan_jax.objectives.losses import Loss, sign_rate
from gan_jax.objectives.penalties import BY_LOGITS, Penalty
from gan_jax.objectives.top_k import top_k_weights
from gan_jax.rng import key_for, keys_for, normal, substream
from gan_jax.train_state import NetState, PyTree, TrainState

Array = jax.Array
Augment = Callable[[Array, Array], Array]


class GAN(NamedTuple):
    """A GAN as pure functions: the fields of `Algorithm`, and the two half-steps of `update`.

    Attributes:
      init: `(key) -> TrainState`.
      update: `(state, batch) -> (state, metrics)`: `d_steps` discriminator updates, then one
        generator update, each with fresh noise and, where it reads reals, fresh reals. Metrics are
        means over the `d_steps`.
      sample: `(weights, key, num_samples, labels=None, *, offset=0) -> images`; see `gan`.
      minibatches: minibatches of reals that one update takes.
      update_discriminator: `(state, images, z, *, labels=None, keys, penalize=True) -> (state,
        metrics)`; `penalize` says whether lazy penalties are due.
      update_generator: the same; counts `state.step` and moves the average. `images` may be None
        unless the loss is relativistic.
    """

    init: Callable[[Array], TrainState]
    update: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
    sample: Callable[..., Array]
    minibatches: int
    update_discriminator: Callable[..., tuple[TrainState, Metrics]]
    update_generator: Callable[..., tuple[TrainState, Metrics]]

    @property
    def algorithm(self) -> Algorithm:
        """The functions that the training loop knows."""
        return Algorithm(self.init, self.update, self.sample, self.minibatches)


def gan(
    *,
    generator: Any,
    discriminator: Any,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    loss: Loss,
    image_shape: Sequence[int],
    latent_dim: int,
    penalties: Sequence[tuple[Penalty | Adaptive, optax.ScalarOrSchedule]] = (),
    penalty_interval: int = 1,
    augment: Augment | Adaptive | None = None,
    top_k: optax.ScalarOrSchedule | None = None,
    num_classes: int | None = None,
    class_loss: ClassLoss | None = None,
    class_weight: optax.ScalarOrSchedule = 1.0,
    d_steps: int = 1,
    ema: optax.ScalarOrSchedule = 0.999,
    axis_name: str | None = None,
) -> GAN:
    """Builds the pure functions of a GAN.

    The discriminator minimizes `mean(loss.discriminator) + sum_i weight_i * mean(penalty_i)`, the
    generator `mean(loss.generator)`.

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
      augment: `(images, keys) -> images`, differentiable, applied to all that the discriminator
        sees. The real and the fake of a row share their draws, as do the penalties: so each of them
        looks at the very function of images that the loss judges by.
      top_k: the fraction of fakes, the most realistic ones, that the generator learns from; may be
        a function of `state.step`. None for all of them.
      num_classes: the number of classes of a conditional GAN. A fake wears the label of the real
        in its row, so that relativistic pairs stay within a class.
      class_loss: one of `gan_jax.class_losses.CLASS_LOSSES`, for a conditional GAN whose
        discriminator gives `class_logits`.
      class_weight: its weight in both networks' loss; may be a function of `state.step`.
      d_steps: discriminator updates for each generator update.
      ema: decay of the averaged generator for one update, or a function from `state.step` to it.
      axis_name: the mapped axis to average over under `pmap` or `vmap`; None under plain `jit`.

    Returns:
      A `GAN`.
    """
    weighted = {_name(penalty): (penalty, weight) for penalty, weight in penalties}
    if len(weighted) < len(penalties):
        raise InputError(
            "two penalties have the same name: give their functions names of their own"
        )
    for name, value in (("d_steps", d_steps), ("penalty_interval", penalty_interval)):
        if value < 1:
            raise InputError(f"{name} is {value}; it must be at least 1")
    if class_loss is not None and num_classes is None:
        raise InputError("a class loss needs classes: give num_classes")
    if top_k is not None and loss.couples:
        raise InputError("top-k training needs a loss that judges each fake by itself")
    lazy = bool(weighted) and penalty_interval > 1
    by_gradient = any(_function(penalty) not in BY_LOGITS for penalty, _ in penalties)
    loss = loss.over(axis_name)
    adaptive = [
        part
        for part in (*(penalty for penalty, _ in penalties), augment)
        if isinstance(part, Adaptive)
    ]

    def init(key: Array) -> TrainState:
        keys = key_for(key, "init")[None]
        labels = None if num_classes is None else jnp.zeros((1,), jnp.int32)
        z, images = jnp.zeros((1, latent_dim)), jnp.zeros((1, *image_shape))
        generator_state = _init_net(generator, generator_optimizer, "generator", keys, z, labels)
        discriminator_state = _init_net(
            discriminator, discriminator_optimizer, "discriminator", keys, images, labels
        )
        if by_gradient and "batch_stats" in discriminator_state.variables:
            raise InputError(
                "gradient penalties need per-example gradients, which a discriminator with "
                "BatchNorm does not have: use another normalization or drop the penalties"
            )
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            generator=generator_state,
            discriminator=discriminator_state,
            # A copy: the average must not share buffers with weights that are donated.
            ema=jax.tree.map(jnp.copy, generator_state.weights),
            controls={
                name: jnp.float32(value)
                for part in adaptive
                for name, value in part.initial.items()
            },
        )

    def generate(
        params: PyTree, state: TrainState, z: Array, labels: Array | None, keys: Array
    ) -> tuple[Array, PyTree]:
        variables = state.generator.variables
        return _forward(generator, params, variables, z, labels, substream(keys, "generator"))

    def discriminate(
        params: PyTree, state: TrainState, images: Array, labels: Array | None, keys: Array
    ) -> tuple[Any, PyTree]:
        if augment is not None:
            images = _with_controls(augment, state)(images, substream(keys, "augment"))
        variables = state.discriminator.variables
        keys = substream(keys, "discriminator")
        return _forward(discriminator, params, variables, images, labels, keys)

    def penalize_with(
        params: PyTree,
        state: TrainState,
        images: Array,
        fakes: Array,
        labels: Array | None,
        keys: Array,
    ) -> tuple[Array, Metrics]:
        total, metrics = jnp.float32(0), {}
        for name, (penalty, weight) in weighted.items():
            values = _with_controls(penalty, state)(
                lambda images: discriminate(params, state, images, labels, keys)[0].logits,
                images,
                fakes,
                substream(keys, f"penalty/{name}"),
            )
            metrics[name] = values.mean()
            total = total + _at(weight, state.step) * values.mean()
        return total, metrics

    def penalize_lazily(
        state: TrainState,
        images: Array,
        fakes: Array,
        labels: Array | None,
        keys: Array,
        due: Array | bool,
    ) -> tuple[TrainState, Metrics]:
        net = state.discriminator

        def descend() -> tuple[NetState, Metrics]:
            by_params = jax.grad(penalize_with, has_aux=True)
            found = by_params(net.params, state, images, fakes, labels, keys)
            found = jax.tree.map(lambda x: penalty_interval * x, found)
            grads, metrics = mean_over(found, axis_name)
            return _descend(net, discriminator_optimizer, grads, net.variables), metrics

        def skip() -> tuple[NetState, Metrics]:
            return net, {name: jnp.float32(0) for name in weighted}

        net_then, metrics = jax.lax.cond(due, descend, skip)
        return state.replace(discriminator=net_then), metrics

    def update_discriminator(
        state: TrainState,
        images: Array,
        z: Array,
        *,
        labels: Array | None = None,
        keys: Array,
        penalize: Array | bool = True,
    ) -> tuple[TrainState, Metrics]:
        fakes, _ = generate(state.generator.params, state, z, labels, keys)

        def objective(params: PyTree) -> tuple[Array, tuple[PyTree, Metrics]]:
            real, after_real = discriminate(params, state, images, labels, keys)
            fake, after_fake = discriminate(params, state, fakes, labels, keys)
            total = loss.discriminator(real.logits, fake.logits).mean()
            metrics = {
                "discriminator_loss": total,
                "real_logits": real.logits.mean(),
                "fake_logits": fake.logits.mean(),
                "real_signs": sign_rate(loss, real.logits, fake.logits, axis_name),
            }
            if class_loss is not None:
                values = class_loss.discriminator(real.class_logits, fake.class_logits, labels)
                metrics["discriminator_class_loss"] = values.mean()
                total = total + _at(class_weight, state.step) * values.mean()
            if weighted and not lazy:
                penalty, more = penalize_with(params, state, images, fakes, labels, keys)
                total, metrics = total + penalty, metrics | more
            return total, (jax.tree.map(_midpoint, after_real, after_fake), metrics)

        grads, (variables, metrics) = jax.grad(objective, has_aux=True)(state.discriminator.params)
        grads, variables, metrics = mean_over((grads, variables, metrics), axis_name)
        net = _descend(state.discriminator, discriminator_optimizer, grads, variables)
        state = state.replace(discriminator=net)
        if lazy:
            state, more = penalize_lazily(state, images, fakes, labels, keys, penalize)
            metrics |= more
        controls = dict(state.controls)
        for part in adaptive:
            controls |= part.update(state.controls, metrics)
        return state.replace(controls=controls), metrics | controls

    def update_generator(
        state: TrainState,
        images: Any,
        z: Array,
        *,
        labels: Array | None = None,
        keys: Array,
    ) -> tuple[TrainState, Metrics]:
        fixed, real_logits = state.discriminator.params, None
        if loss.relativistic:
            real_logits = discriminate(fixed, state, images, labels, keys)[0].logits

        def objective(params: PyTree) -> tuple[Array, tuple[PyTree, Metrics]]:
            fakes, variables = generate(params, state, z, labels, keys)
            fake, _ = discriminate(fixed, state, fakes, labels, keys)
            kept: Array | float = 1.0
            if top_k is not None:
                kept = top_k_weights(fake.logits, _at(top_k, state.step), axis_name)
            total = (kept * loss.generator(fake.logits, real_logits)).mean()
            metrics = {"generator_loss": total}
            if class_loss is not None:
                values = kept * class_loss.generator(fake.class_logits, labels)
                metrics["generator_class_loss"] = values.mean()
                total = total + _at(class_weight, state.step) * values.mean()
            return total, (variables, metrics)

        grads, (variables, metrics) = jax.grad(objective, has_aux=True)(state.generator.params)
        grads, variables, metrics = mean_over((grads, variables, metrics), axis_name)
        net = _descend(state.generator, generator_optimizer, grads, variables)
        average = update_average(state.ema, net.weights, _at(ema, state.step))
        return state.replace(step=state.step + 1, generator=net, ema=average), metrics

    def update(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        def phase(name: str, minibatch: int) -> tuple[Array, Array, dict[str, Any]]:
            keys = keys_for(key_for(state.key, name, state.step), batch["index"][minibatch])
            labels = None if num_classes is None else batch["label"][minibatch]
            z = normal(substream(keys, "z"), (latent_dim,))
            return batch["image"][minibatch], z, {"labels": labels, "keys": keys}

        found = []
        for minibatch in range(d_steps):
            images, z, rest = phase("discriminator", minibatch)
            due = (state.step * d_steps + minibatch) % penalty_interval == 0
            state, metrics = update_discriminator(state, images, z, **rest, penalize=due)
            found.append(metrics)
        means = jax.tree.map(lambda *values: sum(values) / d_steps, *found)
        images, z, rest = phase("generator", minibatches - 1)
        state, metrics = update_generator(state, images, z, **rest)
        return state, means | metrics

    def sample(
        weights: PyTree,
        key: Array,
        num_samples: int,
        labels: Array | None = None,
        *,
        offset: Array | int = 0,
    ) -> Array:
        """Images `offset` to `offset + num_samples` of the endless sequence that `key` names.

        `labels` (num_samples,) are needed by a conditional GAN only; by default the classes take
        turns.
        """
        indices = offset + jnp.arange(num_samples)
        keys = keys_for(key, indices)
        if num_classes is not None and labels is None:
            labels = indices % num_classes
        z = normal(substream(keys, "z"), (latent_dim,))
        keys = substream(keys, "generator")
        images = generator.apply(weights, z, labels, train=False, keys=keys)
        return jnp.clip(images, -1, 1)  # a linear output may reach beyond

    minibatches = d_steps + int(loss.relativistic)
    return GAN(init, update, sample, minibatches, update_discriminator, update_generator)


def _function(penalty: Penalty | Adaptive) -> Any:
    function: Any = penalty.function if isinstance(penalty, Adaptive) else penalty
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _name(penalty: Penalty | Adaptive) -> str:
    function = _function(penalty)
    return getattr(function, "__name__", type(function).__name__)


def _at(value: optax.ScalarOrSchedule, step: Array) -> Any:
    return value(step) if callable(value) else value


def _with_controls(part: Callable[..., Array] | Adaptive, state: TrainState) -> Any:
    if isinstance(part, Adaptive):
        return functools.partial(part.function, controls=state.controls)
    return part


def _midpoint(a: Array, b: Array) -> Array:
    """The mean of two passes; what counts (integers) counts the same in both."""
    return (a + b) / 2 if jnp.issubdtype(a.dtype, jnp.inexact) else a


def _init_net(
    network: Any,
    optimizer: optax.GradientTransformation,
    name: str,
    keys: Array,
    inputs: Array,
    labels: Array | None,
) -> NetState:
    keys = substream(keys, name)
    variables = dict(network.init(keys[0], inputs, labels, train=False, keys=keys))
    params = variables.pop("params")
    return NetState(params=params, variables=variables, opt_state=optimizer.init(params))


def _forward(
    network: Any,
    params: PyTree,
    variables: PyTree,
    inputs: Array,
    labels: Array | None,
    keys: Array,
) -> tuple[Any, PyTree]:
    """A training pass: the outputs, and what the pass makes of the variables."""
    outputs, updates = network.apply(
        {"params": params, **variables},
        inputs,
        labels,
        train=True,
        keys=keys,
        mutable=list(variables),
    )
    return outputs, {**variables, **updates}


def _descend(
    net: NetState, optimizer: optax.GradientTransformation, grads: PyTree, variables: PyTree
) -> NetState:
    updates, opt_state = optimizer.update(grads, net.opt_state, net.params)
    params = optax.apply_updates(net.params, updates)
    return NetState(params=params, variables=variables, opt_state=opt_state)
