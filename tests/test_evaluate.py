"""`--mode=evaluate`: figures of real checkpoints, their floor and protocol."""

import json
import os
import shutil

import numpy as np
import pytest
from runs import smoke

from gan_jax import configuration, extraction, metrics, reference_classifier, trained
from gan_jax.data.sources import load
from gan_jax.errors import InputError
from gan_jax.evaluate import evaluate
from gan_jax.reference_classifier import ClassifierSettings
from gan_jax.runtime import parallel
from gan_jax.runtime import workdir as workdirs
from gan_jax.sample import sample
from gan_jax.train import train

LEARNS = ClassifierSettings(
    *(60, 64, 2e-2), scale=0.0, rotate=0.0, crop=0, noise=0.0, widths=(4, 4), features=16
)
"""Three digits of four, in seconds."""

QUICK = ClassifierSettings(steps=8, batch_size=64, widths=(4, 4), features=16)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short conditional run with two checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    train(smoke(conditional=True, total_steps=8, checkpoint_every=4), folder)
    return folder


def lines(folder):
    return [json.loads(line) for line in (folder / "evaluation.jsonl").read_text().splitlines()]


def test_a_line_a_checkpoint_with_floor_and_protocol(run, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "run")
    options = {"extractor": "classifier", "num_seeds": 2, "num_samples": 40, "settings": QUICK}
    evaluate(folder, checkpoint="all", **options)
    first, second = found = lines(folder)
    assert [line["step"] for line in found] == [4, 8]
    assert second["images"] == 2 * first["images"] > 0
    assert first["metrics"].keys() == first["deviations"].keys() | {
        *("kd_classifier_std", "is_classifier_std")
    }
    assert {"fd_classifier", "modes", "accuracy", "precision", "nearer"} <= first["metrics"].keys()
    assert first["floor"]["fd_classifier"] < first["metrics"]["fd_classifier"]
    assert first["protocol"]["samples"] == 40
    assert first["protocol"]["floor_samples"] == 40
    shown = capsys.readouterr().out
    assert first["protocol"]["hash"] in shown
    assert [row.split("|")[1].strip() for row in shown.splitlines()[2:]] == [
        *("", "---", "floor: held-out reals", "step 4", "step 8")
    ]
    evaluate(folder, checkpoint="8", **options)
    assert lines(folder) == found  # known already
    evaluate(folder, extractor="random", num_samples=40, figures="cheap")
    assert [line["step"] for line in lines(folder)] == [4, 8, 8]


