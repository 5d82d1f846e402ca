"""Generative adversarial networks: one update as a pure function of (state, batch)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Algorithm, Batch, Metrics
from gan_jax.algorithms.descent import Descent
from gan_jax.algorithms.diagnosis import slope, spread
from gan_jax.algorithms.half_steps import Game, discriminator_step, generator_step
from gan_jax.algorithms.latents import latents
from gan_jax.algorithms.network import forward, init_net
from gan_jax.algorithms.parts import averaged
from gan_jax.algorithms.passes import Augment, Passes, Rows
from gan_jax.algorithms.penalty_checks import (
    check_discriminator_penalties,
    check_generator_penalties,
)
from gan_jax.algorithms.standing import standing_statistics
from gan_jax.algorithms.weighted import Entries, Penalties, adaptive, initial_controls, joined
from gan_jax.axis import mean_over
from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import Adaptive, OfStep
from gan_jax.objectives.class_losses import ClassLoss
from gan_jax.objectives.losses import Loss
from gan_jax.objectives.penalties import OF_REALS
from gan_jax.rng import key_for, keys_for, substream
from gan_jax.train_state import PyTree, TrainState

Array = jax.Array


class GAN(NamedTuple):
    """A GAN as pure functions: the fields of `Algorithm`, and the two half-steps of `update`.

    Attributes:
      init: `(key) -> TrainState`.
      update: `(state, batch) -> (state, metrics)`: `d_steps` discriminator updates, then one
        generator update, each with fresh noise and, where it reads reals, fresh reals. Metrics are
        means over the `d_steps`.
      sample: `(weights, key, num_samples, labels=None, *, offset=0, truncation=None) -> images`:
        images `offset` to `offset + num_samples` of the endless sequence that `key` names.
      minibatches: minibatches of reals that one update takes.
      diagnose: `(state, batch) -> metrics`, of a state as it is: `real_slope` and `fake_slope`, the
        mean gradient norm of the discriminator at reals and at fakes; `real_spread` and
        `fake_spread`, the deviation of the batch's pixels. It takes some passes of its own.
      standing: `(weights, key, *, batches, batch_size, truncation=None) -> weights` for `sample`,
        with `standing_statistics`; of a GAN without `axis_name`.
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
    standing: Callable[..., PyTree]
    update_discriminator: Callable[..., tuple[TrainState, Metrics]]
    update_generator: Callable[..., tuple[TrainState, Metrics]]

    @property
    def algorithm(self) -> Algorithm:
        """The functions that the training loop knows."""
        return Algorithm(**{name: getattr(self, name) for name in Algorithm._fields})


