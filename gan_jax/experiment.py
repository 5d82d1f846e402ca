"""From a config to objects, and every check of what a config's values may be."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.algorithms.ema import half_life_decay
from gan_jax.algorithms.gan import gan
from gan_jax.configuration import flatten
from gan_jax.data.plan import BalancedPlan, IndexPlan
from gan_jax.data.source import Source
from gan_jax.data.statistics import mean_and_deviation
from gan_jax.errors import InputError, did_you_mean
from gan_jax.models.activations import ACTIVATIONS
from gan_jax.models.families import FAMILIES
from gan_jax.models.heads import CONDITIONINGS
from gan_jax.models.standardized import StandardizedDiscriminator, StandardizedGenerator
from gan_jax.objectives import augment
from gan_jax.objectives.class_losses import CLASS_LOSSES
from gan_jax.objectives.losses import LOSSES, smoothed
from gan_jax.objectives.penalties import PENALTIES
from gan_jax.objectives.top_k import top_k_fraction
from gan_jax.schedules import SHAPES, Schedule, schedule


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


# ---- checks --------------------------------------------------------------------------------------

PRECISIONS: Mapping[str, Any] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
_SCHEDULED = ("generator_optimizer", "discriminator_optimizer", "penalty_schedule")

_CHOICES: Mapping[str, Iterable[str]] = {
    "loss": LOSSES,
    "generator.family": FAMILIES,
    "discriminator.family": FAMILIES,
    "generator.activation": ACTIVATIONS,
    "generator.output": ACTIVATIONS,
    "discriminator.activation": ACTIVATIONS,
    "discriminator.conditioning": CONDITIONINGS,
    "class_loss": ("none", *CLASS_LOSSES),
    **{f"{key}.schedule": SHAPES for key in _SCHEDULED},
    "augment.name": ("none", "diffaugment", "ada"),
    "augment.policy": augment.POLICIES,
    "precision": PRECISIONS,
    "data.balance": ("none", "uniform"),
    "data.normalize": ("range", "standardize"),
    "data.placement": ("auto", "device", "host"),
}
_POSITIVE = (
    *("batch_size", "d_steps", "latent_dim", "total_steps", "steps_per_call"),
    *("log_every", "sample_every", "checkpoint_every", "keep_checkpoints"),
    *("generator_optimizer.learning_rate", "discriminator_optimizer.learning_rate"),
    *("generator_optimizer.eps", "discriminator_optimizer.eps"),
    *("penalty_interval", "top_k.least", "top_k.decay", "augment.target", "augment.speed"),
)
_NOT_NEGATIVE = (
    *("seed", "ema.half_life", "ema.ramp", "data.image_size", "data.channels", "label_smoothing"),
    "class_weight",
    *(f"{key}.{field}" for key in _SCHEDULED for field in ("final", "warmup", "images")),
    *("generator_optimizer.clip", "discriminator_optimizer.clip"),
)
_BELOW = {
    "seed": 2**32,  # what a PRNG key is made from
    "label_smoothing": 1,
    "data.channels": 5,
    "data.image_size": 8193,  # beyond it memory ends before anything is said
    **{f"{net}_optimizer.{b}": 1 for net in ("generator", "discriminator") for b in ("b1", "b2")},
}
_AT_MOST_1 = ("top_k.least", "top_k.decay", "augment.target")
_INTERVALS = ("total_steps", "log_every", "sample_every", "checkpoint_every")


def check_config(config: ConfigDict) -> None:
    """Checks all that can be known without data and devices.

    Raises:
      InputError: names the key, what is wrong with it and what would do.
    """
    values = flatten(config)
    for key, choices in _CHOICES.items():
        if key in values:
            _one_of(key, values[key], choices)
    for key, value in values.items():
        if key.startswith("penalties."):
            _one_of("penalties", key.removeprefix("penalties."), PENALTIES)
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"config.{key} is {value}; it must be finite")
    for key in _POSITIVE:
        if values[key] <= 0:
            raise InputError(f"config.{key} is {values[key]}; it must be greater than 0")
    for key in (*_NOT_NEGATIVE, *_BELOW, *(key for key in values if key.startswith("penalties."))):
        if values[key] < 0:
            raise InputError(f"config.{key} is {values[key]}; it must not be negative")
    for key, limit in _BELOW.items():
        if values[key] >= limit:
            raise InputError(f"config.{key} is {values[key]}; it must be less than {limit}")
    for key in _AT_MOST_1:
        if values[key] > 1:
            raise InputError(f"config.{key} is {values[key]}; it must be at most 1")
    for key, value in values.items():
        for entry in value if isinstance(value, list) else ():
            if key == "augment.operations":
                _one_of(key, entry, augment.OPERATIONS)
            elif type(entry) is not int or entry < 1:
                raise InputError(f"config.{key} holds {entry!r}; it takes integers from 1 on")
    for key in ("generator", "discriminator"):
        _check_fields(key, config[key])
    for key in _INTERVALS:
        if values[key] % config.steps_per_call:
            raise InputError(
                f"config.{key} is {values[key]}, which config.steps_per_call "
                f"({config.steps_per_call}) does not divide: change one of them"
            )
    try:
        smoothed(LOSSES[config.loss], config.label_smoothing)
    except InputError as error:
        raise InputError(
            f"config.label_smoothing with config.loss={config.loss}: {error}"
        ) from None
    _check_conditioning(config)
    _check_fit(config)
    if config.data.normalize == "standardize" and config.generator.output != "linear":
        raise InputError(
            "config.data.normalize=standardize needs config.generator.output=linear: "
            f"{config.generator.output} cannot reach pixels beyond one deviation"
        )


def _check_fields(key: str, network: ConfigDict) -> None:
    """Checks that the keys of a network are fields of its family's module."""
    module = getattr(FAMILIES[network.family], key)
    fields = {field.name for field in dataclasses.fields(module)}
    fields -= {"image_shape", "num_classes", "parent", "name", "dtype"}  # said elsewhere
    for name in set(network) - fields - {"family"}:
        raise InputError(
            f"config.{key}.{name}: the family {network.family} has no such field."
            f"{did_you_mean(name, fields)} There are: {', '.join(sorted(fields))}"
        )


