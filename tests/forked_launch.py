"""Runs `launch.py` in forks of one process, which has imported what takes seconds to import.

For the many runs that end before they compute anything. Reads a line of JSON a run, and answers
with a line: {"status": , "stdout": , "stderr": }.
"""

import json
import os
import pathlib
import runpy
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).parent.parent


def main():
    sys.path.insert(0, str(ROOT))
    from gan_jax import checks, evaluate, experiment, sample, train  # noqa: F401
    from gan_jax.data import inspection, reading  # noqa: F401

    for order in map(json.loads, sys.stdin):
        print(json.dumps(answer(**order)), flush=True)


def answer(arguments, folder, environment):
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = os.fork()
        if not process:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            become(arguments, folder, environment)
        _, status = os.waitpid(process, 0)
        for stream in (stdout, stderr):
            stream.seek(0)
        texts = {"stdout": stdout.read().decode(), "stderr": stderr.read().decode()}
        return {"status": os.waitstatus_to_exitcode(status), **texts}


def become(arguments, folder, environment):
    """What `python launch.py` does; never returns."""
    status = 0
    try:
        os.chdir(folder)
        os.environ.update(environment)
        sys.argv = ["launch.py", *arguments]
        runpy.run_path(str(ROOT / "launch.py"), run_name="__main__")
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
