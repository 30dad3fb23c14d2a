"""Kernels never read or write beyond their arrays."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="needs mprotect")
@pytest.mark.parametrize("what", ["products", "bfloat16_products", "training"])
def test_kernels_touch_nothing_beyond_an_array(what):
    script = Path(__file__).with_name("guard_pages.py")

    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(script), what],
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["float32", "float64"]
