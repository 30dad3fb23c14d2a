"""Threads: borrowed, returned, ended when idle, and not needed if none can be started."""

import threading
import time
import warnings

import numpy as np
import pytest
from networks import blobs

import fastmlp
from fastmlp.engine import compiled, inference, threads
from fastmlp.engine.control_groups import cpu_quota
from fastmlp.layers import Linear, ReLU

X, Y = blobs(600, 100, 10)


@pytest.fixture
def no_idle_threads(monkeypatch):
    """Remove the idle threads of other tests first."""
    monkeypatch.setattr(threads, "_idle_workers", [])
    monkeypatch.setattr(threads, "_idle_helpers", {"float32": [], "float64": []})
    monkeypatch.setattr(threads, "_told", False)


@pytest.fixture
def threads_left(monkeypatch, no_idle_threads):
    """Allow only ``threads_left[0]`` more threads to be started in this test."""
    left, real = [0], threading.Thread.start

    def start(self):
        if left[0] == 0:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    return left


def train(n_threads):
    model = fastmlp.Sequential(Linear(100, 256), ReLU(), Linear(256, 256), ReLU(), Linear(256, 10))
    model.fit(X, Y, epochs=3, batch_size=128, n_threads=n_threads, verbose=False)
    return model


@pytest.mark.parametrize(
    "short", [0.0, 1e9]
)  # seconds: the calling thread only waits, or works too
@pytest.mark.parametrize("n_left", [0, 1, 2])
def test_fit_works_with_the_threads_that_can_be_started(n_left, short, threads_left, monkeypatch):
    monkeypatch.setattr(compiled, "_SHORT_WORK", 1e9)
    alone = train(1)
    monkeypatch.setattr(compiled, "_SHORT_WORK", short)
    threads_left[0] = n_left

    with pytest.warns(RuntimeWarning, match="no new thread can be started.*ulimit -u"):
        together = train(4)

    np.testing.assert_array_equal(together.theta, alone.theta)
    assert len(threads._idle_workers) == n_left


@pytest.mark.parametrize("n_left", [0, 1])
def test_predict_works_with_the_threads_that_can_be_started(n_left, threads_left, monkeypatch):
    model = fastmlp.Sequential(Linear(100, 256), ReLU(), Linear(256, 10))
    monkeypatch.setattr(inference, "_FLOPS_WORTH_A_HELPER", 1)
    alone = inference.predict(model, X, 1)
    threads_left[0] = n_left

    with pytest.warns(RuntimeWarning, match="no new thread"):
        together = inference.predict(model, X, 3)

    np.testing.assert_array_equal(together, alone)


def test_asking_for_very_many_threads_starts_only_useful_ones(no_idle_threads):
    before = threading.active_count()

    train(1000)

    assert threading.active_count() - before <= threads.MOST


def wait_until(condition):
    for _ in range(3000):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_idle_threads_end(monkeypatch, no_idle_threads):
    monkeypatch.setattr(threads, "_IDLE_SECONDS", 0.01)
    before = set(threading.enumerate())
    with threads.team(3) as team:
        team.start(lambda number: None)
        team.wait()
    zero = np.float32(0)
    threads.give_back(threads.borrow_helpers(2, zero), zero)

    assert wait_until(lambda: not set(threading.enumerate()) - before)
    assert threads._idle_workers == threads._idle_helpers["float32"] == []


def test_a_borrowed_thread_does_not_end(monkeypatch, no_idle_threads):
    monkeypatch.setattr(threads, "_IDLE_SECONDS", 0.01)
    made = []
    with threads.team(2) as team:
        time.sleep(0.2)
        team.start(made.append)
        team.wait()

    assert sorted(made) == [0, 1]


def test_a_thread_belongs_to_one_team_at_a_time(no_idle_threads):
    with threads.team(2) as first, threads.team(2) as second:
        assert not set(first._workers) & set(second._workers)
        workers = {*first._workers, *second._workers}
    with threads.team(4) as third:
        assert set(third._workers) == workers


@pytest.mark.parametrize("n_left", [0, 1, 3])  # threads that can be started
@pytest.mark.parametrize("size", [5, 1_500_001])
def test_copies_are_whole_with_any_number_of_threads(size, n_left, threads_left, monkeypatch):
    threads_left[0] = n_left
    monkeypatch.setattr(threads, "available", lambda: 4)
    sources = [np.arange(size, dtype=np.float32), np.full((3, 2), 7.0), np.array(5)]
    targets = [np.zeros_like(source) for source in sources]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few threads
        threads.copy_arrays(list(zip(sources, targets, strict=True)))

    for source, target in zip(sources, targets, strict=True):
        np.testing.assert_array_equal(target, source)


def test_ctrl_c_does_not_end_the_wait_for_working_threads(monkeypatch):
    done, go_on = [], threading.Event()
    real, came = threads.Team.wait, []

    def interrupted(self, *arguments):
        if len(came) < 3:
            came.append(len(done))
            raise KeyboardInterrupt
        go_on.set()
        real(self, *arguments)

    monkeypatch.setattr(threads.Team, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt), threads.team(1) as team:
        team.start(lambda number: done.append(go_on.wait(60)))

    assert came == [0, 0, 0]
    assert done == [True]


def groups(root, own, quotas):
    """Write the files in which Linux describes the control groups of a process."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    for path, text in quotas.items():
        file = root / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    ("own", "quotas", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/a.slice/b.service\n", {"a.slice/b.service/cpu.max": "150000 100000\n"}, 2),
        (
            "0::/a.slice/b.service\n",
            {"a.slice/b.service/cpu.max": "max 100000\n", "a.slice/cpu.max": "50000 100000\n"},
            1,
        ),
        (
            "0::/a/b/c\n",
            {"a/b/c/cpu.max": "700000 100000", "a/cpu.max": "400000 100000", "cpu.max": "max 1"},
            4,
        ),
        ("0::/a\n", {"b/cpu.max": "100000 100000\n"}, None),
        ("0::/../other\n", {"cpu.max": "200000 100000\n"}, 2),
        (
            "5:cpu,cpuacct:/a\n4:memory:/m\n",
            {
                "cpu,cpuacct/a/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/a/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        (
            "5:cpu,cpuacct:/docker/x\n",
            {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            2,
        ),
        ("5:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("nonsense\n", {"cpu.max": "nonsense"}, None),
    ],
)
def test_the_smallest_quota_of_all_enclosing_groups_counts(tmp_path, own, quotas, expected):
    groups(tmp_path, own, quotas)

    assert cpu_quota(tmp_path) == expected


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota(tmp_path) is None
