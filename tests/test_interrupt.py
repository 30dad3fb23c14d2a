"""Signals during a step: an exception from their handler is delayed until the step is complete.

Only the first one is delayed, by the outermost block.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

# ruff: noqa: PT012, SIM117 - what comes before an error, and which block ends, is the point
from fastmlp.engine import interrupt
from fastmlp.engine.interrupt import Interrupt


@pytest.fixture(autouse=True)
def handler():
    """Return the handler, and check that every test restores it."""
    before = signal.getsignal(signal.SIGINT)
    yield before
    assert signal.getsignal(signal.SIGINT) is before


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_first_ctrl_c_is_delayed_and_visible_in_every_block(depth):
    blocks = [Interrupt() for _ in range(depth)]

    def enter(rest):
        if rest:
            with rest[0]:
                enter(rest[1:])
        else:
            assert not any(block.pending for block in blocks)
            ctrl_c()
            assert all(block.pending for block in blocks)

    enter(blocks)

    assert all(block.pending for block in blocks)


def test_a_ctrl_c_before_an_inner_block_is_visible_in_it():
    with Interrupt() as outer:
        ctrl_c()
        with Interrupt() as inner:
            assert inner.pending
    assert outer.pending


def test_a_ctrl_c_after_an_inner_block_is_visible_in_the_outer():
    with Interrupt() as outer:
        with Interrupt():
            pass
        assert not outer.pending
        ctrl_c()
    assert outer.pending


def test_a_second_ctrl_c_is_raised_at_once():
    with Interrupt(), Interrupt() as inner:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
    assert inner.pending


def test_the_second_in_the_outer_block_is_raised_at_once_in_an_inner_one():
    with Interrupt() as outer:
        ctrl_c()
        with Interrupt(), pytest.raises(KeyboardInterrupt):
            ctrl_c()
    assert outer.pending


def test_after_a_second_one_an_inner_block_delays_the_next():
    with Interrupt():
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
        with Interrupt() as inner:
            ctrl_c()
        assert inner.pending


def test_a_block_does_not_inherit_from_the_previous_one():
    with Interrupt():
        ctrl_c()
    with Interrupt() as second:
        assert not second.pending


def test_after_the_block_ctrl_c_works_as_usual():
    with Interrupt():
        pass
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()


def test_a_handler_set_inside_a_block_is_kept():
    heard = []
    with Interrupt() as outer:
        own = signal.signal(signal.SIGINT, lambda *_: heard.append("own"))
        with Interrupt() as inner:
            ctrl_c()
        ctrl_c()
        signal.signal(signal.SIGINT, own)

    assert (outer.pending, inner.pending, heard) == (False, False, ["own", "own"])


def test_a_block_that_a_second_ctrl_c_ended_is_forgotten(handler):
    lost = Interrupt()
    lost.__enter__()
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()

    with Interrupt() as first, Interrupt() as inner:
        before = first.pending, inner.pending
        ctrl_c()
    signal.signal(signal.SIGINT, handler)

    assert before == (False, False)
    assert (first.pending, inner.pending) == (True, True)


def test_in_another_thread_it_does_nothing():
    seen = []

    def run():
        with Interrupt() as interrupt:
            seen.append((signal.getsignal(signal.SIGINT), interrupt.pending))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert seen == [(signal.getsignal(signal.SIGINT), False)]


def succeeds_in_a_child(call):
    """Fork, and return whether the call returned True in the child."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if call() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@fork
def test_a_fork_inside_a_block_stays_inside():
    with Interrupt() as outer:

        def in_the_child():
            with Interrupt() as inner:
                ctrl_c()
            return inner.pending and outer.pending

        assert succeeds_in_a_child(in_the_child)
        assert not outer.pending


@fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads
def test_a_fork_in_another_thread_does_not_stay_in_a_block_that_nobody_leaves():
    def in_the_child():
        with Interrupt(), Interrupt() as first:
            ctrl_c()
        with Interrupt(), Interrupt() as second:
            before = second.pending
            ctrl_c()
        return first.pending and not before and second.pending

    answers = []
    with Interrupt() as outer:
        thread = threading.Thread(target=lambda: answers.append(succeeds_in_a_child(in_the_child)))
        thread.start()
        thread.join()

    assert answers == [True]
    assert not outer.pending


class StopError(Exception):
    """Raised by a program's own handler."""


@pytest.fixture
def install(request):
    """Install handlers for this test alone."""

    def install(number, handler):
        before = signal.signal(number, handler)
        request.addfinalizer(lambda: signal.signal(number, before))

    return install


def raises(error):
    def handler(number, frame):
        raise error

    return handler


POSIX_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1")
    if hasattr(signal, name)
]