def test_figures_are_those_of_the_images_that_sample_writes(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    evaluate(folder, extractor="pixels", num_samples=30, seed=3, figures="cheap")
    sample(folder, tmp_path / "a.npz", num_samples=30, seed=3)
    with np.load(tmp_path / "a.npz") as drawn:
        fake = drawn["images"].reshape(30, -1) / 255
    real = load("mnist_5k").images.reshape(4_000, -1) / 255
    (line,) = lines(folder)
    # A pixel may be rounded otherwise.
    assert line["metrics"]["fd_pixels"] == pytest.approx(
        metrics.frechet_distance(real, fake), rel=1e-3
    )


def test_devices_and_rounds_change_no_features(run):
    """Eight devices of three rounds, the last of them not full, against one round of one."""
    extractor, loaded = extraction.build_extractor("random", load("mnist_5k")), trained.load(run)
    weights = parallel.replicate((loaded.weights, extractor.weights))
    asked = np.arange(50, dtype=np.int32) % 10

    def draws(chunk):
        arguments = (extractor.extract, loaded.algorithm, loaded.facts.image_shape, asked, 50)
        return extraction.of_fakes(*arguments, chunk=chunk)

    told = []
    found = draws(3)(*weights, 0, told.append)
    assert told == [0, 24, 48, 50]
    assert found.features.shape == (50, extraction.ConvClassifier(1).features)
    draw = draws(50)
    expected = draw(*weights, 0)
    assert not np.allclose(draw(*weights, 1).features, expected.features)
    # A grey level may be rounded otherwise.
    np.testing.assert_allclose(found.features, expected.features, atol=0.02)
    test = load("mnist_5k", "test")
    few = test.__class__(**{**vars(test), "images": test.images[:50], "labels": None})
    reals = extraction._of_source(extractor._replace(chunk=3), few).features
    once = extraction._of_source(extractor._replace(chunk=50), few).features
    np.testing.assert_allclose(reals, once, atol=1e-5)


def test_features_of_reals_are_computed_once(monkeypatch):
    extractor = extraction.build_extractor("random", load("mnist_5k"))
    source = load("mnist_5k", "test")
    before = extraction.of_reals(extractor, source)
    monkeypatch.setattr(extraction, "_of_source", None)
    np.testing.assert_array_equal(extraction.of_reals(extractor, source).features, before.features)
    with pytest.raises(TypeError):  # of another layer they are others
        extraction.of_reals(extractor._replace(layer="other"), source)


def test_the_classifier_is_trained_once(monkeypatch):
    digits = load("mnist_5k")
    first = extraction.build_extractor("auto", digits, settings=QUICK, say=lambda _: None)
    assert (first.name, first.num_classes) == ("classifier", 10)
    monkeypatch.setattr(reference_classifier, "train_classifier", None)
    extraction.build_extractor("classifier", digits, settings=QUICK)
    stacks = extraction.build_extractor("auto", load("stacked:mnist_5k"), settings=QUICK)
    assert stacks.num_classes == 1_000
    with pytest.raises(TypeError):
        extraction.build_extractor("classifier", digits, settings=QUICK._replace(scale=0.1))


def test_stacks_of_reals_are_seen_through_their_digits():
    """Each digit once, not each of the stacks."""
    stacks = load("stacked:mnist_5k", "test")
    extractor = extraction.build_extractor("auto", stacks, settings=QUICK, say=lambda _: None)
    found = extraction.of_reals(extractor, stacks)
    assert found.features.shape == (26_000, 3 * 16)
    expected = extractor.extract(extractor.weights, stacks.read(np.arange(20))["image"])
    np.testing.assert_allclose(found.features[:20], expected.features, atol=1e-5)
    np.testing.assert_array_equal(found.classes[:20], expected.classes)


def test_settings_decide_which_features_are_cached():
    """All of them, not the number of updates alone."""
    digits = load("mnist_5k")
    first, other = (
        extraction.build_extractor("classifier", digits, settings=settings, say=lambda _: None)
        for settings in (QUICK, QUICK._replace(learning_rate=1e-4))
    )
    assert first.identity != other.identity


def test_following_ends_with_the_run(run, tmp_path, capsys, monkeypatch):
    """While it holds its folder it is looked at again; then once more."""
    folder = shutil.copytree(run, tmp_path / "run")
    newest = folder / "checkpoints" / "8"
    newest.rename(tmp_path / "8")
    looks = iter([True, False])

    def in_use(_):
        going_on = next(looks)
        if not going_on:
            (tmp_path / "8").rename(newest)
        return going_on

    monkeypatch.setattr(workdirs, "in_use", in_use)
    monkeypatch.setattr("gan_jax.evaluate.POLL", 0)
    evaluate(folder, checkpoint="follow", extractor="random", num_samples=20, figures="cheap")
    assert [line["step"] for line in lines(folder)] == [4, 8]


def test_following_waits_for_the_first_checkpoint(run, tmp_path, monkeypatch):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "checkpoints").rename(tmp_path / "later")
    looks = iter([True, False])

    def in_use(_):
        return next(looks, False)

    def sleep(_):
        (tmp_path / "later").rename(folder / "checkpoints")

    monkeypatch.setattr(workdirs, "in_use", in_use)
    monkeypatch.setattr("gan_jax.evaluate.time.sleep", sleep)
    evaluate(folder, checkpoint="follow", extractor="random", num_samples=20, figures="cheap")
    assert [line["step"] for line in lines(folder)] == [4, 8]


