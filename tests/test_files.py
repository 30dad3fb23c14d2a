"""Files are written completely or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from fastmlp.common import files
from fastmlp.common.files import require_writable, user_path, write_parts, write_whole

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and locks are POSIX's")


@posix
def test_a_path_of_a_user_begins_at_a_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert user_path("~/a/b.csv") == tmp_path / "a" / "b.csv"
    assert user_path("a/~/b.csv").parts == ("a", "~", "b.csv")
    with pytest.raises(ValueError, match=r"^the home directory ~no-such-user of '~no-such-user/b"):
        user_path("~no-such-user/b.csv")


def test_content_is_written(tmp_path):
    write_whole(tmp_path / "file", b"content")

    assert (tmp_path / "file").read_bytes() == b"content"
    assert os.listdir(tmp_path) == ["file"]


def test_an_older_file_survives_a_full_disk(tmp_path, monkeypatch):
    target = tmp_path / "file"
    target.write_bytes(b"older")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(target, b"newer")

    assert target.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["file"]


def test_parts_are_written_as_they_are_made(tmp_path):
    write_parts(tmp_path / "file", (b"%d " % n for n in range(4)))

    assert (tmp_path / "file").read_bytes() == b"0 1 2 3 "


def test_an_older_file_survives_a_part_that_cannot_be_made(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"older")

    def parts():
        yield b"newer"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_parts(target, parts())

    assert target.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "ordinary").write_bytes(b"")

    write_whole(tmp_path / "file", b"content")

    assert (tmp_path / "file").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is full")
def test_a_device_is_written_to_and_stays():
    with pytest.raises(OSError, match="No space left") as error:
        write_whole("/dev/full", b"content")

    assert error.value.filename == "/dev/full"
    assert not os.path.isfile("/dev/full")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "target").write_bytes(b"older")
    (tmp_path / "link").symlink_to("target")

    write_whole(tmp_path / "link", b"newer")

    assert (tmp_path / "target").read_bytes() == b"newer"
    assert (tmp_path / "link").is_symlink()


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o200])
def test_an_older_file_keeps_its_permissions(tmp_path, mode):
    target = tmp_path / "file"
    target.write_bytes(b"older")
    target.chmod(mode)

    write_whole(target, b"newer")

    assert stat.S_IMODE(target.stat().st_mode) == mode


@posix
@pytest.mark.parametrize("mode", [0o444, 0o400, 0o555])
@pytest.mark.parametrize("function", [lambda path: write_whole(path, b"newer"), require_writable])
def test_a_write_protected_file_stays_as_it_is(tmp_path, mode, function):
    target = tmp_path / "file"
    target.write_bytes(b"older")
    target.chmod(mode)

    with pytest.raises(PermissionError, match="write-protected: choose another name"):
        function(target)

    assert target.read_bytes() == b"older"
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.parametrize("length", [230, 246, 255])
def test_names_can_be_as_long_as_the_file_system_allows(tmp_path, length):
    target = tmp_path / ("n" * length)
    require_writable(target)

    write_whole(target, b"content")

    assert os.listdir(tmp_path) == [target.name]


def test_a_name_that_is_too_long_is_detected_in_advance(tmp_path):
    with pytest.raises(OSError, match="too long"):
        require_writable(tmp_path / ("n" * 5000))


@posix
@pytest.mark.parametrize("name", ["fd", "self"])
def test_a_descriptor_is_written_to(name):
    reader, writer = os.pipe()
    path = f"/dev/fd/{writer}" if name == "fd" else f"/proc/self/fd/{writer}"
    if not os.path.exists(path):
        pytest.skip("this system shows no descriptors")

    require_writable(path)
    write_whole(path, b"content")

    assert os.read(reader, 100) == b"content"
    os.close(reader)
    os.close(writer)


WRITE_BETWEEN = """
import os, sys
from fastmlp.common.files import write_whole
os.write(1, b"before ")
write_whole("/dev/stdout", b"content")
os.write(1, b" after")
"""


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="this system has no such device")
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_output_is_written_in_order(tmp_path, kind):
    command = [sys.executable, "-c", WRITE_BETWEEN]
    if kind == "pipe":
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    else:
        with open(tmp_path / "log", "wb") as log:
            subprocess.run(command, check=True, stdout=log)
        told = (tmp_path / "log").read_bytes()

    assert told == b"before content after"


@posix
def test_a_named_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()

    write_whole(tmp_path / "pipe", b"content")

    reader.join(timeout=60)
    assert read == [b"content"]


KILLED = """
import os, signal, sys
from fastmlp.common import files
files.os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
files.write_whole(sys.argv[1], b"content")
"""


@posix
def test_the_next_write_removes_what_a_killed_process_left(tmp_path):
    for name in ("file", "other"):
        done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / name)])
        assert done.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) != []

    write_whole(tmp_path / "file", b"content")

    assert os.listdir(tmp_path) == ["file"]


@posix
def test_files_that_another_process_is_writing_stay(tmp_path, monkeypatch):
    real = os.replace

    def meanwhile(source, target):
        if os.path.basename(target) == "file":
            write_whole(tmp_path / "other", b"other")
        real(source, target)

    monkeypatch.setattr(files.os, "replace", meanwhile)

    write_whole(tmp_path / "file", b"content")

    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


@posix
def test_the_folder_is_synchronised_after_the_rename(tmp_path, monkeypatch):
    seen = []

    def note(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((kind, (tmp_path / "file").exists()))

    monkeypatch.setattr(files.os, "fsync", note)

    write_whole(tmp_path / "file", b"content")

    assert seen == [("file", False), ("folder", True)]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nowhere/file", "the folder .*nowhere does not exist, create it first"),
        (".", "is a folder: give the name of a file"),
    ],
)
def test_an_unwritable_path_is_detected_in_advance(tmp_path, path, sentence):
    with pytest.raises(OSError, match=sentence):
        require_writable(tmp_path / path)


def test_checking_in_advance_writes_nothing(tmp_path):
    require_writable(tmp_path / "file")

    assert os.listdir(tmp_path) == []
