"""FASTMLP_KERNELS: a folder of compiled kernels that was made elsewhere and is only read."""

import os
import shutil
import stat

import pytest
from cold import trained_by

from fastmlp.kernels.machine import cache, isa, jit

posix = pytest.mark.skipif(os.name != "posix", reason="owners and permissions are POSIX's")


def doubled(x):
    """Return twice x; the tests below compile this."""
    return x + x


def run(x=21.0):
    """Call the kernel as a new process would; return the result and whether it was loaded."""
    kernel = jit.kernel(doubled)
    return kernel(x), bool(kernel.stats.cache_hits)


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """A folder with one kernel, named by FASTMLP_KERNELS, and an empty cache."""
    monkeypatch.setattr(cache, "_told", {})
    name = jit.folder_name(isa.current().name)
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "carried" / name)
    run()
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "cache" / name)
    monkeypatch.setenv("FASTMLP_KERNELS", str(tmp_path / "carried"))
    monkeypatch.setattr(jit, "carried_folder", jit.carried_folder.__wrapped__)
    return tmp_path / "carried" / name


def test_a_kernel_is_loaded_from_it_and_nothing_is_written(carried, tmp_path):
    assert run() == (42.0, True)
    assert len(list(carried.iterdir())) == 1
    assert not (tmp_path / "cache").exists()


def test_what_it_lacks_is_compiled_into_the_cache(carried, tmp_path):
    assert run(21) == (42, False)
    assert run(21) == (42, True)
    assert len(list(carried.iterdir())) == 1
    assert len(list((tmp_path / "cache").rglob("*doubled*"))) == 1


def test_a_damaged_file_is_passed_over(carried, tmp_path):
    [file] = carried.iterdir()
    damaged = file.read_bytes()[:-1] + b"x"
    file.write_bytes(damaged)

    with pytest.warns(RuntimeWarning, match="damaged: its kernel is compiled again$"):
        assert run() == (42.0, False)
    assert file.read_bytes() == damaged
    assert run() == (42.0, True)


@posix
def test_it_may_belong_to_anybody_and_to_a_group(carried, monkeypatch):
    [file] = carried.iterdir()
    for path in (file, carried, carried.parent):
        path.chmod(0o775)
    real, real_of_path = os.fstat, os.stat

    def foreign(status):
        fields = list(status)
        fields[stat.ST_UID] = 54321
        return os.stat_result(fields)

    monkeypatch.setattr(cache.os, "fstat", lambda descriptor: foreign(real(descriptor)))
    monkeypatch.setattr(type(carried), "stat", lambda path, **_: foreign(real_of_path(path)))

    assert run() == (42.0, True)


@posix
@pytest.mark.parametrize("which", ["root", "folder", "file"])
def test_what_everybody_can_write_is_not_loaded(carried, which):
    [file] = carried.iterdir()
    culprit = {"root": carried.parent, "folder": carried, "file": file}[which]
    culprit.chmod(0o777)

    with pytest.warns(RuntimeWarning, match="by others|another user"):
        assert run() == (42.0, False)


@pytest.mark.parametrize(
    ("others", "words"), [((), "none"), (("avx2", "generic"), "avx2, generic")]
)
def test_a_folder_without_kernels_for_this_machine_is_told_once(carried, others, words, recwarn):
    shutil.rmtree(carried)
    for level in others:
        (carried.parent / f"kernels-{level}-0123456789abcdef").mkdir()

    assert run() == (42.0, False)
    assert run(21) == (42, False)

    [warning] = recwarn
    assert f"FASTMLP_KERNELS has no {carried.name}" in str(warning.message)
    assert words in str(warning.message)
    assert "fastmlp warmup --out" in str(warning.message)


def test_a_home_directory_that_is_unknown_is_told(carried, monkeypatch):
    monkeypatch.setenv("FASTMLP_KERNELS", "~no-such-user/kernels")

    with pytest.warns(RuntimeWarning, match="the home directory ~no-such-user is unknown, so"):
        assert run() == (42.0, False)


@pytest.mark.skipif("generic" not in isa.levels_here(), reason="there is no such level")
def test_kernels_of_a_level_serve_a_process_after_they_were_moved_and_made_read_only(tmp_path):
    made, carried, empty = tmp_path / "made", tmp_path / "a" / "b", tmp_path / "empty"
    digest, n_compiled, _ = trained_by(made, FASTMLP_ISA="generic")
    assert n_compiled > 0
    shutil.copytree(made, carried)
    shutil.rmtree(made)
    for path in [*carried.rglob("*"), carried]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in carried.rglob("*")}

    again = trained_by(empty, FASTMLP_ISA="generic", FASTMLP_KERNELS=str(carried))

    assert again == (digest, 0, "")
    assert not empty.exists()
    assert {path: path.stat().st_mtime_ns for path in carried.rglob("*")} == before
    for path in [carried, *carried.rglob("*")]:
        path.chmod(0o755)  # so that it can be deleted
