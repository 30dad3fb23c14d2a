"""The message while kernels are compiled, and the effect of NUMBA_DISABLE_JIT."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from fastmlp.kernels.machine import compiling, jit

NOTICE = "fastmlp: compiling kernels, once per machine; this may take ten seconds or more\n"


def tripled(x):
    """Return three times x; the tests below compile this."""
    return x + x + x


def squared(x):
    """Return x * x."""
    return x * x


@pytest.fixture
def watch(monkeypatch, tmp_path):
    """Return a watch that has shown nothing yet, with an empty cache."""
    watch = compiling.Watch()
    monkeypatch.setattr(compiling, "watch", watch)
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "kernels")
    numba.core.event.register("numba:compile", watch)
    yield watch
    numba.core.event.unregister("numba:compile", watch)


def compile_slowly(monkeypatch, *functions):
    monkeypatch.setattr(compiling, "SECONDS_UNSEEN", 0.0)
    for function in functions:
        jit.kernel(function)(1.0)


def test_there_is_one_line_for_all_kernels(watch, monkeypatch, capsys):
    compile_slowly(monkeypatch, tripled, squared)

    assert capsys.readouterr().err == NOTICE
    assert watch.n_done == 2


def test_compiling_for_less_than_a_second_shows_nothing(watch, monkeypatch, capsys):
    monkeypatch.setattr(compiling, "SECONDS_UNSEEN", 1e9)

    jit.kernel(tripled)(1.0)

    assert capsys.readouterr().err == ""


def test_loading_from_the_cache_shows_nothing(watch, monkeypatch, capsys):
    jit.kernel(tripled)(1.0)
    capsys.readouterr()

    compile_slowly(monkeypatch, tripled)

    assert capsys.readouterr().err == ""


def test_functions_of_other_packages_show_nothing(watch, monkeypatch, capsys):
    monkeypatch.setattr(compiling, "SECONDS_UNSEEN", 0.0)

    numba.njit(lambda x: x + 1)(1.0)

    assert capsys.readouterr().err == ""


def test_a_worker_process_is_silent(watch, monkeypatch, capsys):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())

    compile_slowly(monkeypatch, tripled)

    assert capsys.readouterr().err == ""


def test_a_standard_error_that_is_closed_or_missing_does_no_harm(watch, monkeypatch):
    with open(os.devnull, "w") as closed:
        pass
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stderr", stream)
        compile_slowly(monkeypatch, tripled)
        watch._told = False


def test_a_failed_compilation_ends_the_line_too(watch, monkeypatch, capsys):
    with pytest.raises(numba.core.errors.TypingError):
        compile_slowly(monkeypatch, lambda x: x.nothing)
    assert watch._depth == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_a_line_counts_and_goes_away(watch, monkeypatch):
    wipe, text = "\r\x1b[K", "compiling kernels, once per machine"
    expected = f"{wipe}{text}: 1 of 2{wipe}{text}: 2 of 2{wipe}"
    import pty

    leader, follower = pty.openpty()
    with open(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        watch.expect(2)
        compile_slowly(monkeypatch, tripled, squared)
        shown = ""
        while not shown.endswith(expected[-20:]):  # output arrives in pieces
            shown += os.read(leader, 10_000).decode()
    os.close(leader)

    assert shown == expected


def test_what_is_known_to_take_long_is_told_at_once(watch, monkeypatch, capsys):
    monkeypatch.setattr(compiling, "SECONDS_UNSEEN", 1e9)

    watch.expect(3, is_long=True)
    watch.count()

    assert capsys.readouterr().err == NOTICE
    assert (watch.n_done, watch.n_expected) == (1, 3)


def test_the_line_goes_away_though_fewer_kernels_were_missing_than_expected(watch, monkeypatch):
    shown = []
    monkeypatch.setattr(compiling, "SECONDS_UNSEEN", 0.0)
    monkeypatch.setattr(compiling, "_can_move", lambda: True)
    monkeypatch.setattr(compiling, "_write", shown.append)

    watch.expect(3)
    jit.kernel(tripled)(1.0)
    watch.finish()
    jit.kernel(squared)(1.0)

    text = "\r\x1b[Kcompiling kernels, once per machine: "
    assert shown == [f"{text}1 of 3", f"{text}2 of 3", "\r\x1b[K", f"{text}2", "\r\x1b[K"]


DISABLED = """
import warnings
import numba
import numpy as np
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    from networks import blobs, every_layer
    X, y = blobs(60, 7, 3)
    model = every_layer(7, 9, 3)
    model.fit(X, y, epochs=2, batch_size=20, verbose=False)
print(numba.njit(lambda x: x)(1.0), type(numba.njit(lambda x: x)).__name__)
print(*[str(w.message) for w in told if "NUMBA_DISABLE_JIT" in str(w.message)])
print(model.theta.tobytes().hex(), model.predict(X).tobytes().hex())
"""


def test_without_jit_results_are_the_same_and_a_line_tells_why():
    def run(disabled):
        done = subprocess.run(
            [sys.executable, "-c", DISABLED],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            env=os.environ | {"NUMBA_DISABLE_JIT": disabled},
        )
        return done.stdout.splitlines()

    (others, told, numbers), (others_as_ever, nothing, numbers_as_ever) = run("1"), run("0")

    assert numbers == numbers_as_ever
    assert "compiled all the same" in told
    assert nothing == ""
    assert (others, others_as_ever) == ("1.0 function", "1.0 CPUDispatcher")
