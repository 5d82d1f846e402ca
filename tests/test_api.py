"""The public API: README tells the truth about it, and the conventions hold."""

import ast
import inspect
import re
import runpy

import jax
import pytest
from runs import ROOT

import gan_jax
from gan_jax import checks, command_line, experiment
from gan_jax.command_line import load_config
from gan_jax.configuration import flatten

README = (ROOT / "README.md").read_text()


def test_the_example_of_the_readme_runs_as_it_stands(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.strip().splitlines()) <= 24
    (tmp_path / "example.py").write_text(example)
    names = runpy.run_path(str(tmp_path / "example.py"))
    assert names["images"].shape == (16, 28, 28, 1)
    assert int(names["state"].step) == 1
    assert {"discriminator_loss", "generator_loss", "r1", "r2"} <= names["metrics"].keys()


def test_the_readme_names_nothing_that_is_not_there():
    """Files, flags, keys and configs; and nothing waits to be filled in."""
    headings = re.findall(r"^#+ (.*)", README, re.MULTILINE)
    places = ["#" + re.sub(r"[^\w ]", "", name.lower()).replace(" ", "-") for name in headings]
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or target in places or (ROOT / target).exists(), target
    flags = re.findall(r'DEFINE_\w+\(\s*"(\w+)"', (ROOT / "launch.py").read_text())
    ours = re.sub(r"^    python tests/.*", "", README, flags=re.MULTILINE)  # these have their own
    for flag in re.findall(r"(?<=--)(?!config)\w+(?==| |`)", ours):
        assert flag in flags, flag
    keys = flatten(load_config(str(ROOT / "configs" / "default.py")))
    for key in re.findall(r"--config\.([a-z][\w.]+)", README):
        assert key in keys, key
    for path in re.findall(r"(?:configs|tests)/[\w/.]+\.py", README):
        assert (ROOT / path).is_file(), path
    assert not re.findall(r"@[A-Z]+@|TODO", README)


def test_everything_exported_is_there_and_documented():
    for name in gan_jax.__all__:
        assert inspect.getdoc(getattr(gan_jax, name)), name
    assert len(gan_jax.__all__) == len(set(gan_jax.__all__))


def test_gan_takes_keywords_only():
    kinds = {p.kind for p in inspect.signature(gan_jax.gan).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_the_fields_of_a_gan_begin_with_those_of_an_algorithm():
    fields = gan_jax.Algorithm._fields
    assert gan_jax.GAN._fields[: len(fields)] == fields


CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("[!_]*.py"))


def family_of(name):
    return load_config(str(ROOT / "configs" / f"{name}.py")).generator.family


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_is_sound(name):
    """And its networks can be made, of which this takes the shapes."""
    checks.check_config(load_config(str(ROOT / "configs" / f"{name}.py")))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if family_of(name) == "mlp" else pytest.mark.slow)
        for name in CONFIGS
    ],
)
def test_every_config_takes_an_abstract_step(name):
    config = load_config(str(ROOT / "configs" / f"{name}.py"))
    size = config.data.image_size or 28
    shape = (1, 1, 2) if config.data.name.startswith("toy:") else (size, size, 1)
    facts = experiment.DataFacts(shape, 10 if config.conditional else None, 100, "")
    algorithm = experiment.build_algorithm(config, facts)
    rows = (algorithm.minibatches, config.batch_size)

    def step(key, images, index):
        batch = {"image": images, "index": index, "label": index % 10}
        return algorithm.update(algorithm.init(key), batch)

    state, _ = jax.eval_shape(
        step,
        jax.random.key(0),
        jax.ShapeDtypeStruct((*rows, *shape), "float32"),
        jax.ShapeDtypeStruct(rows, "int32"),
    )
    assert state.step.shape == ()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_is_one_that_the_command_line_takes(name):
    path, default = (str(ROOT / "configs" / f"{name}.py") for name in (name, "mnist_mlp"))
    command_line._check_whole(path, load_config(path), load_config(default))


@pytest.mark.parametrize("name", sorted(set(CONFIGS) - {"default"}))
def test_every_config_says_how_to_run_it(name):
    text = ast.get_docstring(ast.parse((ROOT / "configs" / f"{name}.py").read_text()))
    command = "python launch.py" + ("" if name == "mnist_mlp" else f" --config=configs/{name}.py")
    assert re.search(rf"^ *{re.escape(command)}", text, re.MULTILINE)


def test_every_key_of_the_default_config_is_commented():
    """A key carries a comment, or stands in a block of lines that begins with one."""
    text = (ROOT / "configs" / "default.py").read_text()
    body = text[text.index("config = ConfigDict()") : text.index("return config")]
    commented = False
    for line in body.splitlines()[1:]:
        commented = (commented or "#" in line) and bool(line.strip())
        assert commented or not line.strip(), line


def test_the_core_touches_no_machine():
    """Algorithms, objectives and networks import nothing but arrays, Flax, optax and each other."""
    core = ["rng.py", "axis.py", "train_state.py", "algorithms", "objectives", "models", "nn"]
    allowed = {"jax", "flax", "optax", "gan_jax", "numpy"}
    allowed |= {"dataclasses", "functools", "math", "types", "typing", "zlib"}
    files = [ROOT / "gan_jax" / name for name in core]
    files = [file for path in files for file in (path.rglob("*.py") if path.is_dir() else [path])]
    for file in files:
        for module in re.findall(r"^(?:from|import) ([\w.]+)", file.read_text(), re.MULTILINE):
            top = module.partition(".")[0]
            assert top in allowed or module == "collections.abc", (file, module)
            assert not module.startswith(("gan_jax.runtime", "gan_jax.data")), (file, module)
        if {"algorithms", "objectives"} & set(file.parts):
            assert "gan_jax.models" not in file.read_text(), file
