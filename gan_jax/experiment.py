"""From a config to objects; `checks` has seen to it that they can be built."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from gan_jax import extraction
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.algorithms.ema import half_life_decay
from gan_jax.algorithms.gan import gan
from gan_jax.algorithms.weight_clipping import clip_weights
from gan_jax.data import sources
from gan_jax.data.plan import BalancedPlan, IndexPlan
from gan_jax.data.source import Source
from gan_jax.data.statistics import mean_and_deviation
from gan_jax.errors import InputError
from gan_jax.evaluator import Evaluator
from gan_jax.models.activations import ACTIVATIONS
from gan_jax.models.families import FAMILIES
from gan_jax.models.standardized import StandardizedDiscriminator, StandardizedGenerator
from gan_jax.objectives import augment
from gan_jax.objectives.class_losses import CLASS_LOSSES
from gan_jax.objectives.generator_penalties import GENERATOR_PENALTIES
from gan_jax.objectives.losses import LOSSES, smoothed
from gan_jax.objectives.penalties import PENALTIES
from gan_jax.objectives.top_k import top_k_fraction
from gan_jax.schedules import SHAPES, Schedule, progress, schedule


class DataFacts(NamedTuple):
    """What building a GAN needs to know of its data; kept in every checkpoint.

    Attributes:
      image_shape: (H, W, C).
      num_classes: None where the data has no classes.
      num_examples: in the train split.
      fingerprint: of the train split's content.
      mean: one value a channel in [-1, 1]; None unless the config standardizes.
      std: likewise.
    """

    image_shape: tuple[int, ...]
    num_classes: int | None
    num_examples: int
    fingerprint: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @classmethod
    def of(cls, source: Source, config: ConfigDict) -> "DataFacts":
        """Reads the facts off the train split; computes mean and deviation if they are needed."""
        facts = cls(
            image_shape=tuple(source.image_shape),
            num_classes=source.num_classes,
            num_examples=len(source),
            fingerprint=source.fingerprint,
        )
        if config.data.normalize == "range":
            return facts
        mean, std = mean_and_deviation(source)
        # A channel that is the same everywhere, such as alpha, has no deviation but that of
        # rounding, far below a grey level (0.008).
        std = np.where(std > 1e-3, std, 1.0)
        return facts._replace(mean=tuple(map(float, mean)), std=tuple(map(float, std)))


ON_GRADIENTS = frozenset({"r1", "r2", "wgan_gp", "one_sided_gp", "dragan", "path_length"})
"""The penalties that differentiate twice, and so may be lazy."""

PRECISIONS: Mapping[str, Any] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def load_data(config: ConfigDict, split: str = "train") -> Source:
    """Loads a split of the data that the config names; prepares it if that was not done before."""
    size, channels = config.data.image_size or None, config.data.channels or None
    source = sources.load(config.data.name, split, image_size=size, channels=channels)
    return source.in_memory() if config.data.placement == "device" else source


def load_held_out(config: ConfigDict) -> Source | None:
    """Loads the test split; None where there is none."""
    try:
        return load_data(config, "test")
    except InputError:
        return None


def build_algorithm(
    config: ConfigDict, facts: DataFacts, axis_name: str | None = None
) -> Algorithm:
    """Builds the algorithm that the config describes for data of these facts."""
    num_classes = facts.num_classes if config.conditional else None
    generator, discriminator = _networks(config, facts, num_classes, axis_name)
    functions = gan(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=_optimizer("generator", config),
        discriminator_optimizer=_optimizer("discriminator", config),
        loss=smoothed(LOSSES[config.loss], config.label_smoothing),
        penalties=_penalties("", PENALTIES, config),
        generator_penalties=_penalties("generator_", GENERATOR_PENALTIES, config),
        augment=_augment(config),
        augment_data=_augment_data(config),
        pseudo=_pseudo(config),
        image_shape=facts.image_shape,
        latent_dim=config.latent_dim,
        num_classes=num_classes,
        uniform_fake_labels=config.fake_labels == "uniform",
        class_loss=CLASS_LOSSES.get(config.class_loss),
        class_weight=config.class_weight,
        d_steps=config.d_steps,
        accumulate=config.accumulate,
        top_k=_top_k(config, facts),
        ema=_ema(config),
        diagnostics=config.diagnostics,
        axis_name=axis_name,
    )
    return functions.algorithm


def build_plan(config: ConfigDict, source: Source) -> Callable[[np.ndarray], np.ndarray]:
    """Builds the order of the data."""
    if config.data.balance == "uniform":
        assert source.labels is not None, "check_data has seen to it"
        return BalancedPlan(config.seed, source.labels)
    return IndexPlan(config.seed, len(source))


def build_evaluator(
    config: ConfigDict, source: Source, *, say: Callable[[str], Any] = print
) -> Evaluator:
    """Builds what evaluates the cheap figures while training; `say` is told what takes long.

    Raises:
      InputError: weights of the extractor cannot be had.
    """
    extractor = extraction.build_extractor(config.eval.extractor, source, say=say)
    return Evaluator(
        extractor,
        source,
        load_held_out(config),
        source.num_classes if config.conditional else None,
        num_samples=config.eval.num_samples,
        figures="cheap",
    )


def evaluation_interval(config: ConfigDict) -> int:
    """Returns how many updates lie between two evaluations, a multiple of `steps_per_call`."""
    images_per_call = config.batch_size * config.steps_per_call
    return config.steps_per_call * max(1, round(config.eval.every_images / images_per_call))


def _networks(
    config: ConfigDict, facts: DataFacts, num_classes: int | None, axis_name: str | None
) -> tuple[Any, Any]:
    shared = {
        "num_classes": num_classes,
        "axis_name": axis_name,
        "dtype": PRECISIONS[config.precision],
    }
    generator = FAMILIES[config.generator.family].generator(
        image_shape=facts.image_shape, **shared, **_fields(config.generator)
    )
    discriminator = FAMILIES[config.discriminator.family].discriminator(
        **shared, **_fields(config.discriminator)
    )
    if facts.mean is not None and facts.std is not None:
        generator = StandardizedGenerator(generator, facts.mean, facts.std)
        discriminator = StandardizedDiscriminator(discriminator, facts.mean, facts.std)
    return generator, discriminator


def _fields(network: ConfigDict) -> dict[str, Any]:
    """The fields of a network; names of non-linearities become functions."""
    fields = {name: value for name, value in network.items() if name != "family"}
    return fields | {
        name: ACTIVATIONS[fields[name]] for name in ("activation", "output") if name in fields
    }


def _scheduled(keys: ConfigDict, config: ConfigDict) -> Schedule | None:
    """The factor that a schedule's keys describe, by images seen; None where it is always 1."""
    if keys.schedule == "constant" and not keys.warmup:
        return None
    images = keys.images or config.total_steps * config.batch_size
    return schedule(keys.schedule, images=images, final=keys.final, warmup=keys.warmup)


