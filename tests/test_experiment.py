"""What a config may hold: each value out of range is refused with its key and what would do."""

import jax
import numpy as np
import pytest
from runs import smoke

from gan_jax import experiment
from gan_jax.configuration import changed_keys, to_json
from gan_jax.errors import InputError

REFUSED = {
    "seed": (2**32, "less than 4294967296"),
    "penalties.r1": (-1.0, "must not be negative"),
    "penalties.r2": (float("nan"), "must be finite"),
    "generator_optimizer.learning_rate": (float("inf"), "must be finite"),
    "discriminator_optimizer.learning_rate": (0.0, "greater than 0"),
    "generator_optimizer.b1": (1.0, "less than 1"),
    "discriminator_optimizer.b2": (-0.1, "must not be negative"),
    "generator_optimizer.eps": (0.0, "greater than 0"),
    "ema.half_life": (-1.0, "must not be negative"),
    "data.channels": (5, "less than 5"),
    "keep_checkpoints": (0, "greater than 0"),
    "generator.widths": ((16, 0), "integers from 1 on"),
    "data.balance": ("unifrom", "'uniform'"),
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_value_out_of_range_is_refused(key):
    value, words = REFUSED[key]
    with pytest.raises(InputError, match=words) as error:
        experiment.check_config(smoke(**{key: value}))
    assert f"config.{key}" in str(error.value)


def test_the_largest_seed_is_one_of_its_own():
    experiment.check_config(smoke(seed=2**32 - 1))
    keys = {jax.random.key_data(jax.random.key(seed)).tobytes() for seed in (0, 2**31, 2**32 - 1)}
    assert len(keys) == 3


def test_what_is_no_field_of_the_network_is_refused():
    config = smoke()
    with config.unlocked():
        config.generator.width = (16,)
    with pytest.raises(InputError, match=r"generator\.width: .* 'widths'"):
        experiment.check_config(config)


def test_the_average_forgets_rightly_after_more_images_than_an_int32_counts():
    """Half-life 64,000 images, ramp 0.05: at 2^33 images the decay is that of the half-life."""
    config = smoke(**{"ema.half_life": 64_000.0, "ema.ramp": 0.05})
    config.batch_size = 2**14
    decay = experiment._ema(config)(np.int32(2**19))
    np.testing.assert_allclose(decay, 0.5 ** (2**14 / 64_000), rtol=1e-6)


def test_total_steps_is_neutral_only_where_no_schedule_reads_it():
    old = smoke(total_steps=10)
    assert changed_keys(to_json(old), smoke(total_steps=20)) == []
    cosine = {"generator_optimizer.schedule": "cosine"}
    changes = changed_keys(
        to_json(smoke(total_steps=10, **cosine)), smoke(total_steps=20, **cosine)
    )
    assert changes == ["total_steps was 10, now 20"]
    assert changed_keys(to_json(old), smoke(total_steps=20, **cosine)) != []