def _check_conditioning(config: ConfigDict) -> None:
    """Checks that conditional, conditioning and class loss are of one mind."""
    conditioning = config.discriminator.get("conditioning", "concatenate")
    if conditioning != "concatenate" and not config.conditional:
        raise InputError(
            f"config.discriminator.conditioning={conditioning} needs config.conditional=True"
        )
    needed = {name: loss.conditioning for name, loss in CLASS_LOSSES.items()}
    fitting = [name for name, needs in needed.items() if needs == conditioning] or ["none"]
    if config.class_loss not in fitting:
        raise InputError(
            f"config.class_loss={config.class_loss} does not fit "
            f"config.discriminator.conditioning={conditioning}, which takes {' or '.join(fitting)}"
        )


def _check_fit(config: ConfigDict) -> None:
    """Checks that schedules end after their warm-up, and that the parts suit each other."""
    for key in _SCHEDULED:
        images = config[key].images or config.total_steps * config.batch_size
        if config[key].warmup >= images:
            raise InputError(
                f"config.{key}.warmup is {config[key].warmup:g}; it must be less than the "
                f"{images:g} images of the schedule"
            )
    if config.top_k.least < 1 and LOSSES[config.loss].couples:
        raise InputError(
            f"config.top_k.least={config.top_k.least} needs a loss that judges each fake by "
            f"itself, and {config.loss} does not"
        )
    if config.augment.name == "ada" and config.loss == "wasserstein":
        raise InputError(
            "config.augment.name=ada steers by the signs of logits, which mean nothing with "
            "config.loss=wasserstein: use diffaugment"
        )
    if config.augment.name == "diffaugment" and not config.augment.operations:
        raise InputError(
            "config.augment.operations is empty: name some, or config.augment.name=none"
        )


def advice(config: ConfigDict) -> list[str]:
    """Returns a line for each choice that works but is known to end badly."""
    if LOSSES[config.loss].relativistic and config.penalty_interval > 1 and any_penalty(config):
        return [
            f"config.penalty_interval is {config.penalty_interval} with the loss {config.loss}: "
            "Huang et al. 2024 report that training fails at 8; 1 is safe"
        ]
    return []


def any_penalty(config: ConfigDict) -> bool:
    """Returns whether any penalty has a weight."""
    return any(config.penalties.values())


def check_start(config: ConfigDict, step: int) -> None:
    """Checks that the calls of a run that goes on from `step` end where its intervals do.

    Raises:
      InputError: they do not.
    """
    if step % config.steps_per_call:
        raise InputError(
            f"this run stopped at step {step}, which config.steps_per_call "
            f"({config.steps_per_call}) does not divide: go on with "
            f"--config.steps_per_call={math.gcd(step, config.steps_per_call)}"
        )


def check_batch(config: ConfigDict, devices: int) -> None:
    """Checks that the devices share a batch evenly.

    Raises:
      InputError: they do not.
    """
    if config.batch_size % devices:
        raise InputError(
            f"config.batch_size is {config.batch_size}, which {devices} devices cannot share "
            f"evenly: try {devices * max(1, round(config.batch_size / devices))}"
        )


