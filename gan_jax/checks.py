"""What a config's values may be: each mistake ends in a line that says what would do."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
from ml_collections import ConfigDict

from gan_jax import extraction
from gan_jax.configuration import flatten
from gan_jax.data.source import Source
from gan_jax.errors import InputError, did_you_mean
from gan_jax.experiment import PRECISIONS, DataFacts, build_algorithm, has_lazy
from gan_jax.metrics import comparison
from gan_jax.models.activations import ACTIVATIONS
from gan_jax.models.families import FAMILIES, fields
from gan_jax.models.heads import CONDITIONINGS
from gan_jax.nn.norms import NORMS
from gan_jax.objectives import augment
from gan_jax.objectives.class_losses import CLASS_LOSSES
from gan_jax.objectives.generator_penalties import GENERATOR_PENALTIES
from gan_jax.objectives.losses import LOSSES, smoothed
from gan_jax.objectives.penalties import PENALTIES
from gan_jax.runtime.weights import inception_file
from gan_jax.schedules import SHAPES

_OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
_SCHEDULED = (*_OPTIMIZERS, "penalty_schedule", "ema")

_BETAS = ("b1", "b2", "b1_final", "b2_final")
_PENALTIES = {"penalties": PENALTIES, "generator_penalties": GENERATOR_PENALTIES}

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
    "generator.norm": NORMS,
    "discriminator.norm": NORMS,
    "fake_labels": ("data", "uniform"),
    "augment.name": ("none", "diffaugment", "ada", "fixed", "apa"),
    "augment.policy": augment.POLICIES,
    "augment.schedule": SHAPES,
    "precision": PRECISIONS,
    "data.balance": ("none", "uniform"),
    "data.normalize": ("range", "standardize"),
    "data.placement": ("auto", "device", "host"),
    "eval.extractor": extraction.NAMES,
    "eval.best": comparison.RANKED,
}
_COUNTS = (  # fields of networks
    *("width", "channel_base", "style_width", "mapping_layers", "minibatch_group"),
    *("blocks", "group_size", "expansion", "kernel_size"),
)
_POSITIVE = (
    *("batch_size", "d_steps", "latent_dim", "total_steps", "steps_per_call"),
    *("log_every", "sample_every", "checkpoint_every", "keep_checkpoints"),
    *(f"{key}.{field}" for key in _OPTIMIZERS for field in ("learning_rate", "eps")),
    *("accumulate", "penalty_interval", "generator_penalty_interval"),
    *("top_k.least", "top_k.decay", "augment.target", "augment.speed"),
    *(f"{key}.{field}" for key in ("generator", "discriminator") for field in _COUNTS),
    *("generator.mapping_rate", "generator.class_embedding"),
)
_NOT_NEGATIVE = (
    *("seed", "ema.half_life", "ema.ramp", "data.image_size", "data.channels", "label_smoothing"),
    *("eval.every_images", "eval.keep_best", "generator.mixing", "generator.mean_decay"),
    *("augment.probability", "augment.images", "generator.shared_embedding"),
    *("generator.attention", "discriminator.attention"),
    *("class_weight", *(f"data.augment.{name}" for name in augment.PLAIN)),
    *(f"{key}.{field}" for key in _SCHEDULED for field in ("final", "warmup", "images")),
    *(f"{key}.{field}" for key in _OPTIMIZERS for field in ("clip", "clip_weights", *_BETAS)),
)
_BELOW = {
    "seed": 2**32,  # what a PRNG key is made from
    "label_smoothing": 1,
    "data.channels": 5,
    "data.image_size": 8193,  # beyond it memory ends before anything is said
    **{f"{key}.{beta}": 1 for key in _OPTIMIZERS for beta in _BETAS},
}
_AT_MOST_1 = (
    *("top_k.least", "top_k.decay", "augment.target", "data.augment.flip"),
    *("generator.mixing", "generator.mean_decay", "augment.probability"),
)
_USUAL_SIZES = (28, 32, 64)  # of images, one of which a network can make
_INTERVALS = ("total_steps", "log_every", "sample_every", "checkpoint_every")


def check_config(config: ConfigDict) -> None:
    """Checks all that can be known without data and devices.

    Raises:
      InputError: names the key, what is wrong with it and what would do.
    """
    _check_choices(config)
    for key in ("generator", "discriminator"):
        _check_fields(key, config[key])
    _check_ranges(config)
    _check_steps(config)
    _check_conditioning(config)
    _check_fit(config)
    _check_building(config)


def _check_building(config: ConfigDict) -> None:
    """Checks that the core puts the parts together, at some size of image where none is given."""
    refused = None
    for size in (config.data.image_size,) if config.data.image_size else _USUAL_SIZES:
        shape = (size, size, config.data.channels or 1)
        try:
            check_networks(config, DataFacts(shape, 2, num_examples=1, fingerprint=""))
        except InputError as error:
            refused = refused or error
        else:
            return
    assert refused is not None
    raise refused


def check_networks(config: ConfigDict, facts: DataFacts) -> None:
    """Checks that the core puts the parts together for data of these facts; computes nothing.

    Raises:
      InputError: it does not.
    """
    try:
        algorithm = build_algorithm(config, facts)
        jax.eval_shape(algorithm.init, jax.eval_shape(jax.random.key, 0))
    except InputError as error:
        raise InputError(f"config: {error}") from None


def _values(config: ConfigDict) -> dict[str, Any]:
    return {key: value for key, value in flatten(config).items() if value is not None}


def _check_choices(config: ConfigDict) -> None:
    values = _values(config)
    for key, choices in _CHOICES.items():
        if key in values:
            _one_of(key, values[key], choices)
    for key, penalties in _PENALTIES.items():
        for name in config[key]:
            _one_of(key, name, penalties)
    for key, value in values.items():
        for entry in value if isinstance(value, list) else ():
            if key == "augment.operations":
                _one_of(key, entry, augment.OPERATIONS)
            elif type(entry) is not int or entry < 1:
                raise InputError(f"config.{key} holds {entry!r}; it takes integers from 1 on")


def _check_ranges(config: ConfigDict) -> None:
    values = _values(config)
    weights = {key for key in values if key.split(".")[0] in _PENALTIES}
    bounds: tuple[tuple[str, Iterable[str], Callable[[str], bool]], ...] = (
        ("be finite", values, lambda key: _is_finite(values[key])),
        ("be greater than 0", _POSITIVE, lambda key: values[key] > 0),
        ("not be negative", {*_NOT_NEGATIVE, *_BELOW, *weights}, lambda key: values[key] >= 0),
        ("be at most 1", _AT_MOST_1, lambda key: values[key] <= 1),
    )
    for what, keys, holds in bounds:
        for key in sorted(values.keys() & set(keys)):
            if not holds(key):
                raise InputError(f"config.{key} is {values[key]}; it must {what}")
    for key in sorted(values.keys() & _BELOW.keys()):
        if values[key] >= _BELOW[key]:
            raise InputError(f"config.{key} is {values[key]}; it must be less than {_BELOW[key]}")


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _check_steps(config: ConfigDict) -> None:
    """Checks that calls divide intervals, and that schedules end after their warm-up."""
    for key in _INTERVALS:
        if config[key] % config.steps_per_call:
            raise InputError(
                f"config.{key} is {config[key]}, which config.steps_per_call "
                f"({config.steps_per_call}) does not divide: change one of them"
            )
    for key in _SCHEDULED:
        images = config[key].images or config.total_steps * config.batch_size
        if config[key].warmup >= images:
            raise InputError(
                f"config.{key}.warmup is {config[key].warmup:g}; it must be less than the "
                f"{images:g} images of the schedule"
            )
    for key in (f"{key}.{beta}" for key in _OPTIMIZERS for beta in ("b1_final", "b2_final")):
        network, beta = key.split(".")
        if config[network][beta] is not None and config[network].schedule == "constant":
            raise InputError(
                f"config.{key} is {config[network][beta]}, which the constant schedule never comes "
                f"to: set config.{network}.schedule to linear or cosine"
            )


def _check_fields(key: str, network: ConfigDict) -> None:
    """Checks that a network's keys are fields of its family, of the type of their defaults."""
    known = fields(key, network.family)
    for name in set(network) - set(known) - {"family"}:
        raise InputError(
            f"config.{key}.{name}: the family {network.family} has no such field."
            f"{did_you_mean(name, known)} There are: {', '.join(sorted(known))}. To change the "
            "family, begin with a config that has it"
        )
    for name, default in known.items():
        value = network.get(name, default)
        kinds: Any = {float: (int, float), tuple: (tuple, list)}.get(type(default), type(default))
        truth = isinstance(value, bool) and not isinstance(default, bool)  # which Python counts
        if truth or not isinstance(value, kinds):
            raise InputError(f"config.{key}.{name} is {value!r}; by default it is {default!r}")


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
    """Checks that parts suit each other whose names only a config knows."""
    try:
        smoothed(LOSSES[config.loss], config.label_smoothing)
    except InputError as error:
        raise InputError(
            f"config.label_smoothing with config.loss={config.loss}: {error}"
        ) from None
    if config.fake_labels == "uniform" and not config.conditional:
        raise InputError("config.fake_labels=uniform needs config.conditional=True")
    if config.augment.name in ("ada", "apa") and config.loss == "wasserstein":
        raise InputError(
            f"config.augment.name={config.augment.name} steers by the signs of logits, which mean "
            "nothing with config.loss=wasserstein: use diffaugment"
        )
    if config.penalties.get("cutmix") and config.augment.name not in ("none", "apa"):
        raise InputError(
            "config.penalties.cutmix tells pixels by their places, which config.augment.name="
            f"{config.augment.name} may change: turn one of them off"
        )
    if config.augment.name == "diffaugment" and not config.augment.operations:
        raise InputError(
            "config.augment.operations is empty: name some, or config.augment.name=none"
        )
    if config.augment.name == "fixed" and not config.augment.probability:
        raise InputError(
            "config.augment.name=fixed does nothing with config.augment.probability=0.0: set it, "
            "or config.augment.name=none"
        )
    output = _field("generator", config, "output")
    if config.data.normalize == "standardize" and output != "linear":
        raise InputError(
            "config.data.normalize=standardize needs config.generator.output=linear: "
            f"{output} cannot reach pixels beyond one deviation"
        )


