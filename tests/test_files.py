"""Files are written whole or not at all."""

import errno
import os

import pytest

from fastmlp.files import write_whole


def test_content_arrives(tmp_path):
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