def _times(value: float, factor: Schedule | None, images: float = 1.0) -> Any:
    """`value`, or where there is a schedule the function from a count of `images` each to it."""
    if factor is None:
        return value
    return lambda count: value * factor(images * jnp.float32(count))  # an int32 would overflow


def _penalties(
    prefix: str, penalties: Mapping[str, Any], config: ConfigDict
) -> list[tuple[Any, Any, int]]:
    """Entries (penalty, weight, interval) of those of a network that have a weight."""
    factor = _scheduled(config.penalty_schedule, config)
    interval = config[f"{prefix}penalty_interval"]
    return [
        (
            penalties[name],
            _times(weight, factor, config.batch_size),
            interval if name in ON_GRADIENTS else 1,
        )
        for name, weight in config[f"{prefix}penalties"].items()
        if weight
    ]


def has_lazy(weights: ConfigDict) -> bool:
    """Returns whether one of the penalties that may be lazy has a weight."""
    return any(weight for name, weight in weights.items() if name in ON_GRADIENTS)


def _optimizer(side: str, config: ConfigDict) -> optax.GradientTransformation:
    """A network's Adam, between the clipping of its gradients and that of its weights.

    Between lazy descents Adam's averages would forget faster than without: with an interval k, rate
    and betas are corrected by c = k / (k + 1), the betas as powers (Karras et al. 2020, "Analyzing
    and improving the image quality of StyleGAN", appendix B).
    """
    keys = config[f"{side}_optimizer"]
    prefix, descents = ("generator_", 1) if side == "generator" else ("", config.d_steps)
    interval = config[f"{prefix}penalty_interval"]
    lazy = interval > 1 and has_lazy(config[f"{prefix}penalties"])
    c = interval / (interval + 1) if lazy else 1
    images = c * config.batch_size / descents  # that one descent stands for
    rate = _times(c * keys.learning_rate, _scheduled(keys, config), images)
    betas = {beta: _beta(keys, beta, c, images, config) for beta in ("b1", "b2")}
    adam = optax.adam
    if any(callable(beta) for beta in betas.values()):
        adam = optax.inject_hyperparams(optax.adam)
    steps = [adam(rate, **betas, eps=keys.eps)]
    if keys.clip:
        steps.insert(0, optax.clip_by_global_norm(keys.clip))
    if keys.clip_weights:
        steps.append(clip_weights(keys.clip_weights))
    return optax.chain(*steps) if len(steps) > 1 else steps[0]


