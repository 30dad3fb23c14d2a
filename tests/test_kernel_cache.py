"""The cache of compiled kernels is never stale, never corrupt, and never required."""

import dataclasses
import errno
import os
import pickle
import shutil
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from fastmlp.kernels.machine import cache, isa, jit, place

posix = pytest.mark.skipif(os.name != "posix", reason="owners and permissions are POSIX's")


def doubled(x):
    """Return twice x; the tests below compile this."""
    return x + x


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder for kernels made in this test."""
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "root" / "kernels")
    monkeypatch.setattr(cache, "_told", {})
    return tmp_path / "root" / "kernels"


def run(x=21.0):
    """Call the kernel as a new process would; return the result and whether it was in the cache."""
    dispatcher = jit.kernel(doubled)
    return dispatcher(x), bool(dispatcher.stats.cache_hits)


def only_file(folder):
    [file] = folder.iterdir()
    return file


def test_a_kernel_is_compiled_once(folder):
    assert run() == (42.0, False)
    assert run() == (42.0, True)


def test_each_signature_has_a_file(folder):
    run(21.0)
    run(21)

    assert len(list(folder.iterdir())) == 2
    assert run(21) == (42, True)


@pytest.mark.parametrize("n_bytes", [0, 10, 32, 33, 2000, -1])
def test_a_truncated_file_is_compiled_again(folder, n_bytes):
    run()
    content = only_file(folder).read_bytes()
    only_file(folder).write_bytes(content[:n_bytes])

    with pytest.warns(RuntimeWarning, match="is damaged: its kernel is compiled again"):
        assert run() == (42.0, False)
    assert run() == (42.0, True)


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_damaged_file_is_compiled_again(folder, place):
    run()
    content = bytearray(only_file(folder).read_bytes())
    content[place] ^= 1
    only_file(folder).write_bytes(content)

    with pytest.warns(RuntimeWarning, match="is damaged: its kernel is compiled again"):
        assert run() == (42.0, False)
    assert run() == (42.0, True)


def test_entries_that_are_not_files_are_skipped(folder):
    run()
    file = only_file(folder)
    file.unlink()
    file.mkdir()

    with pytest.warns(RuntimeWarning, match="FASTMLP_CACHE_DIR"):
        assert run() == (42.0, False)
    assert only_file(folder) == file  # no temporary file stays behind


def test_a_folder_that_cannot_be_created_costs_time_and_one_warning(folder, recwarn):
    folder.parent.write_text("in the way")

    assert run() == (42.0, False)
    assert run(21) == (42, False)
    [warning] = recwarn
    assert str(folder) in str(warning.message)
    assert "set FASTMLP_CACHE_DIR to a folder of your own" in str(warning.message)


@pytest.mark.parametrize(
    ("function", "code", "advice"),
    [
        ("open", errno.ENOSPC, "make room on the disk"),
        ("replace", errno.EDQUOT, "make room on the disk"),
        ("open", errno.EROFS, "let this user write there"),
        ("replace", errno.EACCES, "let this user write there"),
    ],
)
def test_a_full_or_read_only_disk_costs_time_and_a_warning(
    folder, monkeypatch, function, code, advice
):
    real = getattr(os, function)

    def refuse(path, *arguments):
        if str(path).startswith(str(folder)):
            raise OSError(code, os.strerror(code))
        return real(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(cache.os, function, refuse)
        with pytest.warns(RuntimeWarning, match=f"every new process.*{advice}"):
            assert run() == (42.0, False)

    assert list(folder.iterdir()) == []
    assert run() == (42.0, False)
    assert run() == (42.0, True)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_without_permission_costs_time_and_a_warning(folder, mode):
    folder.parent.mkdir()
    folder.mkdir()
    run(21)
    folder.chmod(mode)

    with pytest.warns(RuntimeWarning, match="FASTMLP_CACHE_DIR"):
        assert run() == (42.0, False)
    folder.chmod(0o700)
    assert len(list(folder.iterdir())) == 1


@posix
@pytest.mark.parametrize(
    ("umask", "folder_mode", "file_mode"),
    [(0o022, 0o755, 0o644), (0o002, 0o755, 0o644), (0o077, 0o700, 0o600), (0o027, 0o750, 0o640)],
)
def test_others_can_read_as_the_umask_allows_but_never_write(folder, umask, folder_mode, file_mode):
    before = os.umask(umask)
    try:
        run()
    finally:
        os.umask(before)

    modes = [stat.S_IMODE(p.stat().st_mode) for p in (folder.parent, folder, only_file(folder))]
    assert modes == [folder_mode, folder_mode, file_mode]
    assert run() == (42.0, True)


@posix
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
@pytest.mark.parametrize("which", ["root", "folder", "file"])
def test_files_that_others_could_have_written_are_not_loaded(folder, which, mode):
    run()
    culprit = {"root": folder.parent, "folder": folder, "file": only_file(folder)}[which]
    culprit.chmod(mode)

    with pytest.warns(RuntimeWarning, match="others|another user"):
        assert run() == (42.0, False)


@posix
def test_a_folder_in_a_sticky_shared_folder_is_trusted(folder):
    run()
    folder.parent.chmod(0o1777)

    assert run() == (42.0, True)


@posix
@pytest.mark.parametrize(("owner", "loaded"), [(0, True), (54321, False)])
def test_only_this_user_and_root_are_trusted(folder, monkeypatch, owner, loaded):
    run()
    real = os.fstat

    def owned(descriptor):
        fields = list(real(descriptor))
        fields[stat.ST_UID] = owner
        return os.stat_result(fields)

    monkeypatch.setattr(cache.os, "fstat", owned)

    if loaded:
        assert run() == (42.0, True)
    else:
        with pytest.warns(RuntimeWarning, match="another user"):
            assert run() == (42.0, False)


def days_old(path, days):
    for each in [path, *path.iterdir()]:
        os.utime(each, (time.time() - 86400 * days,) * 2)


def test_folders_of_other_versions_are_removed_after_an_unused_month(folder):
    folder.parent.mkdir()
    others = {}
    for name, days in (("0" * 16, 40), ("1" * 16, 31), ("2" * 16, 20), ("3" * 16, 0)):
        others[days] = folder.parent / f"kernels-{name}"
        others[days].mkdir()
        (others[days] / "kernel").write_bytes(b"code")
        days_old(others[days], days)
    for name in ("kernels-mine", "datasets"):
        (folder.parent / name).mkdir()
        days_old(folder.parent / name, 100)
    jit._tidy.cache_clear()

    run()

    left = {path.name for path in folder.parent.iterdir()}
    assert left == {"kernels", "kernels-mine", "datasets", others[20].name, others[0].name}


def test_a_folder_that_is_read_from_does_not_count_as_old(folder):
    run()
    days_old(folder, 50)

    assert run() == (42.0, True)

    assert time.time() - folder.stat().st_mtime < 86400


def test_leftovers_of_killed_processes_are_removed(folder):
    run()
    for name, days in ((".incomplete-a", 3), (".incomplete-b", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - 86400 * days,) * 2)
    jit._tidy.cache_clear()

    run(21)

    assert [p.name for p in folder.glob(".*")] == [".incomplete-b"]


def test_without_a_home_directory_there_is_one_warning(monkeypatch):
    def homeless(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("FASTMLP_CACHE_DIR")
    monkeypatch.setattr(place.platformdirs, "user_cache_dir", homeless)
    monkeypatch.setattr(cache, "_told", {})
    with pytest.warns(RuntimeWarning, match="no home directory.*FASTMLP_CACHE_DIR"):
        assert jit.cache_folder.__wrapped__() is None
    monkeypatch.setattr(jit, "cache_folder", lambda: None)

    assert run() == (42.0, False)
    assert run() == (42.0, False)


def test_an_edit_of_any_kernel_source_changes_the_folder(tmp_path, monkeypatch):
    kernels = tmp_path / "kernels"
    shutil.copytree(Path(jit.__file__).parents[1], kernels)
    original = jit._fingerprint(isa.current())
    monkeypatch.setattr(jit, "__file__", str(kernels / "machine" / "jit.py"))
    assert jit._fingerprint(isa.current()) == original

    sources = sorted(kernels.rglob("*.py"))
    assert len({source.parent for source in sources}) > 1
    for source in sources:
        content = source.read_bytes()
        source.write_bytes(content + b"\n")
        assert jit._fingerprint(isa.current()) != original, f"{source.name} was edited"
        source.write_bytes(content)
    (kernels / "plan" / "new.py").touch()
    assert jit._fingerprint(isa.current()) != original


def made(shift):
    @jit.kernel(name=f"made.{shift}")
    def shifted(x):
        return x + shift

    return shifted


def test_kernels_made_by_a_function_are_cached_under_their_given_names(folder):
    assert (made(1.0)(1.0), made(2.0)(1.0)) == (2.0, 3.0)

    again = [made(1.0), made(2.0)]

    assert [kernel(1.0) for kernel in again] == [2.0, 3.0]
    assert all(kernel.stats.cache_hits for kernel in again)
    assert len(list(folder.iterdir())) == 2


def test_what_is_only_inlined_is_kept_without_machine_code(folder):
    def process():
        """Make the kernels as a new process would."""
        part = jit.inner(doubled)
        twice = jit.kernel(name="test.twice")(lambda x: part(part(x)))
        thrice = jit.kernel(name="test.thrice")(lambda x: part(part(part(x))))
        return part, twice, thrice

    part, twice, _ = process()
    assert twice(1.0) == 4.0
    kinds = {}
    for file in folder.iterdir():
        payload = cache.read(file)
        assert payload is not None
        kinds[file.name.rpartition("-")[0]] = pickle.loads(payload)[0][1]
    assert kinds == {"test.twice": "object", "test_kernel_cache.doubled": "inlined"}

    part, twice, thrice = process()
    assert (twice(1.0), thrice(1.0)) == (4.0, 8.0)
    assert [sum(kernel.stats.cache_hits.values()) for kernel in (part, twice, thrice)] == [1, 1, 0]


def test_a_kernel_cannot_make_arrays():
    with pytest.raises(TypeError, match="cannot make an array"):
        jit.kernel(doubled)(np.ones(3))


def test_each_instruction_set_has_a_folder(monkeypatch):
    original = jit._fingerprint(isa.current())
    without = dataclasses.replace(isa.current(), vector_bytes=8)
    monkeypatch.setattr(isa, "current", lambda: without)

    assert jit._fingerprint(isa.current()) != original


def test_the_environment_sets_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(tmp_path))

    assert jit.cache_folder.__wrapped__().parent == tmp_path
