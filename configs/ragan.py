"""Relativistic average (Jolicoeur-Martineau 2018): judged against the mean; else as `gan.py`.

python launch.py --config=configs/ragan.py
"""

from ml_collections import ConfigDict

from configs import gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = gan.get_config()
    config.loss = "relativistic_average"
    return config