def _field(key: str, config: ConfigDict, name: str) -> Any:
    """A network's field, by default as its family has it; None where it has no such field."""
    return config[key].get(name, fields(key, config[key].family).get(name))


def advice(config: ConfigDict, facts: DataFacts) -> list[str]:
    """Returns a line for each choice that works but means nothing, or is known to end badly."""
    found = []
    lazy = config.penalty_interval > 1 and has_lazy(config.penalties)
    if lazy and LOSSES[config.loss].relativistic:
        found.append(
            f"config.penalty_interval is {config.penalty_interval} with the loss {config.loss}: "
            "the authors of R3GAN say that training can fail at 8; 1 is safe"
        )
    if config.generator_penalties.orthogonal and config.generator.family == "stylegan2":
        found.append(
            "config.generator_penalties.orthogonal with stylegan2: kernels with an equalized "
            "learning rate are stored large, and the penalty will outweigh all else"
        )
    asked = [key for key in ("generator", "discriminator") if config[key].get("attention")]
    if asked:  # or nothing has to be traced
        state = jax.eval_shape(build_algorithm(config, facts).init, jax.random.key(0))
    for key in asked:
        layers = jax.tree_util.tree_leaves_with_path(getattr(state, key).params)
        if not any("SelfAttention" in jax.tree_util.keystr(path) for path, _ in layers):
            found.append(
                f"config.{key}.attention is {config[key].attention}: no image inside this network "
                "has that height, so that it is without self-attention"
            )
    return found


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
    """Checks that the devices share a batch evenly, and each its share in equal parts and groups.

    Raises:
      InputError: they do not.
    """
    shares = devices * config.accumulate
    if config.batch_size % shares:
        parts = f" in {config.accumulate} parts (config.accumulate)" * (config.accumulate > 1)
        raise InputError(
            f"config.batch_size is {config.batch_size}, which {devices} devices cannot share "
            f"evenly{parts}: try {shares * max(1, round(config.batch_size / shares))}"
        )
    part, group = config.batch_size // shares, _field("discriminator", config, "minibatch_group")
    if group and part % min(group, config.batch_size):
        raise InputError(
            f"config.discriminator.minibatch_group is {group}, which does not divide the {part} "
            f"examples that go through a device at once: try {math.gcd(group, part)}"
        )