def gan(
    *,
    generator: Any,
    discriminator: Any,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    loss: Loss,
    image_shape: Sequence[int],
    latent_dim: int,
    penalties: Entries = (),
    generator_penalties: Entries = (),
    augment: Augment | Adaptive | OfStep | None = None,
    augment_data: Augment | None = None,
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
        (B, H, W, C) in [-1, 1]. One with a mapping network says `has_mapping = True` and has its
        halves as methods of the same arguments, `mapping` to styles (B, L, W) and `synthesis` of
        them, and a keyword `truncation`: see `gan_jax.stylegan2`.
      discriminator: Flax module, `apply(variables, images, labels=None, *, train, keys=None)` to
        an object with `logits` (B,). Where it has `pixel_logits` (B, H, W) too, the loss gets the
        mean over pixels of theirs beside its own; penalties (but those `OfOutputs`) and all that
        adapts see `logits` alone.
      generator_optimizer: an optax transformation, its learning rate inside.
      discriminator_optimizer: the same.
      loss: one of `gan_jax.losses.LOSSES`.
      image_shape: (H, W, C).
      latent_dim: the length of z, which is standard normal.
      penalties: of the discriminator, (penalty, weight) or (penalty, weight, interval); see
        `gan_jax.penalties`. A penalty's draws and its metric go by the name of its function, so no
        two may share one. A weight may be a function of `state.step`. With an interval k > 1 a
        penalty is lazy: it waits for every k-th update of the network and then, k times as heavy,
        has a descent after the loss's, which all lazy ones of the network share and so have one
        interval (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN",
        section 3.1, whose correction of Adam's rate and betas is the caller's). Its metric is the
        mean of its last time, which `state.controls` hold.
      generator_penalties: the same of the generator; see `gan_jax.generator_penalties`.
      augment: `(images, keys) -> images`, differentiable, applied to all that the discriminator
        sees. The real and the fake of a row share their draws, as do the penalties: so each of them
        looks at the very function of images that the loss judges by. Or an `Adaptive` or `OfStep`
        of such a function; see `gan_jax.augment`.
      augment_data: `(images, keys) -> images`, applied to the reals of a batch and to nothing else:
        fakes will look like what it makes of them. See `gan_jax.augment.plain`.
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
      diagnostics: whether the metrics tell of both networks the norm of the gradient of all but
        lazy penalties, `NET_gradient`, and that of this step over that of the parameters,
        `NET_update`.
      axis_name: the mapped axis to average over under `pmap` or `vmap`; None under plain `jit`.

    Returns:
      A `GAN`.

    Raises:
      InputError: parts that do not go together; from `init`, penalties on gradients where batch
        normalization couples the examples, and those on outputs that the discriminator lacks.
    """
    of_discriminator, of_generator = Penalties.of(penalties), Penalties.of(generator_penalties)
    initial = joined(
        initial_controls(*adaptive(augment, pseudo)), of_discriminator.initial, of_generator.initial
    )
    for name, count in {"d_steps": d_steps, "accumulate": accumulate}.items():
        if count < 1:
            raise InputError(f"{name} is {count}; it must be at least 1")
    if num_classes is None and (class_loss is not None or uniform_fake_labels):
        raise InputError("class losses and labels of fakes need classes: give num_classes")
    _check_coupling(loss, class_loss, top_k=top_k is not None, accumulate=accumulate)
    if uniform_fake_labels and (loss.relativistic or of_discriminator.of_examples - OF_REALS):
        raise InputError(
            "where fakes have labels of their own (fake_labels=uniform), a loss or penalty that "
            "judges real and fake together mixes classes: use a loss that is not relativistic, and "
            "penalties on reals alone"
        )
    passes = Passes(
        generator=generator,
        discriminator=discriminator,
        latent_dim=latent_dim,
        augment=augment,
        pseudo=pseudo,
        num_classes=num_classes,
        uniform_fake_labels=uniform_fake_labels,
        accumulate=accumulate,
    )
    class_loss = class_loss.over(axis_name) if class_loss is not None else None
    game = Game(loss.over(axis_name), class_loss, class_weight, axis_name)
    descend_d, descend_g = (
        Descent(name, optimizer, accumulate, axis_name, diagnostics)
        for name, optimizer in (
            ("discriminator", discriminator_optimizer),
            ("generator", generator_optimizer),
        )
    )
    update_discriminator = discriminator_step(passes, game, descend_d, of_discriminator)
    update_generator = generator_step(passes, game, descend_g, of_generator, top_k=top_k, ema=ema)
    minibatches = d_steps + int(loss.relativistic)

    def init(key: Array) -> TrainState:
        keys = key_for(key, "init")[None]
        labels = None if num_classes is None else jnp.zeros((1,), jnp.int32)
        z, images = jnp.zeros((1, latent_dim)), jnp.zeros((1, *image_shape))
        net_g = init_net(generator, generator_optimizer, "generator", keys, z, labels)
        net_d = init_net(
            discriminator, discriminator_optimizer, "discriminator", keys, images, labels
        )
        controls = {name: jnp.float32(value) for name, value in initial.items()}
        rows = (images, z, keys)

        def judge(images: Array) -> Any:
            params, variables = net_d.params, net_d.variables
            return forward(discriminator, params, variables, images, labels, keys)[0]

        check_discriminator_penalties(of_discriminator, controls, net_d.variables, judge, *rows)
        check_generator_penalties(of_generator, controls, net_g.variables, *rows)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            generator=net_g,
            discriminator=net_d,
            # A copy: the average must not share buffers with weights that are donated.
            ema=jax.tree.map(jnp.copy, net_g.weights),
            controls=controls,
        )

    def phase(
        state: TrainState, batch: Batch, name: str, minibatch: int
    ) -> tuple[Array, Array, dict[str, Any]]:
        keys = keys_for(key_for(state.key, name, state.step), batch["index"][minibatch])
        labels = None if num_classes is None else batch["label"][minibatch]
        images, z = batch["image"][minibatch], latents(keys, latent_dim)
        if augment_data is not None:
            images = augment_data(images, substream(keys, "data"))
        return images, z, {"labels": labels, "keys": keys}

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
        rows = passes.with_fakes(state, passes.rows(images, z, **rest))

        def slope_at(images: Array, labels: Array | None, keys: Array) -> Array:
            params = state.discriminator.params
            return slope(
                lambda images: passes.discriminate(params, state, images, labels, keys)[0].logits,
                images,
            )

        def slopes(rows: Rows) -> Metrics:
            return {
                "real_slope": slope_at(rows.images, rows.labels, rows.keys),
                "fake_slope": slope_at(rows.fakes, rows.fake_labels, rows.keys),
            }

        spreads = {
            "real_spread": spread(images, axis_name),
            "fake_spread": spread(rows.fakes, axis_name),
        }
        rows = rows._replace(images=images)  # and not what pretends to be a real
        return spreads | mean_over(averaged(slopes, rows, accumulate), axis_name)

    def standing(
        weights: PyTree,
        key: Array,
        *,
        batches: int,
        batch_size: int,
        truncation: float | None = None,
    ) -> PyTree:
        key = key_for(key, "standing")
        return standing_statistics(
            generator,
            weights,
            key,
            latent_dim=latent_dim,
            batches=batches,
            batch_size=batch_size,
            num_classes=num_classes,
            truncation=truncation,
        )

    def sample(
        weights: PyTree,
        key: Array,
        num_samples: int,
        labels: Array | None = None,
        *,
        offset: Array | int = 0,
        truncation: float | None = None,
    ) -> Array:
        """Images `offset` to `offset + num_samples` of the endless sequence that `key` names.

        `labels` (num_samples,) are needed by a conditional GAN only; by default the classes take
        turns. Truncation trades variety for quality: with a mapping network, styles move towards
        their mean, to `truncation` times their distance; else latents are drawn from the normal
        distribution within [-truncation, truncation] (Brock et al. 2019, section 3.1).
        """
        indices = offset + jnp.arange(num_samples)
        keys = keys_for(key, indices)
        if num_classes is not None and labels is None:
            labels = indices % num_classes
        options = dict[str, Any]()
        if truncation is not None and getattr(generator, "has_mapping", False):
            options, truncation = {"truncation": truncation}, None
        z = latents(keys, latent_dim, truncation)
        keys = substream(keys, "generator")
        images = generator.apply(weights, z, labels, train=False, keys=keys, **options)
        return jnp.clip(images, -1, 1)  # a linear output may reach beyond

    return GAN(
        init=init,
        update=update,
        sample=sample,
        minibatches=minibatches,
        diagnose=diagnose,
        standing=standing,
        update_discriminator=update_discriminator,
        update_generator=update_generator,
    )


def _check_coupling(
    loss: Loss, class_loss: ClassLoss | None, *, top_k: bool, accumulate: int
) -> None:
    """Refuses what takes a batch apart where rows see each other."""
    if top_k and loss.couples:
        raise InputError("top_k needs a loss that judges each fake by itself, not by the batch")
    couples = {"top_k": top_k, "the loss": loss.couples}
    couples["the class_loss"] = class_loss is not None and class_loss.couples
    for name in (name for name, couples in couples.items() if couples and accumulate > 1):
        raise InputError(
            f"accumulate={accumulate} takes a batch in parts, and {name} judges it as a whole: "
            "use accumulate=1, or others"
        )
