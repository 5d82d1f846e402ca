"""What is said of numbers that real runs showed, and when."""

import numpy as np
import pytest
from runs import lines, smoke

from gan_jax import experiment
from gan_jax.symptoms import LINES, Watch, symptoms
from gan_jax.train import train

# Lines of metrics of whole runs on the embedded digits.
WELL = {  # configs/mnist_mlp.py at step 2,500
    **{"real_signs": 0.545, "fake_signs": -0.545, "real_slope": 0.102, "fake_slope": 0.0996},
    **{"real_spread": 0.508, "fake_spread": 0.502},
}
ONES = {  # configs/mnist_mlp_article.py at step 4,900: nearly every sample is a 1
    **{"real_signs": 0.755, "fake_signs": -0.942, "real_slope": 5.35, "fake_slope": 2.68},
    **{"real_spread": 0.52, "fake_spread": 0.355},
}
RIGHT = WELL | {  # configs/ragan.py at step 1,000, which draws digits
    **{"real_signs": 1.0, "fake_signs": -1.0, "discriminator_loss": 0.123},
}
LOST = RIGHT | {"discriminator_loss": 1e-6, "fake_spread": 0.0}  # without penalties
STEEP = WELL | {"fake_slope": 12 * 0.102}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (WELL, set()),
        (RIGHT, set()),
        (ONES, {"collapse"}),
        (LOST, {"collapse", "won"}),
        (STEEP, {"explosion"}),
        ({}, set()),  # nothing is told
        ({name: LOST[name] for name in ("fake_spread", "real_spread")}, {"collapse"}),
    ],
)
def test_symptoms(line, expected):
    assert symptoms([line] * LINES).keys() == expected
    assert symptoms([WELL] + [line] * LINES).keys() == set()  # all of the lines show them, or none


def test_fakes_that_come_to_differ_are_not_collapsing():
    """Shares of the first 2,000 steps of `configs/wgan.py`, which ends at 0.8."""
    shares = np.linspace(0.36, 0.6, 20)
    watch = Watch()
    for share in shares:
        assert watch.look(WELL | {"fake_spread": share * WELL["real_spread"]}) == []
    stays = WELL | {"fake_spread": shares[-1] * WELL["real_spread"]}
    said = [watch.look(stays) for _ in range(LINES)]
    assert sum(map(len, said)) == 1


def test_a_symptom_is_spoken_of_once_it_has_lasted_and_again_when_it_comes_back():
    watch = Watch()
    said = [watch.look(ONES) for _ in range(2 * LINES)]
    assert [bool(texts) for texts in said] == [i == LINES - 1 for i in range(2 * LINES)]
    (text,) = said[LINES - 1]
    assert "68%" in text
    assert watch.look(WELL) == []
    said = [watch.look(ONES) for _ in range(LINES)]
    assert [len(texts) for texts in said] == [0] * (LINES - 1) + [1]


def test_an_algorithm_that_has_no_diagnosis_trains(tmp_path, monkeypatch):
    build = experiment.build_algorithm
    monkeypatch.setattr(
        experiment, "build_algorithm", lambda *args: build(*args)._replace(diagnose=None)
    )
    train(smoke(total_steps=4), tmp_path)
    assert "fake_spread" not in lines(tmp_path)[0]


def test_a_run_says_that_the_discriminator_has_won_unless_it_has_not(tmp_path, capfd):
    """Without a penalty, where one of the two hardly learns."""
    steps = {"total_steps": 80, "sample_every": 80, "checkpoint_every": 80}
    lost = {
        **{"penalties.r1": 0.0, "penalties.r2": 0.0, "loss": "non_saturating"},
        **{"generator_optimizer.learning_rate": 1e-6},
        **{"discriminator_optimizer.learning_rate": 1e-2},
    }
    train(smoke(**steps, **lost), tmp_path / "lost")
    (warning,) = (line for line in capfd.readouterr().err.splitlines() if "warning" in line)
    assert "the discriminator tells reals from fakes nearly without error" in warning
    assert {"real_slope", "generator_update"} <= lines(tmp_path / "lost")[0].keys()
    lost["discriminator_optimizer.learning_rate"] = 1e-6
    train(smoke(**steps, **lost), tmp_path / "not")
    assert "without error" not in capfd.readouterr().err
