"""Trains, evaluates, samples, inspects: `python launch.py --mode=train --config=F --workdir=DIR`.

Any key of the config is a flag: `--config.batch_size=64`. The same command again resumes.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags, logging

from gan_jax import command_line
from gan_jax.errors import Diverged, InputError

_DEFAULT_CONFIG = pathlib.Path(__file__).parent / "configs" / "mnist_mlp.py"

_MODE = flags.DEFINE_enum(
    "mode", "train", ["train", "evaluate", "sample", "inspect"], "What to do."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder [runs/<config name>].")
_CONFIG_CHANGE = flags.DEFINE_enum(
    "config_change", "refuse", ["refuse", "allow"], "Whether a resume may change the trajectory."
)
_NUM_SAMPLES = flags.DEFINE_integer(
    "num_samples", None, "sample: how many images [100]; evaluate: [as many as held-out reals]."
)
_NUM_SEEDS = flags.DEFINE_integer("num_seeds", 1, "evaluate: sets of samples, from --seed on.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    "newest",
    "sample, evaluate: newest, best or a step; evaluate: all of them, or follow a run in training.",
)
_EXTRACTOR = flags.DEFINE_string(
    "extractor", "auto", "evaluate: auto, classifier, inception, pixels or random features."
)
_FIGURES = flags.DEFINE_enum(
    "figures", "all", ["all", "cheap"], "evaluate: cheap: Frechet distance, modes and accuracy."
)
_INCEPTION_WEIGHTS = flags.DEFINE_string(
    "inception_weights",
    None,
    "evaluate: the published file of the Inception network [fetched once].",
)
_ACCURACY_SCORE = flags.DEFINE_bool(
    "accuracy_score", False, "evaluate: also train a classifier on samples alone; minutes a set."
)
_SEED = flags.DEFINE_integer(
    "seed",
    0,
    "sample, evaluate: names the sequence of images.",
    lower_bound=0,
    upper_bound=2**32 - 1,
)
_LABELS = flags.DEFINE_list("labels", None, "sample: classes to ask for in turn, such as 0,1,2.")
_STANDING_BATCHES = flags.DEFINE_integer(
    "standing_batches", 0, "sample: batches for standing statistics; 0: the running averages."
)
_TRUNCATION = flags.DEFINE_float(
    "truncation", None, "sample: below 1: fewer kinds of images, and better ones [none]."
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "sample: FILE.png, FILE.npz or a folder [<workdir>/samples/drawn.png]."
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Join this job's other processes: TPU pods, SLURM, MPI, Kubernetes."
)
_COORDINATOR = flags.DEFINE_string("coordinator", None, "On bare machines: HOST:PORT of process 0.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "On bare machines: how many.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "On bare machines: which one this is.")


def main(argv: Sequence[str]) -> None:
    """Does what --mode says; what goes wrong ends in one line."""
    del argv
    try:
        _dispatch()
    except InputError as error:
        _stop(2, error)
    except Diverged as error:
        _stop(1, error)
    except KeyboardInterrupt:  # before the loop or after it; the loop itself saves first
        _tell("interrupted")
        sys.stdout.flush()
        os._exit(130)  # an orderly end would crash in threads that still compile


def _dispatch() -> None:
    # The slow imports, once the flags are known to be right.
    from gan_jax import checks, evaluate, experiment, sample, train
    from gan_jax.data import inspection
    from gan_jax.runtime import cache, memory, parallel, workdir

    logging.set_verbosity(logging.WARNING)  # the libraries' chatter; ours goes through Progress
    folder = os.path.expanduser(_WORKDIR.value or f"runs/{command_line.config_name()}")
    config = flags.FLAGS.config
    cache.cache_compiled_programs()
    memory.keep_freed_memory()
    parallel.join_processes(
        _DISTRIBUTED.value, _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    )
    if _MODE.value == "train":
        train.train(config, folder, allow_change=_CONFIG_CHANGE.value == "allow")
    elif _MODE.value == "evaluate":
        evaluate.evaluate(
            folder,
            checkpoint=_CHECKPOINT.value,
            extractor=_EXTRACTOR.value,
            num_samples=_NUM_SAMPLES.value,
            seed=_SEED.value,
            num_seeds=_NUM_SEEDS.value,
            figures=_FIGURES.value,
            accuracy_score=_ACCURACY_SCORE.value,
            inception_path=_INCEPTION_WEIGHTS.value,
        )
    elif _MODE.value == "sample":
        sample.sample(
            folder,
            os.path.expanduser(_OUTPUT.value or f"{folder}/samples/drawn.png"),
            checkpoint=_CHECKPOINT.value,
            num_samples=100 if _NUM_SAMPLES.value is None else _NUM_SAMPLES.value,
            seed=_SEED.value,
            labels=_LABELS.value,
            standing_batches=_STANDING_BATCHES.value,
            truncation=_TRUNCATION.value,
        )
    else:
        checks.check_config(config)
        workdir.check_writable(folder)  # before a set is prepared, which may take long
        print(inspection.inspect(experiment.load_data(config), folder))


def _parse(argv: Sequence[str]) -> Sequence[str]:
    try:
        command_line.parse(argv, str(_DEFAULT_CONFIG))
    except InputError as error:
        _stop(2, error)
    return argv


def _stop(status: int, error: object) -> None:
    _tell(error)
    sys.exit(status)


def _tell(error: object) -> None:
    line = " ".join(str(error).split())  # one, whatever it was
    print("launch.py:", line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
