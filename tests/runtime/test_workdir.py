"""The lock and the atomic files of a workdir."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_jax.errors import InputError
from gan_jax.runtime import workdir

ROOT = Path(__file__).parents[2]

HOLDER = """
import sys, time
from gan_jax.runtime import workdir
with workdir.lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_held_workdir_is_refused_until_its_holder_is_gone(tmp_path):
    run = tmp_path / "runs" / "x"
    command = [sys.executable, "-c", HOLDER, str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            for _ in range(2):  # a refusal does not spoil the lock file
                with pytest.raises(InputError) as refused, workdir.lock(run):
                    pass
            assert str(refused.value) == (
                f"{run} is in use by another run (process {holder.pid}): "
                "wait for it or choose another --workdir"
            )
        finally:
            holder.send_signal(signal.SIGKILL)
    for _ in range(2):
        with workdir.lock(run):
            assert (run / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_excludes_within_a_process_and_is_freed_by_an_error(tmp_path):
    with workdir.lock(tmp_path):
        with pytest.raises(InputError, match="in use"), workdir.lock(tmp_path):
            pass
        with workdir.lock(tmp_path / "other"):
            pass
    with pytest.raises(ZeroDivisionError), workdir.lock(tmp_path):
        raise ZeroDivisionError
    with workdir.lock(tmp_path):
        pass


def test_an_error_within_a_lock_is_passed_on_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), workdir.lock(tmp_path):
        (tmp_path / "missing").read_text()


def unwritable(tmp_path):
    (tmp_path / "file").write_text("mine")
    return [tmp_path / "file", tmp_path / "file" / "x", Path("/proc/x"), Path("/proc/self")]


def test_a_workdir_that_cannot_be_written_is_one_line_and_nothing_is_left(tmp_path):
    for place in unwritable(tmp_path):
        said = f"^cannot write in {place}: [A-Z].*$"
        with pytest.raises(InputError, match=said) as refused, workdir.lock(place):
            pass
        assert "\n" not in str(refused.value)
    assert [p.name for p in tmp_path.rglob("*")] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


# Permissions do not bind root, so the check runs as nobody, below a folder that nobody may reach.
CHECKER = """
import os, sys, tempfile
from gan_jax.errors import InputError
from gan_jax.runtime import workdir

with tempfile.TemporaryDirectory() as top:
    os.chmod(top, 0o755)
    modes = {"open": 0o777, "shut": 0o600, "unlisted": 0o333, "frozen": 0o555, "blind": 0o666}
    for name, mode in modes.items():
        os.mkdir(f"{top}/{name}")
        os.mkdir(f"{top}/{name}/inner")
        os.chmod(f"{top}/{name}/inner", 0o777)
        os.chmod(f"{top}/{name}", mode)
    if os.getuid() == 0:
        os.setresuid(65534, 65534, 0)  # nobody; os.access asks for the first of the three
    for name in modes:
        for place in (f"{name}", f"{name}/new/run", f"{name}/inner"):
            try:
                workdir.check_writable(f"{top}/{place}")
            except InputError as error:
                assert str(error).startswith(f"cannot write in {top}/{place}: choose"), error
            else:
                print(place)
    if os.getresuid()[2] == 0:
        os.setresuid(0, 0, 0)
    for name in modes:
        os.chmod(f"{top}/{name}", 0o777)
"""


def test_permissions_are_checked_ahead_wherever_they_end():
    command = [sys.executable, "-c", CHECKER]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    writable = ["open", "open/new/run", "open/inner", "unlisted", "unlisted/new/run"]
    writable += ["unlisted/inner", "frozen/inner"]  # what one may not search hides all below
    assert checked.stdout.split() == writable


def test_a_workdir_with_a_file_in_the_way_is_refused_ahead(tmp_path):
    places = unwritable(tmp_path)[:2]
    places[0].chmod(0o777)  # what one may do with a file says nothing
    for place in places:
        with pytest.raises(InputError, match=f"^cannot write in {place}: choose another"):
            workdir.check_writable(place)
    workdir.check_writable(tmp_path / "new" / "run")
    workdir.check_writable("gs://bucket/run")
    assert [p.name for p in tmp_path.rglob("*")] == ["file"]


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "new" / "config.json"
    workdir.write_json(path, {"b": 1, "a": [1, 2.5, None, "é"]})
    assert list(json.loads(path.read_text())) == ["b", "a"]  # the order given
    with open(path) as reader:
        workdir.write_json(path, {})
        assert json.load(reader)["b"] == 1  # who has it open still reads the old one
    assert json.loads(path.read_text()) == {}
    assert [p.name for p in path.parent.iterdir()] == ["config.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "config.json"
    workdir.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        workdir.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    (tmp_path / "folder").mkdir()  # in the way of a file
    with pytest.raises(InputError, match=f"cannot write {tmp_path / 'folder'}"):
        workdir.write_json(tmp_path / "folder", {"a": 2})
    for place in unwritable(tmp_path)[1:3]:
        with pytest.raises(InputError, match=f"cannot write {place / 'x.json'}"):
            workdir.write_json(place / "x.json", {})


def test_arrays_are_written_with_equal_bytes(tmp_path):
    arrays = {"images": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": np.arange(2)}
    for name in ("a.npz", "b.npz"):
        workdir.write_npz(tmp_path / name, arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as read:
        assert sorted(read) == ["images", "labels"]
        np.testing.assert_array_equal(read["images"], arrays["images"])


def test_urls_are_not_local():
    assert not workdir.is_local("gs://bucket/runs/x")
    assert workdir.is_local("runs/x")