def _beta(keys: ConfigDict, beta: str, power: float, images: float, config: ConfigDict) -> Any:
    """A beta of Adam to a power, or the function from a count of `images` each to it."""
    first, last = keys[beta], keys[f"{beta}_final"]
    if last is None:
        return first**power
    end = keys.images or config.total_steps * config.batch_size

    def value(count: Any) -> Any:
        done = progress(images * jnp.float32(count), images=end, warmup=keys.warmup)
        return (last + (first - last) * SHAPES[keys.schedule](done, 0.0)) ** power

    return value


def _augment(config: ConfigDict) -> Any:
    keys = config.augment
    if keys.name == "diffaugment":
        return functools.partial(augment.diff_augment, policy=keys.operations)
    policy, strengths = augment.POLICIES[keys.policy], augment.STRENGTHS.get(keys.policy, {})
    if keys.name == "ada":
        return augment.adaptive(
            policy,
            images=config.batch_size,
            target=keys.target,
            speed_images=keys.speed,
            strengths=strengths,
        )
    if keys.name == "fixed":
        rise = functools.partial(_probability, keys, config)
        return augment.scheduled(policy, probability=rise, strengths=strengths)
    return None


def _probability(keys: ConfigDict, config: ConfigDict, step: Any) -> Any:
    """That of a fixed augmentation after so many updates."""
    if keys.schedule == "constant":
        return keys.probability
    end = keys.images or config.total_steps * config.batch_size
    done = progress(config.batch_size * jnp.float32(step), images=end)
    return keys.probability * (1 - SHAPES[keys.schedule](done, 0.0))


def _augment_data(config: ConfigDict) -> Any:
    strengths = {name: value for name, value in config.data.augment.items() if value}
    return functools.partial(augment.plain, strengths=strengths) if strengths else None


def _pseudo(config: ConfigDict) -> Any:
    keys = config.augment
    if keys.name != "apa":
        return None
    return augment.adaptive_pseudo(
        images=config.batch_size, target=keys.target, speed_images=keys.speed
    )


def _top_k(config: ConfigDict, facts: DataFacts) -> optax.Schedule | None:
    if config.top_k.least == 1:
        return None
    return lambda step: top_k_fraction(
        jnp.float32(step) * config.batch_size,
        epoch=facts.num_examples,
        decay=config.top_k.decay,
        least=config.top_k.least,
    )


def _ema(config: ConfigDict) -> optax.Schedule:
    factor = _scheduled(config.ema, config)

    def decay(step: Any) -> Any:
        seen = jnp.float32(step) * config.batch_size  # as an int32 it would overflow
        return half_life_decay(
            seen,
            images=config.batch_size,
            half_life=config.ema.half_life * (1.0 if factor is None else factor(seen)),
            ramp=config.ema.ramp or None,
        )

    return decay
