"""Random keys whose draws compile in a fraction of the time, for programs that run but once.

JAX's own are many instructions for each array that is drawn. A test that asks what a step does
with its draws, and not how good they are, can take these.
"""

import math

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl

_STEP = 0x9E3779B9  # 2^32 over the golden ratio, whose multiples lie far apart


def quick_key(seed):
    """A key as `jax.random.key(seed)`, of 32 bits."""
    return jax.random.key(seed, impl=_HASHED)


def _mixed(x):
    """A hash of each uint32: the last steps of MurmurHash3 (Appleby 2011)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> shift)) * jnp.uint32(factor)
    return x ^ (x >> 16)


def _hashes(key, count):
    places = jax.lax.iota(jnp.uint32, count) * jnp.uint32(_STEP)
    return _mixed(_mixed(places + key) ^ key)


def _bits(key, width, shape):
    return _hashes(key, math.prod(shape)).reshape(shape).astype(jnp.dtype(f"uint{width}"))


_HASHED = define_prng_impl(
    key_shape=(1,),
    seed=lambda seed: _mixed(seed.astype(jnp.uint32).reshape(1) + jnp.uint32(_STEP)),
    split=lambda key, shape: _hashes(key, math.prod(shape)).reshape(*shape, 1),
    random_bits=_bits,
    fold_in=lambda key, data: _mixed(_mixed(key) + data * jnp.uint32(_STEP)),
    name="hashed",
    tag="hash",
)
