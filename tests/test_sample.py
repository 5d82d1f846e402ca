import math
import shutil

import numpy as np
import pytest
from PIL import Image
from runs import smoke

from gan_jax import configuration
from gan_jax.errors import InputError
from gan_jax.sample import sample
from gan_jax.train import train


@pytest.fixture(scope="module")
def workdirs(tmp_path_factory):
    """Two short runs: one without classes, one with."""
    folders = {}
    for name, conditional in (("plain", False), ("classes", True)):
        folders[name] = tmp_path_factory.mktemp(name)
        train(smoke(conditional=conditional, total_steps=4), folders[name])
    return folders


def test_npz(workdirs, tmp_path):
    sample(workdirs["plain"], tmp_path / "a.npz", num_samples=1_001, seed=3)
    images = np.load(tmp_path / "a.npz")["images"]
    assert (images.shape, images.dtype) == ((1_001, 28, 28, 1), np.uint8)
    sample(workdirs["plain"], tmp_path / "b.npz", num_samples=7, seed=3)
    few = np.load(tmp_path / "b.npz")
    assert few.files == ["images"]
    # Image i depends on (seed, i) only; another batch size may round a pixel differently.
    assert np.abs(images[:7].astype(int) - few["images"]).max() <= 1
    sample(workdirs["plain"], tmp_path / "c.npz", num_samples=7, seed=4)
    assert np.abs(images[:7].astype(int) - np.load(tmp_path / "c.npz")["images"]).max() > 1


def test_standing_statistics(workdirs, tmp_path):
    """Of a short run they are far from the running ones, and the same for any number of samples."""
    run, output = tmp_path / "run", tmp_path / "a.npz"
    train(smoke(total_steps=4, **{"generator.norm": "batch"}), run)

    def drawn(**options):
        sample(run, output, **options)
        return np.load(output)["images"].astype(int)

    running = drawn(num_samples=20)
    standing = drawn(num_samples=20, standing_batches=3)
    assert np.abs(running - standing).max() > 10
    assert np.abs(drawn(num_samples=5, standing_batches=3) - standing[:5]).max() <= 1
    with pytest.raises(InputError, match="no batch normalization"):
        sample(workdirs["plain"], output, standing_batches=3)
    with pytest.raises(InputError, match="must not be negative"):
        sample(run, output, standing_batches=-1)


@pytest.mark.parametrize("key", ["augment", "generator_penalty_interval"])
def test_a_run_of_another_version_ends_in_a_line(key, workdirs, tmp_path, monkeypatch):
    """One whose config lacks a key of today."""
    read = configuration.from_json

    def without(plain):
        return read({name: value for name, value in plain.items() if name != key})

    monkeypatch.setattr(configuration, "from_json", without)
    with pytest.raises(InputError, match=f"another version of gan_jax.*{key}"):
        sample(workdirs["plain"], tmp_path / "a.npz")


def test_what_was_drawn_is_said_on_stderr(workdirs, tmp_path, capsys):
    sample(workdirs["plain"], tmp_path / "a.png", num_samples=3)
    assert capsys.readouterr() == ("", f"3 samples of step 4 in {tmp_path / 'a.png'}\n")


def test_a_damaged_checkpoint_is_said_on_stderr(workdirs, tmp_path, capsys):
    run = shutil.copytree(workdirs["plain"], tmp_path / "run")
    train(smoke(total_steps=8), run)
    (run / "checkpoints" / "8" / "metadata" / "metadata").write_text("{")
    capsys.readouterr()
    sample(run, tmp_path / "a.png", num_samples=3)
    damaged, drawn = capsys.readouterr().err.splitlines()
    assert damaged.startswith("checkpoint 8 is damaged")
    assert "step 4" in drawn


def test_labels(workdirs, tmp_path):
    sample(workdirs["classes"], tmp_path / "a.npz", num_samples=5, labels=[7, 2])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["labels"], [7, 2, 7, 2, 7])
    sample(workdirs["classes"], tmp_path / "b.npz", num_samples=12)
    labels = np.load(tmp_path / "b.npz")["labels"]
    np.testing.assert_array_equal(labels, [*range(10), 0, 1])


def test_a_grid_and_a_folder(workdirs, tmp_path):
    sample(workdirs["plain"], tmp_path / "grid.png", num_samples=25)
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.width > grid.height  # ten a row
    sample(workdirs["plain"], tmp_path / "single", num_samples=11)
    names = sorted(path.name for path in (tmp_path / "single").iterdir())
    assert names == [f"{i:02d}.png" for i in range(11)]
    sample(workdirs["plain"], tmp_path / "all.npz", num_samples=11)
    with Image.open(tmp_path / "single" / "03.png") as image:
        pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels, np.load(tmp_path / "all.npz")["images"][3, ..., 0])


def test_only_the_average_is_read(workdirs, tmp_path, monkeypatch):
    """Sampling needs neither the data nor the rest of the state."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing"))
    sample(workdirs["plain"], tmp_path / "a.png", num_samples=3)
    assert not (tmp_path / "nothing").exists()


def test_truncation(workdirs, tmp_path):
    """Latents within 0.01 make one image, as good as; of the same draws with any other option."""
    drawn = {}
    for truncation in (None, 0.01, 100.0):
        output = tmp_path / f"{truncation}.npz"
        sample(workdirs["plain"], output, num_samples=20, truncation=truncation)
        drawn[truncation] = np.load(output)["images"].astype(int)
    assert drawn[0.01].std(0).max() < 2 < drawn[100.0].std(0).max()
    assert drawn[None].std(0).max() > 2
    for truncation, words in ((0, "must be positive"), (-1, "from 0 on"), (math.nan, "from 0 on")):
        with pytest.raises(InputError, match=rf"truncation is {truncation}; .*{words}"):
            sample(workdirs["plain"], tmp_path / "no.npz", truncation=truncation)
    assert not (tmp_path / "no.npz").exists()
