"""Configs as plain values: to write, to read back, and to tell what changed."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict


def flatten(config: ConfigDict | Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config as one dict from dotted keys to plain JSON values, sorted."""
    plain = json.loads(json.dumps(to_json(config)))
    return dict(sorted(_leaves(plain)))


def to_json(config: ConfigDict | Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config as nested dicts of plain values."""
    return config.to_dict() if isinstance(config, ConfigDict) else dict(config)


def from_json(plain: Mapping[str, Any]) -> ConfigDict:
    """The inverse of `to_json` after a trip through a file, where tuples became lists.

    Keys that are younger than the file get the values of `_SINCE`.
    """
    return ConfigDict(_with_tuples(_of_today(plain)))


# Keys that were added since there are runs, with the value that means what was done before.
_SINCE: Mapping[str, Any] = {
    "data": {
        "augment": {"flip": 0.0, "scale": 0.0, "rotate": 0.0, "crop": 0, "shift": 0, "noise": 0.0}
    },
    "augment": {"probability": 0.0, "schedule": "constant", "images": 0.0},
    "penalties": {"cutmix": 0.0},
    "generator_penalties": {"orthogonal": 0.0},
}


def _of_today(plain: Mapping[str, Any]) -> dict[str, Any]:
    return _completed(plain, {group: keys for group, keys in _SINCE.items() if group in plain})


def _completed(plain: Mapping[str, Any], since: Mapping[str, Any]) -> dict[str, Any]:
    complete = dict(plain)
    for name, value in since.items():
        if name not in complete:
            complete[name] = value
        elif isinstance(value, Mapping):
            complete[name] = _completed(complete[name], value)
    return complete


def _with_tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_tuples(entry) for name, entry in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


_NEUTRAL = {
    *("steps_per_call", "log_every", "sample_every", "checkpoint_every", "keep_checkpoints"),
    *("data.placement", "diagnostics"),
}


def changed_keys(old: Mapping[str, Any], new: ConfigDict | Mapping[str, Any]) -> list[str]:
    """Returns "key was X, now Y" for each key whose change would change the trajectory of a run.

    Intervals do not change it, nor does evaluation, nor `total_steps` where no schedule reads it.
    """
    before, after = flatten(_of_today(old)), flatten(new)
    neutral = set(_NEUTRAL)
    if not any(_reads_total_steps(values) for values in (before, after)):
        neutral.add("total_steps")
    return [
        f"{key} was {before.get(key)!r}, now {after.get(key)!r}"
        for key in sorted({*before, *after} - neutral)
        if before.get(key) != after.get(key) and not key.startswith("eval.")
    ]


def _reads_total_steps(values: Mapping[str, Any]) -> bool:
    return any(
        value != "constant" and not values.get(key.removesuffix("schedule") + "images")
        for key, value in values.items()
        if key.endswith(".schedule")
    )