def test_a_checkpoint_of_other_data_is_left_out(run, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(run, tmp_path / "run")
    load_run = trained.load

    def of_other_data(workdir, checkpoint="newest"):
        found = load_run(workdir, checkpoint)
        facts = found.facts._replace(fingerprint="other") if found.step == 4 else found.facts
        return found._replace(facts=facts)

    monkeypatch.setattr(trained, "load", of_other_data)
    evaluate(folder, checkpoint="all", extractor="random", num_samples=20, figures="cheap")
    assert [line["step"] for line in lines(folder)] == [8]
    assert "step 4 was trained on other data" in capsys.readouterr().err


def test_a_folder_in_use_is_one_that_is_locked(tmp_path):
    assert not workdirs.in_use(tmp_path)
    with workdirs.lock(tmp_path):
        assert workdirs.in_use(tmp_path)
    assert not workdirs.in_use(tmp_path)


def test_a_classifier_that_learns_from_fakes_alone(run, tmp_path):
    """Untrained fakes teach it nothing; the floor is what the extractor knows."""
    folder = shutil.copytree(run, tmp_path / "run")
    options = {"extractor": "classifier", "num_samples": 40, "figures": "cheap", "settings": LEARNS}
    evaluate(folder, accuracy_score=True, **options)
    (line,) = lines(folder)
    digits = load("mnist_5k"), load("mnist_5k", "test")
    extractor = extraction.build_extractor("classifier", digits[0], settings=options["settings"])
    seen = extraction.of_reals(extractor, digits[1])
    assert line["floor"]["accuracy_score"] == (seen.classes == digits[1].labels).mean() > 0.6
    assert line["metrics"]["accuracy_score"] < 0.3
    assert line["protocol"]["accuracy_score"]["steps"] == 60
    evaluate(folder, accuracy_score=True, **options)
    assert lines(folder) == [line]  # known already
    evaluate(folder, **options)
    assert "accuracy_score" not in lines(folder)[1]["metrics"]  # which is by another protocol


def test_reals_teach_as_much_as_reals():
    """Were they the fakes, the accuracy score would be the bound itself."""
    train, test = load("mnist_5k"), load("mnist_5k", "test")
    weights = reference_classifier.train_classifier(train, QUICK, seed=0)
    functions = reference_classifier.build(QUICK, train.image_shape, 10)
    assert reference_classifier.accuracy_score(
        train, test, QUICK, seed=0
    ) == reference_classifier.accuracy(functions, weights, test)


def test_an_accuracy_score_needs_classes_to_ask_for(tmp_path):
    train(smoke(total_steps=2, checkpoint_every=2, log_every=2, sample_every=2), tmp_path)
    for options, words in (
        ({}, "needs a conditional run"),
        ({"extractor": "pixel"}, "Did you mean 'pixels'"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate(tmp_path, accuracy_score=True, **options)


def test_where_nothing_can_be_written_nothing_is_computed(run, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "build_extractor", None)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(InputError, match=f"cannot write in {run}"):
        evaluate(run)


def test_lines_of_others_are_left_alone(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "evaluation.jsonl").write_text('{"step": 8}\n{"protocol": 1}\n{"torn')
    evaluate(folder, extractor="random", num_samples=20, figures="cheap")
    text = (folder / "evaluation.jsonl").read_text()
    assert text.startswith('{"step": 8}\n{"protocol": 1}\n{"torn\n{"step": 8, "images"')


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"checkpoint": "newst"}, "newest, best, all, follow or a step"),
        ({"checkpoint": "best"}, "no checkpoint .* was evaluated in training"),
        ({"checkpoint": "5"}, r"no checkpoint of step 5; there are \[4, 8\]"),
        ({"extractor": "pixel"}, "Did you mean 'pixels'"),
        ({"extractor": "inception", "inception_path": "no.pth"}, "no.pth cannot be read"),
        ({"extractor": "inception", "inception_path": __file__}, "is not the published file"),
        ({"num_samples": 9}, "at least 10 "),
        ({"num_samples": 0}, "at least 10 "),
        ({"num_samples": 1, "figures": "cheap"}, "at least 2 "),
        ({"num_seeds": 0}, "at least 1"),
    ],
)
def test_mistakes_end_in_a_line(options, words, run):
    with pytest.raises(InputError, match=words):
        evaluate(run, **options)
    assert not (run / "evaluation.jsonl").exists()


def test_a_run_of_before_new_keys_is_read_with_what_they_mean():
    config = configuration.to_json(smoke())
    old = {**config, "data": {k: v for k, v in config["data"].items() if k != "augment"}}
    assert configuration.from_json(old).data.augment.flip == 0
    assert configuration.changed_keys(old, smoke()) == []
    assert configuration.changed_keys(old, smoke(**{"data.augment.flip": 0.5})) == [
        "data.augment.flip was 0.0, now 0.5"
    ]
    younger = ("probability", "schedule", "images")
    old["augment"] = {k: v for k, v in config["augment"].items() if k not in younger}
    assert configuration.changed_keys(old, smoke()) == []
    assert configuration.changed_keys(old, smoke(**{"augment.probability": 0.5})) == [
        "augment.probability was 0.0, now 0.5"
    ]