def check_data(config: ConfigDict, facts: DataFacts) -> None:
    """Checks what depends on the data.

    Raises:
      InputError: classes are asked for and the data has none, points are to be augmented, or the
        networks cannot make images of this size.
    """
    moved = {f"augment.name={config.augment.name}": config.augment.name != "none"}
    moved |= {f"data.augment.{name}": value > 0 for name, value in config.data.augment.items()}
    for name in ("consistency", "balanced_consistency"):
        moved[f"penalties.{name}"] = config.penalties.get(name, 0.0) > 0
    for key in (key for key, on in moved.items() if on and facts.image_shape[:2] == (1, 1)):
        raise InputError(f"config.{key} is for images, and {config.data.name} are points")
    for key in ("conditional", "data.balance"):
        if facts.num_classes is None and flatten(config)[key] in (True, "uniform"):
            raise InputError(f"config.{key} needs classes, and {config.data.name} has none")
    check_networks(config, facts)


def check_evaluation(config: ConfigDict, source: Source) -> None:
    """Checks that what is to be evaluated while training can be had; fetches weights for it.

    Raises:
      InputError: it cannot.
    """
    keys = config.eval
    if not keys.every_images:
        return
    if keys.num_samples < 2:
        raise InputError(f"config.eval.num_samples is {keys.num_samples}; it must be at least 2")
    try:
        extractor = extraction.chosen(keys.extractor, source)
    except InputError as error:
        raise InputError(f"config.eval.extractor: {error}") from None
    if keys.best != "fd" and extractor != "classifier":
        raise InputError(f"config.eval.best={keys.best} needs config.eval.extractor=classifier")
    if keys.best == "accuracy" and not config.conditional:
        raise InputError("config.eval.best=accuracy needs config.conditional=True")
    if extractor == "inception":
        inception_file()  # now, not when a run is begun


def _one_of(key: str, value: Any, choices: Iterable[str]) -> None:
    if value not in tuple(choices):
        raise InputError(
            f"config.{key}: {value!r} is not known.{did_you_mean(value, choices)} "
            f"There are: {', '.join(choices)}"
        )
