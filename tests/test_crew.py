"""Kernels are compiled side by side in processes, and whatever happens to those costs only time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cold import trained_by

from fastmlp.kernels.machine import crew, isa, jit, links, processors
from fastmlp.kernels.plan import calls

SMALL = [calls.MAKE_OFFER, calls.WITHDRAW, calls.BIAS_GRADIENT]


def tasks(*needed):
    """Return the tasks for links, as a process sees them that has not compiled them."""
    found = [links.task_of(link, 0, "float32") for link in needed]
    return [task._replace(kernel=jit.kernel(task.kernel.py_func)) for task in found]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The root of an empty cache, two processors, and any work is worth a process."""
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / jit.folder_name(isa.current().name))
    monkeypatch.setattr(jit, "carried_folder", lambda: None)
    monkeypatch.setattr(processors, "_count", lambda: 2)
    monkeypatch.setattr(crew, "WORTH_A_PROCESS", 0)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """The processes that are started."""
    found, real = [], crew._start

    def start():
        found.append(real())
        return found[-1]

    monkeypatch.setattr(crew, "_start", start)
    return found


def are_kept(all_tasks):
    return [task.kernel.is_kept_on_disk(task.signature) for task in all_tasks]


def test_two_processes_share_the_work(root, started):
    todo = tasks(*SMALL)

    crew.compile_missing(todo)

    assert len(started) == 1
    assert are_kept(todo) == [True] * 3


def test_nothing_runs_on_afterwards(root, started):
    crew.compile_missing(tasks(*SMALL))

    assert all(process.poll() is not None for process in started)
    assert all(process.stdin.closed and process.stdout.closed for process in started)


def test_what_is_in_the_cache_starts_nothing(root, started):
    crew.compile_missing(tasks(*SMALL))
    started.clear()

    crew.compile_missing(tasks(*SMALL))

    assert started == []


def one_processor(monkeypatch, root):
    monkeypatch.setattr(processors, "_count", lambda: 1)


def little_work(monkeypatch, root):
    monkeypatch.setattr(crew, "WORTH_A_PROCESS", 10**9)


def no_home(monkeypatch, root):
    monkeypatch.setattr(jit, "cache_folder", lambda: None)


def no_permission(monkeypatch, root):
    monkeypatch.setattr(crew.files, "is_writable", lambda folder: False)


def frozen_program(monkeypatch, root):
    monkeypatch.setattr(sys, "frozen", True, raising=False)


def embedded_in_a_server(monkeypatch, root):
    monkeypatch.setattr(sys, "executable", "/usr/sbin/uwsgi")


def embedded_nowhere(monkeypatch, root):
    monkeypatch.setattr(sys, "executable", None)


@pytest.mark.parametrize(
    "where",
    [
        one_processor, little_work, no_home, no_permission, frozen_program, embedded_in_a_server,
        embedded_nowhere,
    ],
)  # fmt: skip
def test_no_process_is_started_with(where, monkeypatch, root, started):
    where(monkeypatch, root)

    crew.compile_missing(tasks(*SMALL))

    assert started == []


def test_a_single_kernel_starts_nothing(root, started):
    crew.compile_missing(tasks(calls.BIAS_GRADIENT))

    assert started == []


@pytest.mark.parametrize(
    "program", ["import sys; sys.exit(3)", "print('hello')", "import os; os.kill(os.getpid(), 9)"]
)
def test_a_process_that_fails_costs_only_time(root, monkeypatch, program):
    monkeypatch.setattr(crew, "_START", program)
    todo = tasks(*SMALL)

    crew.compile_missing(todo)
    for task in todo:
        links.address_of(task.kernel, task.signature)

    assert are_kept(todo) == [True] * 3


def test_where_no_process_can_be_started_this_one_does_everything(root, monkeypatch):
    def refuse(*arguments, **options):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(crew.subprocess, "Popen", refuse)
    todo = tasks(*SMALL)

    crew.compile_missing(todo)

    assert are_kept(todo) == [True] * 3


def test_where_no_thread_can_be_started_this_one_does_everything(root, started, monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(crew.threading.Thread, "start", start)
    todo = tasks(*SMALL)

    crew.compile_missing(todo)

    assert are_kept(todo) == [True] * 3
    assert [process.poll() is None for process in started] == [False]


def test_an_interrupt_ends_the_processes(root, started, monkeypatch):
    todo = tasks(*SMALL)

    def interrupted(signature):
        raise KeyboardInterrupt

    for task in todo:
        monkeypatch.setattr(task.kernel, "compile", interrupted)

    with pytest.raises(KeyboardInterrupt):
        crew.compile_missing(todo)
    assert all(process.poll() is not None for process in started)


def test_kernels_for_another_level_go_to_its_folder(root):
    level = next(level for level in isa.LEVELS[::-1] if level != isa.current().name)
    if level not in isa.levels_here():
        pytest.skip("there is one level here")

    failed = crew.compile_all(tasks(*SMALL), level, root)

    assert failed == 0
    names = {file.name.rpartition("-")[0] for file in (root / jit.folder_name(level)).iterdir()}
    assert {f"fastmlp.kernels.{link.module}.{link.name}" for link in SMALL} <= names
    assert not jit.cache_folder().exists()


def test_what_could_not_be_compiled_is_counted(root, monkeypatch):
    monkeypatch.setattr(crew, "_START", "import sys; sys.exit(3)")

    assert crew.compile_all(tasks(*SMALL), "generic", root / "elsewhere") == 3


def test_longer_kernels_have_a_larger_size():
    offer, rows, steps = (
        link.kernel().size for link in (calls.MAKE_OFFER, calls.INFER_ROWS, calls.TRAIN_STEPS)
    )

    assert 0 < offer < rows < steps


SCRIPT = """
import multiprocessing, sys
print("main part")
from networks import blobs, every_layer
X, y = blobs(100, 20, 3)
def train(_=0):
    model = every_layer(20, 33, 3)
    model.fit(X, y, epochs=1, verbose=False)
    return model.theta.sum()
if sys.argv[1] == "daemon":
    context = multiprocessing.get_context("fork")
    process = context.Process(target=train, daemon=True)
    process.start()
    process.join()
    assert process.exitcode == 0
else:
    train()
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["script", "daemon"])
def test_a_script_needs_no_guard_and_a_daemon_may_train(tmp_path, where):
    if where == "daemon" and not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    done = subprocess.run(
        [sys.executable, str(script), where],
        capture_output=True,
        text=True,
        env=os.environ
        | {"FASTMLP_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parent)},
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "main part\n"


@pytest.mark.slow
def test_one_and_several_processes_give_the_same_bits(tmp_path):
    several = trained_by(tmp_path / "several")
    one = trained_by(tmp_path / "one", OMP_NUM_THREADS="1")

    assert several[0] == one[0]
    assert several[1] < one[1]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_a_killed_process_leaves_none_behind(tmp_path):
    def workers():
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if str(tmp_path).encode() in (folder / "environ").read_bytes():
                    found.append(folder.name)
            except OSError:
                pass
        return found

    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "warmup"],
        env=os.environ | {"FASTMLP_CACHE_DIR": str(tmp_path)},
    )
    while not any(tmp_path.rglob("*kernels.*")):
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()

    for _ in range(600):  # a process notices when it is done with its kernel
        if not workers():
            break
        time.sleep(0.1)
    assert workers() == []
