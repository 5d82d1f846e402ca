"""Reads the command line; every mistake in it becomes one line."""

import contextlib
import pathlib
import re
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags
from ml_collections.config_flags import tuple_parser

from gan_jax.configuration import flatten
from gan_jax.errors import InputError, did_you_mean

_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]+)")
_PARSERS: Mapping[type, Any] = {  # as config_flags has them
    bool: flags.BooleanParser(),
    int: flags.IntegerParser(),
    float: flags.FloatParser(),
    tuple: tuple_parser.TupleParser(),
}


def parse(argv: Sequence[str], default_config: str) -> None:
    """Defines the flag `--config` and its keys, and parses all flags.

    Args:
      argv: the command line, the program's name first.
      default_config: the config file that is used where none is named.

    Raises:
      InputError: anything is wrong with the command line or the config file.
    """
    # config_flags reads the keys on the command line while the flag is being defined, and answers
    # a wrong one with a traceback of fifty lines: hence the look at them before.
    path = _config_path(argv) or default_config
    config = load_config(path)
    _check_whole(path, config, load_config(default_config))
    left_out = _fields_left_out(argv, config)
    _check_keys(argv, [*flatten(config), *left_out])
    added = {key: _parsed(word, left_out[key]) for word in argv if (key := _key(word)) in left_out}
    argv = [word for word in argv if _key(word) not in added]
    try:
        with _no_bytecode():
            config_flags.DEFINE_config_file(
                "config", default_config, "The experiment, a Python file.", sys_argv=argv
            )
            rest = flags.FLAGS(argv)
    except (flags.Error, TypeError, ValueError) as error:
        raise InputError(_described(error)) from error
    if rest[1:]:
        raise InputError(f"{rest[1]!r} is not a flag: flags look like --name=value")
    with flags.FLAGS.config.unlocked():
        flags.FLAGS.config.update_from_flattened_dict(added)


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    """Else an import leaves a `__pycache__` by the file, and misses edits within a second."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def config_name() -> str:
    """Returns the name of the config file without folder and ending."""
    return pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem


def load_config(path: str) -> ConfigDict:
    """Runs `get_config` of a config file.

    Raises:
      InputError: the file is missing or broken.
    """
    if not pathlib.Path(path).is_file():
        folders = {pathlib.Path(path).parent, pathlib.Path("configs")}
        known = sorted(str(file) for folder in folders for file in folder.glob("*.py"))
        raise InputError(f"there is no config file {path}.{did_you_mean(path, known)}")
    try:
        get_config = runpy.run_path(path).get("get_config")
        config = get_config() if get_config else None
    except Exception as error:  # whatever the file does when it is run
        raise InputError(f"config file {path} is broken: {_described(error)}") from error
    if get_config is None:
        raise InputError(f"config file {path} has no function get_config()")
    if not isinstance(config, ConfigDict):
        raise InputError(f"config file {path}: get_config() must return a ConfigDict")
    return config


def _config_path(argv: Sequence[str]) -> str | None:
    path = None
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word in ("--config", "-config"):
            path = following
        elif word.startswith(("--config=", "-config=")):
            path = word.partition("=")[2]
    return path


def _check_whole(path: str, config: ConfigDict, default: ConfigDict) -> None:
    """Checks a config that was not made from the default one, and may lack keys or have others.

    Which fields a network has, and which penalties there are, is for `experiment` to check.
    """
    values, expected = flatten(config), flatten(default)
    for key, value in expected.items():
        if key not in values and _is_field(key):
            continue
        if key not in values:
            raise InputError(f"config file {path} lacks {key}: begin with default.get_config()")
        kind: Any = type(value)
        if isinstance(value, float):
            kind = (int, float)
        elif value is None:  # a number that need not be given
            kind = (int, float, type(None))
        if not isinstance(values[key], kind):
            raise InputError(f"config file {path}: {key} is {values[key]!r}; by default {value!r}")
    for key in values.keys() - expected.keys():
        if not _is_field(key) and not key.startswith(("penalties.", "generator_penalties.")):
            raise InputError(
                f"config file {path}: there is no key {key}.{did_you_mean(key, expected)}"
            )


def _is_field(key: str) -> bool:
    return key.startswith(("generator.", "discriminator.")) and not key.endswith(".family")


def _key(word: str) -> str | None:
    match = _OVERRIDE.match(word)
    return match[1] if match else None


def _fields_left_out(argv: Sequence[str], config: ConfigDict) -> dict[str, Any]:
    """The defaults of what the config leaves as its networks' families have it, if asked for."""
    values = flatten(config)
    keys = [key for key in map(_key, argv) if key and _is_field(key) and key not in values]
    if not keys:
        return {}
    from gan_jax.models.families import FAMILIES, fields  # imports JAX, which takes a second

    found: dict[str, Any] = {}
    for network in ("generator", "discriminator"):
        words = [word for word in argv if _key(word) == f"{network}.family"]
        family = words[-1].partition("=")[2] if words else config[network].family
        if family in FAMILIES:
            found |= {f"{network}.{name}": value for name, value in fields(network, family).items()}
    return {key: value for key, value in found.items() if key not in values}


def _parsed(word: str, default: Any) -> Any:
    """The value in --config.KEY=VALUE, of the type of the key's default; functions go by name."""
    name, equals, text = word.partition("=")
    if isinstance(default, bool) and not equals:
        return not name.lstrip("-").startswith("no")
    if not equals or name.lstrip("-").startswith("no"):
        raise InputError(f"{word}: write --config.{_key(word)}=VALUE")
    parser = _PARSERS.get(type(default))
    try:
        return parser.parse(text) if parser else text
    except (TypeError, ValueError) as error:
        raise InputError(f"{word}: {error}; by default it is {default!r}") from error


def _check_keys(argv: Sequence[str], known: Sequence[str]) -> None:
    groups = {key.rpartition(".")[0] for key in known}
    for key in filter(None, map(_key, argv)):
        if key not in known and key not in groups:
            raise InputError(f"--config.{key}: there is no such key.{did_you_mean(key, known)}")


def _described(error: BaseException) -> str:
    name = "" if isinstance(error, flags.Error) else f"{type(error).__name__}: "
    return f"{name}{error}"
