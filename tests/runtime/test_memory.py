"""Freed memory stays with the process: seen by the pages that the kernel has to clear."""

import subprocess
import sys

import pytest
from runs import ROOT

PROGRAM = """
import ctypes, resource, sys
from gan_jax.runtime import memory

kept = memory.keep_freed_memory() if sys.argv[1] == "keep" else None
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p

def faults(size=64 << 20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = ctypes.c_void_p(library.malloc(ctypes.c_size_t(size)))
    library.memset(block, 1, ctypes.c_size_t(size))
    library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(kept, *[faults() for _ in range(3)])
"""


def run(word):
    command = [sys.executable, "-c", PROGRAM, word]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return found.stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of the GNU C library")
def test_blocks_that_were_freed_are_not_cleared_again():
    kept, first, *again = run("keep")
    _, *each = run("leave")
    assert kept == "True"
    assert 4 * max(map(int, again)) < min(map(int, (first, *each)))
