"""What is said of numbers that real runs showed, and when."""

import pytest
from runs import lines, smoke

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
LOST = WELL | {"real_signs": 1.0, "fake_signs": -1.0, "fake_spread": 0.0}  # without penalties
STEEP = WELL | {"fake_slope": 12 * 0.102}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (WELL, set()),
        (ONES, {"collapse"}),
        (LOST, {"collapse", "won"}),
        (STEEP, {"explosion"}),
        (WELL | {"fake_spread": 0.0, "real_spread": 0.0, "real_slope": 0.0}, {"explosion"}),
    ],
)
def test_symptoms(metrics, expected):
    assert symptoms(metrics).keys() - {"collapse"} == expected - {"collapse"}
    assert ("collapse" in symptoms(metrics)) == (metrics["fake_spread"] < 0.4)


def test_a_critic_without_signs_cannot_have_won():
    critic = {name: value for name, value in LOST.items() if not name.endswith("signs")}
    assert symptoms(critic).keys() == {"collapse"}


def test_a_symptom_is_spoken_of_once_it_has_lasted_and_again_when_it_comes_back():
    watch = Watch()
    said = [watch.look(ONES) for _ in range(2 * LINES)]
    assert [bool(texts) for texts in said] == [i == LINES - 1 for i in range(2 * LINES)]
    (text,) = said[LINES - 1]
    assert "68%" in text
    assert watch.look(WELL) == []
    said = [watch.look(ONES) for _ in range(LINES)]
    assert [len(texts) for texts in said] == [0] * (LINES - 1) + [1]


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