def check_data(config: ConfigDict, facts: DataFacts) -> None:
    """Checks what depends on the data.

    Raises:
      InputError: classes are asked for and the data has none, or points are to be augmented.
    """
    moved = {f"augment.name={config.augment.name}": config.augment.name != "none"}
    for name in ("consistency", "balanced_consistency"):
        moved[f"penalties.{name}"] = config.penalties.get(name, 0.0) > 0
    for key in (key for key, on in moved.items() if on and facts.image_shape[:2] == (1, 1)):
        raise InputError(f"config.{key} is for images, and {config.data.name} are points")
    for key in ("conditional", "data.balance"):
        if facts.num_classes is None and flatten(config)[key] in (True, "uniform"):
            raise InputError(f"config.{key} needs classes, and {config.data.name} has none")


def _one_of(key: str, value: Any, choices: Iterable[str]) -> None:
    if value not in tuple(choices):
        raise InputError(
            f"config.{key}: {value!r} is not known.{did_you_mean(value, choices)} "
            f"There are: {', '.join(choices)}"
        )


# ---- building ------------------------------------------------------------------------------------


def build_algorithm(
    config: ConfigDict, facts: DataFacts, axis_name: str | None = None
) -> Algorithm:
    """Builds the algorithm that the config describes for data of these facts."""
    num_classes = facts.num_classes if config.conditional else None
    generator, discriminator = _networks(config, facts, num_classes)
    weight = _scheduled(config.penalty_schedule, config)
    functions = gan(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=_adam(config.generator_optimizer, config),
        discriminator_optimizer=_adam(
            config.discriminator_optimizer,
            config,
            descents=config.d_steps,
            lazy=config.penalty_interval if any_penalty(config) else 1,
        ),
        loss=smoothed(LOSSES[config.loss], config.label_smoothing),
        penalties=[
            (PENALTIES[name], _times(value, weight, config.batch_size))
            for name, value in config.penalties.items()
            if value
        ],
        penalty_interval=config.penalty_interval,
        augment=_augment(config),
        image_shape=facts.image_shape,
        latent_dim=config.latent_dim,
        num_classes=num_classes,
        class_loss=CLASS_LOSSES.get(config.class_loss),
        class_weight=config.class_weight,
        d_steps=config.d_steps,
        top_k=_top_k(config, facts),
        ema=_ema(config),
        axis_name=axis_name,
    )
    return functions.algorithm


def build_plan(config: ConfigDict, source: Source) -> Callable[[np.ndarray], np.ndarray]:
    """Builds the order of the data."""
    if config.data.balance == "uniform":
        assert source.labels is not None, "check_data has seen to it"
        return BalancedPlan(config.seed, source.labels)
    return IndexPlan(config.seed, len(source))


def _networks(config: ConfigDict, facts: DataFacts, num_classes: int | None) -> tuple[Any, Any]:
    shared = {"num_classes": num_classes, "dtype": PRECISIONS[config.precision]}
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


def _adam(
    optimizer: ConfigDict, config: ConfigDict, *, descents: int = 1, lazy: int = 1
) -> optax.GradientTransformation:
    """Adam, that descends `descents` times a step, and once more at every `lazy`-th if that is > 1.

    Between lazy descents Adam's averages would forget faster than without: rate and betas are
    corrected by c = lazy / (lazy + 1), the betas as powers (Karras et al. 2020, "Analyzing and
    improving the image quality of StyleGAN", appendix B).
    """
    c = lazy / (lazy + 1) if lazy > 1 else 1
    images = c * config.batch_size / descents  # that one descent stands for
    rate = _times(c * optimizer.learning_rate, _scheduled(optimizer, config), images)
    adam = optax.adam(rate, b1=optimizer.b1**c, b2=optimizer.b2**c, eps=optimizer.eps)
    if optimizer.clip:
        return optax.chain(optax.clip_by_global_norm(optimizer.clip), adam)
    return adam


def _augment(config: ConfigDict) -> Any:
    keys = config.augment
    if keys.name == "diffaugment":
        return functools.partial(augment.diff_augment, policy=keys.operations)
    if keys.name == "ada":
        policy = augment.POLICIES[keys.policy]
        return augment.adaptive(
            policy, images=config.batch_size, target=keys.target, speed_images=keys.speed
        )
    return None


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
    def decay(step: Any) -> Any:
        return half_life_decay(
            jnp.float32(step) * config.batch_size,  # as an int32 it would overflow
            images=config.batch_size,
            half_life=config.ema.half_life,
            ramp=config.ema.ramp or None,
        )

    return decay
