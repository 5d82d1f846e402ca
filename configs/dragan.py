"""Gradients of norm 1 around the data (Kodali et al. 2017), lambda 10; else as `gan.py`.

python launch.py --config=configs/dragan.py
"""

from ml_collections import ConfigDict

from configs import gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = gan.get_config()
    config.penalties.dragan = 10.0
    return config