@pytest.mark.parametrize("number", POSIX_SIGNALS)
def test_a_programs_own_handler_is_called_at_once_and_nothing_stops(number, install):
    heard = []
    install(number, lambda number, frame: heard.append((number, frame is not None)))

    with Interrupt() as interrupt:
        for calls in (1, 2, 3):
            signal.raise_signal(number)
            assert heard == [(number, True)] * calls
        assert not interrupt.pending


@pytest.mark.parametrize("number", POSIX_SIGNALS)
def test_a_handler_that_raises_keyboard_interrupt_acts_like_ctrl_c(number, install):
    install(number, raises(KeyboardInterrupt()))

    with Interrupt() as outer, Interrupt() as inner:
        signal.raise_signal(number)
        assert outer.pending
        assert inner.pending
    assert outer.pending


@pytest.mark.parametrize("error", [StopError("enough"), SystemExit(7), MemoryError("full")])
@pytest.mark.parametrize("depth", [1, 2])
def test_another_error_is_raised_when_the_outermost_block_ends(error, depth, install):
    install(signal.SIGINT, raises(error))
    steps = []

    with pytest.raises(type(error)) as caught:
        with Interrupt() as outer:
            with Interrupt() as inner:
                if depth == 2:
                    ctrl_c()
                steps.append(inner.pending)
            if depth == 1:
                ctrl_c()
            steps.append(outer.pending)

    assert caught.value is error
    assert steps == [depth == 2, True]


def test_such_an_error_replaces_the_ctrl_c_that_stopped_the_steps(install):
    install(signal.SIGINT, raises(StopError("enough")))

    with pytest.raises(StopError), Interrupt() as interrupt:
        ctrl_c()
        if interrupt.pending:
            raise KeyboardInterrupt


def test_such_an_error_does_not_hide_an_earlier_one(install):
    install(signal.SIGINT, raises(StopError("enough")))

    with pytest.raises(ZeroDivisionError), Interrupt():
        ctrl_c()
        raise ZeroDivisionError


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_of_any_kind_is_raised_at_once(second, install):
    install(signal.SIGTERM, raises(SystemExit(1)))

    with pytest.raises((SystemExit, KeyboardInterrupt)), Interrupt():
        ctrl_c()
        signal.raise_signal(second)
        pytest.fail("it was held back")


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_that_is_ignored_or_ends_the_process_is_left_alone(handler, install):
    install(signal.SIGINT, handler)

    with Interrupt() as interrupt:
        assert signal.getsignal(signal.SIGINT) is handler
        if handler is signal.SIG_IGN:
            ctrl_c()
        assert not interrupt.pending
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_handler_that_is_not_pythons_is_left_alone(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(interrupt._signal, "getsignal", lambda number: None)
        with Interrupt():
            pass
    assert signal.getsignal(signal.SIGINT) is before


FOREIGN = """
import ctypes, os, signal
from fastmlp.engine.interrupt import Interrupt
heard = []
handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: heard.append(number))
libc = ctypes.CDLL(None)
libc.signal.restype = ctypes.c_void_p
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal(signal.SIGUSR1, ctypes.cast(handler, ctypes.c_void_p))
for _ in range(2):
    with Interrupt():
        os.kill(os.getpid(), signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR1)
print(len(heard))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the handler is installed by the C library")
def test_a_handler_in_another_language_is_still_called():
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )

    assert done.stdout.split() == ["3"]


def test_a_handler_that_installs_another_is_obeyed(install):
    def first(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    install(signal.SIGTERM, first)
    with Interrupt():
        signal.raise_signal(signal.SIGTERM)

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_a_handler_from_inside_a_block_works_after_it(install):
    heard = []
    install(signal.SIGTERM, lambda *_: heard.append("own"))
    with Interrupt():
        found = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, found)

    signal.raise_signal(signal.SIGTERM)

    assert heard == ["own"]


@pytest.mark.parametrize("calls", range(1, 20))
def test_a_signal_at_the_start_of_a_block_leaves_nothing_behind(calls, monkeypatch, handler):
    real, left = interrupt._signal.getsignal, [calls]

    def interrupted(number):
        left[0] -= 1
        if left[0] == 0:
            ctrl_c()
        return real(number)

    before = [real(number) for number in POSIX_SIGNALS]
    monkeypatch.setattr(interrupt._signal, "getsignal", interrupted)
    try:
        with Interrupt() as first:
            known = first.pending
        known = known or first.pending
    except KeyboardInterrupt:
        known = True
    monkeypatch.undo()

    assert known == (left[0] <= 0)
    assert [real(number) for number in POSIX_SIGNALS] == before
    with Interrupt() as second:
        ctrl_c()
        assert second.pending
