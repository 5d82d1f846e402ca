"""`eval.every_images`: figures while training, and the best checkpoints beside the newest."""

import json
import shutil

import numpy as np
import pytest
from runs import final_state, smoke

from gan_jax import train as training
from gan_jax import trained
from gan_jax.errors import Diverged, InputError
from gan_jax.evaluate import evaluate
from gan_jax.runtime import weights
from gan_jax.runtime.checkpoint_reading import saved_steps
from gan_jax.train import train

PIXELS = {"eval.extractor": "pixels", "eval.num_samples": 32}


def lines(folder):
    return [json.loads(line) for line in (folder / "evaluation.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Forty steps of eight images, evaluated every eighty images."""
    folder = tmp_path_factory.mktemp("run")
    train(smoke(**PIXELS, keep_checkpoints=1, **{"eval.every_images": 80}), folder)
    return folder


def test_each_evaluation_is_a_line_and_the_best_is_kept(run):
    found = lines(run)
    assert [(line["step"], line["images"]) for line in found] == [
        *((10, 80), (20, 160), (30, 240), (40, 320))
    ]
    assert {line["protocol"]["figures"] for line in found} == {"cheap"}
    assert all(line["floor"]["fd_pixels"] < line["metrics"]["fd_pixels"] for line in found)
    best = min(found, key=lambda line: line["metrics"]["fd_pixels"])["step"]
    assert saved_steps(run / "checkpoints") == sorted({best, 40})
    assert trained.load(run, "best").step == best
    assert trained.load(run).step == 40


def test_the_lines_are_those_of_evaluate(run, tmp_path):
    folder, known = shutil.copytree(run, tmp_path / "run"), lines(run)
    options = {"extractor": "pixels", "num_samples": 32, "figures": "cheap"}
    evaluate(folder, checkpoint="all", **options)
    assert lines(folder) == known  # by the same protocol
    (folder / "evaluation.jsonl").unlink()
    evaluate(folder, checkpoint="40", **options)
    assert lines(folder) == known[-1:]


def test_evaluating_changes_nothing_that_is_learned(run, tmp_path):
    train(smoke(), tmp_path)
    (_, state), (_, expected) = final_state(run), final_state(tmp_path)
    for path, array in expected.items():
        np.testing.assert_array_equal(state[path], array, err_msg=path)
    assert (run / "metrics.jsonl").read_bytes() == (tmp_path / "metrics.jsonl").read_bytes()


def test_a_resumed_run_knows_the_best_of_before(tmp_path):
    """The generator goes astray afterwards: its steps are far too long."""
    options = {**PIXELS, "keep_checkpoints": 1, "eval.every_images": 80}
    train(smoke(**options, total_steps=20), tmp_path)
    first = lines(tmp_path)
    (tmp_path / "evaluation.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in [*first, {**first[0], "step": 30}])
    )
    astray = {"generator_optimizer.learning_rate": 1.0, "ema.half_life": 1.0}
    train(smoke(**options | astray), tmp_path, allow_change=True)
    assert [line["step"] for line in lines(tmp_path)] == [10, 20, 30, 40]
    distances = {line["step"]: line["metrics"]["fd_pixels"] for line in lines(tmp_path)}
    best = min(distances, key=distances.get)
    assert best <= 20
    assert saved_steps(tmp_path / "checkpoints") == [best, 40]


def test_by_another_protocol_others_are_the_best(tmp_path):
    """The distance of fewer samples is larger, whatever the generator."""
    options = {**PIXELS, "keep_checkpoints": 1, "eval.every_images": 80}
    train(smoke(**options, total_steps=20), tmp_path)
    train(smoke(**options | {"eval.num_samples": 8}), tmp_path)
    distances = [line["metrics"]["fd_pixels"] for line in lines(tmp_path)]
    assert min(distances[2:]) > max(distances[:2])
    assert trained.load(tmp_path, "best").step == (30 if distances[2] < distances[3] else 40)


def test_who_is_stopped_saves_at_once(tmp_path, monkeypatch):
    """At a step that is due for evaluation, which could take long."""
    monkeypatch.setattr(training, "_all_stop", lambda stop, call: call == 10)
    train(smoke(**PIXELS, **{"eval.every_images": 80}), tmp_path)
    assert [line["step"] for line in lines(tmp_path)] == [10]
    assert saved_steps(tmp_path / "checkpoints")[-1] == 20


def test_samples_that_are_not_finite_are_not_evaluated(tmp_path):
    """The first update makes weights whose products overflow, which no loss has seen yet."""
    astray = {
        **{"generator.widths": (16, 16, 16), "generator_optimizer.learning_rate": 1e16},
        **{"ema.half_life": 0.0, "steps_per_call": 1, "total_steps": 2, "sample_every": 2},
    }
    with pytest.raises(Diverged, match="a sample is not finite at step 1"):
        train(smoke(**PIXELS, **astray, **{"eval.every_images": 8, "log_every": 2}), tmp_path)
    assert not (tmp_path / "evaluation.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"eval.extractor": "pixel"}, "config.eval.extractor.*Did you mean 'pixels'"),
        ({"eval.num_samples": 1}, "config.eval.num_samples is 1; it must be at least 2"),
        ({"eval.best": "fid"}, "config.eval.best.*There are: fd, modes, modes_kl, accuracy"),
        ({"eval.best": "modes"}, "config.eval.best=modes needs config.eval.extractor=classifier"),
        (
            {"eval.best": "accuracy", "eval.extractor": "classifier"},
            "config.eval.best=accuracy needs config.conditional=True",
        ),
        (
            {"data.name": "toy:ring8", "eval.extractor": "random"},
            "config.eval.extractor: the extractor random is for images",
        ),
        ({"eval.extractor": "inception"}, "fetching .* failed .*put that file at"),
        ({"eval.every_images": -1}, "config.eval.every_images is -1"),
        ({"eval.keep_best": -1}, "config.eval.keep_best is -1"),
    ],
)
def test_mistakes_end_in_a_line(options, words, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "INCEPTION_URL", "file:///nowhere/weights.pth")
    with pytest.raises(InputError, match=words):
        train(smoke(**{"eval.every_images": 80, "eval.extractor": "pixels"} | options), tmp_path)
    assert not any(tmp_path.iterdir())


def test_points_are_evaluated_too(tmp_path):
    train(smoke(**{"data.name": "toy:ring8", "eval.every_images": 160}), tmp_path)
    assert [line["step"] for line in lines(tmp_path)] == [20, 40]
    assert lines(tmp_path)[0]["protocol"]["extractor"] == "pixels"
