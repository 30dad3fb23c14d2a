"""Ctrl-C during a step: the first is held back, by whichever block is the outermost."""

import os
import signal
import threading

import pytest

from fastmlp.runner import Interrupt


@pytest.fixture(autouse=True)
def handler():
    """Check that every test puts the handler back; return it."""
    before = signal.getsignal(signal.SIGINT)
    yield before
    assert signal.getsignal(signal.SIGINT) is before


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_first_is_held_back_and_known_in_and_around_every_block(depth):
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


def test_one_that_came_before_an_inner_block_is_known_in_it():
    with Interrupt() as outer:
        ctrl_c()
        with Interrupt() as inner:
            assert inner.pending
    assert outer.pending


def test_one_that_came_after_an_inner_block_is_known_to_the_outer():
    with Interrupt() as outer:
        with Interrupt():
            pass
        assert not outer.pending
        ctrl_c()
    assert outer.pending


def test_a_second_one_comes_through():
    with Interrupt(), Interrupt() as inner:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
    assert inner.pending


def test_the_first_in_an_inner_block_comes_through_if_it_is_the_second_in_the_outer():
    with Interrupt() as outer:
        ctrl_c()
        with Interrupt(), pytest.raises(KeyboardInterrupt):
            ctrl_c()
    assert outer.pending


def test_after_a_second_one_an_inner_block_holds_the_next_one_back():
    with Interrupt():
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
        with Interrupt() as inner:
            ctrl_c()
        assert inner.pending


def test_a_block_knows_nothing_of_the_one_before():
    with Interrupt():
        ctrl_c()
    with Interrupt() as second:
        assert not second.pending


def test_after_the_block_it_is_raised_as_ever():
    with Interrupt():
        pass
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()


def test_a_handler_set_inside_a_block_is_left_to_its_owner():
    heard = []
    with Interrupt() as outer:
        own = signal.signal(signal.SIGINT, lambda *_: heard.append("own"))
        with Interrupt() as inner:
            ctrl_c()
        ctrl_c()
        signal.signal(signal.SIGINT, own)

    assert (outer.pending, inner.pending, heard) == (False, False, ["own", "own"])


def test_a_block_whose_end_a_second_one_prevented_is_forgotten(handler):
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
    """Fork, and return whether the call returned True there."""
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
