"""Settings made before fastmlp is imported: one cache for all runs, no display, fixed examples."""

import getpass
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings


def _private_cache():
    """Return a private folder that is kept between runs, so that kernels are compiled once."""
    folder = Path(tempfile.gettempdir()) / f"fastmlp-tests-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return tempfile.mkdtemp(prefix="fastmlp-tests-")
    return str(folder)


os.environ.setdefault("FASTMLP_CACHE_DIR", _private_cache())
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("FASTMLP_PREDICT", "compiled")  # as after a first training run

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # shells start jobs with "&" like this
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "fastmlp",
    deadline=None,  # the first example compiles
    derandomize=True,
    max_examples=30,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("fastmlp")


@pytest.fixture(autouse=True, scope="module")
def end_idle_processes():
    """End joblib's processes after each module: idle ones leave by themselves, at any moment."""
    yield
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky is not None and loky._executor is not None:
        loky._executor.shutdown(wait=True)
