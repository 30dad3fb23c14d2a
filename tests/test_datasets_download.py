"""The cache folder, downloads with pinned checksums, and errors without a network."""

import functools
import hashlib
import http.server
import io
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from dataset_support import (
    CIFAR_BATCHES,
    assert_one_sentence,
    cifar_batches,
    write_cifar_python,
    write_mnist,
)

from fastmlp import datasets
from fastmlp.datasets import cifar
from fastmlp.datasets.download import RemoteFile, download, extract

CONTENTS = b"the official file"
SHA256 = hashlib.sha256(CONTENTS).hexdigest()
MEMBERS = tuple(f"cifar-10-batches-py/{name}" for name in CIFAR_BATCHES)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Make an empty folder the cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FASTMLP_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def no_pooch(monkeypatch):
    """Make ``import pooch`` fail, as if the extra were not installed."""
    monkeypatch.setitem(sys.modules, "pooch", None)


@pytest.fixture
def offline(monkeypatch):
    """Make every download fail, as if there were no network."""
    pooch = pytest.importorskip("pooch")

    def fail(url, **_):
        raise ConnectionError(f"no route to {url}.\nReally. None.")

    monkeypatch.setattr(pooch, "retrieve", fail)


@pytest.fixture
def served(tmp_path):
    """Serve a folder on this machine; yield the folder and its URL."""
    pytest.importorskip("pooch")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield folder, f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *arguments):
        pass


def tar_bytes(members):
    """Return a gzipped tar archive of (TarInfo, contents) pairs."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for info, contents in members:
            info.size = len(contents)
            tar.addfile(info, io.BytesIO(contents))
    return stream.getvalue()


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def test_the_environment_sets_the_cache_folder(cache):
    assert datasets.cache_directory() == cache


@pytest.mark.parametrize(
    ("platform", "variable"), [("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")]
)
def test_the_cache_folder_is_in_the_users_cache(monkeypatch, tmp_path, platform, variable):
    monkeypatch.delenv("FASTMLP_DATA_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))

    assert datasets.cache_directory() == tmp_path / "fastmlp"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ".cache/fastmlp"),
        ("darwin", "Library/Caches/fastmlp"),
        ("win32", "AppData/Local/fastmlp"),
    ],
)
def test_without_variables_the_cache_folder_is_in_the_home(monkeypatch, platform, expected):
    for variable in ("FASTMLP_DATA_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "platform", platform)

    assert datasets.cache_directory() == Path.home() / expected


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist])
def test_files_in_the_cache_need_no_download(cache, no_pooch, load):
    folder = cache / load.__name__
    folder.mkdir(parents=True)
    write_mnist(folder, suffix=".gz")

    assert len(load().X_train) == 20


def test_cifar_in_the_cache_needs_no_download(cache, no_pooch):
    write_cifar_python(cache / "cifar10" / "cifar-10-batches-py", cifar_batches())

    assert len(datasets.cifar10().X_train) == 20


@pytest.mark.parametrize(
    ("load", "files"),
    [
        (datasets.mnist, ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]),
        (datasets.fashion_mnist, ["train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"]),
        (datasets.cifar10, ["cifar-10-python.tar.gz", "cifar-10-batches-py"]),
    ],
)
@pytest.mark.parametrize(
    ("situation", "reason"),
    [("no_pooch", r"pip install 'fastmlp\[download\]'"), ("offline", "ConnectionError at ")],
)
def test_without_a_download_one_sentence_says_what_to_put_where(
    cache, request, load, files, situation, reason
):
    request.getfixturevalue(situation)

    with pytest.raises(FileNotFoundError, match=reason) as caught:
        load()

    assert_one_sentence(caught)
    assert str(cache / load.__name__) in str(caught.value)
    assert all(file in str(caught.value) for file in files)


def test_only_missing_files_are_asked_for(cache, offline):
    folder = cache / "mnist"
    folder.mkdir(parents=True)
    write_mnist(folder)
    (folder / "t10k-labels-idx1-ubyte").unlink()

    with pytest.raises(FileNotFoundError, match=r"put t10k-labels-idx1-ubyte\.gz there"):
        datasets.mnist()


def test_every_official_address_is_paired_with_a_sha256(cache, monkeypatch):
    pooch = pytest.importorskip("pooch")
    asked = []

    def record(url, known_hash, fname, path, progressbar):
        asked.append((url, known_hash, fname))
        Path(path).mkdir(parents=True, exist_ok=True)
        if url.endswith(".tar.gz"):
            Path(path, fname).write_bytes(tar_bytes([]))
        else:
            write_mnist(Path(path), suffix=".gz")

    monkeypatch.setattr(pooch, "retrieve", record)
    datasets.mnist()
    datasets.fashion_mnist()
    with pytest.raises(ValueError, match="does not hold"):
        datasets.cifar10()

    assert len(asked) == 9
    assert len({known_hash for _, known_hash, _ in asked}) == 9
    for url, known_hash, name in asked:
        assert url.startswith("https://")
        assert url.endswith(name)
        assert len(bytes.fromhex(known_hash.removeprefix("sha256:"))) == 32


def test_a_file_is_downloaded_only_once(served, tmp_path):
    folder, address = served
    (folder / "data.gz").write_bytes(CONTENTS)
    file = RemoteFile("data.gz", SHA256, (f"{address}data.gz",))

    download([file], tmp_path / "new" / "folder", "it", "do something")
    (folder / "data.gz").unlink()
    download([file], tmp_path / "new" / "folder", "it", "do something")

    assert (tmp_path / "new" / "folder" / "data.gz").read_bytes() == CONTENTS


def test_a_progress_bar_is_drawn_on_a_terminal_only(served, tmp_path, monkeypatch, capsys):
    pytest.importorskip("tqdm")
    folder, address = served
    (folder / "data.gz").write_bytes(CONTENTS)
    file = RemoteFile("data.gz", SHA256, (f"{address}data.gz",))

    download([file], tmp_path / "quiet", "it", "do something")
    quiet = capsys.readouterr()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    download([file], tmp_path / "drawn", "it", "do something")
    drawn = capsys.readouterr()

    assert quiet.out == quiet.err == drawn.out == ""
    assert "100%" in drawn.err


def test_a_second_address_is_tried_after_a_wrong_checksum(served, tmp_path):
    folder, address = served
    (folder / "wrong.gz").write_bytes(b"something else")
    (folder / "right.gz").write_bytes(CONTENTS)
    urls = (f"{address}none.gz", f"{address}wrong.gz", f"{address}right.gz")

    download([RemoteFile("data.gz", SHA256, urls)], tmp_path, "it", "do something")

    assert (tmp_path / "data.gz").read_bytes() == CONTENTS


def test_a_wrong_checksum_is_reported_and_leaves_no_file(served, tmp_path):
    folder, address = served
    (folder / "data.gz").write_bytes(b"something else")
    file = RemoteFile("data.gz", SHA256, (f"{address}data.gz", f"{address}none.gz"))

    with pytest.raises(FileNotFoundError, match=r"wrong checksum, HTTPError at 127") as caught:
        download([file], tmp_path / "new", "it", "put it there")

    assert_one_sentence(caught)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_damaged_file_in_the_cache_is_downloaded_again(served, tmp_path):
    folder, address = served
    (folder / "data.gz").write_bytes(CONTENTS)
    (tmp_path / "data.gz").write_bytes(CONTENTS[:5])

    download([RemoteFile("data.gz", SHA256, (f"{address}data.gz",))], tmp_path, "it", "do it")

    assert (tmp_path / "data.gz").read_bytes() == CONTENTS


def test_a_folder_that_cannot_be_created_is_reported(tmp_path, offline):
    (tmp_path / "file").write_bytes(b"")
    file = RemoteFile("data.gz", SHA256, ("https://localhost/data.gz",))

    with pytest.raises(FileNotFoundError, match=r"\((Not a directory|File exists)") as caught:
        download([file], tmp_path / "file" / "folder", "it", "put it there")

    assert_one_sentence(caught)


def test_an_archive_in_the_cache_is_unpacked_and_read(cache, no_pooch, tmp_path, monkeypatch):
    batches = cifar_batches()
    write_cifar_python(tmp_path, batches)
    archive = tar_bytes(
        (member(name), (tmp_path / Path(name).name).read_bytes()) for name in MEMBERS
    )
    (cache / "cifar10").mkdir(parents=True)
    (cache / "cifar10" / cifar.ARCHIVE.name).write_bytes(archive)
    digest = hashlib.sha256(archive).hexdigest()
    monkeypatch.setattr(cifar, "ARCHIVE", RemoteFile(cifar.ARCHIVE.name, digest, ()))

    data = datasets.cifar10()

    np.testing.assert_array_equal(data.X_test, batches["test_batch"][0])


def test_only_the_wanted_members_are_unpacked(tmp_path):
    archive = tmp_path / "it.tar.gz"
    archive.write_bytes(
        tar_bytes(
            [
                (member("../escaped"), b"no"),
                (member("/escaped"), b"no"),
                (member("folder/link", tarfile.SYMTYPE, "/"), b""),
                (member("folder/device", tarfile.CHRTYPE), b""),
                (member("folder/other"), b"no"),
                (member("folder/wanted"), b"yes"),
            ]
        )
    )

    extract(archive, ("folder/wanted",), max_bytes=10)

    assert {path.name for path in tmp_path.rglob("*")} == {"it.tar.gz", "folder", "wanted"}
    assert (tmp_path / "folder" / "wanted").read_bytes() == b"yes"


@pytest.mark.parametrize(
    ("info", "contents", "message"),
    [
        (member("folder/wanted"), b"12345678901", "not a file of at most 10 bytes"),
        (member("folder/wanted", tarfile.SYMTYPE, "/etc/passwd"), b"", "not a file of at most"),
        (member("folder/wanted", tarfile.LNKTYPE, "/etc/passwd"), b"", "not a file of at most"),
        (member("folder/wanted", tarfile.FIFOTYPE), b"", "not a file of at most"),
        (member("folder/other"), b"", "does not hold folder/wanted"),
    ],
)
def test_an_archive_with_something_else_is_refused(tmp_path, info, contents, message):
    archive = tmp_path / "it.tar.gz"
    archive.write_bytes(tar_bytes([(info, contents)]))

    with pytest.raises(ValueError, match=message) as caught:
        extract(archive, ("folder/wanted",), max_bytes=10)

    assert_one_sentence(caught)
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar.gz"]


@pytest.mark.parametrize("cut", [0, 5, 60, -6])
def test_a_truncated_archive_is_refused_and_leaves_nothing(tmp_path, cut):
    archive = tmp_path / "it.tar.gz"
    contents = np.random.default_rng(0).bytes(5000)
    archive.write_bytes(tar_bytes([(member("folder/wanted"), contents)])[:cut])

    with pytest.raises(ValueError, match=r"is damaged|does not hold") as caught:
        extract(archive, ("folder/wanted", "folder/more"), max_bytes=10_000)

    assert_one_sentence(caught)
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar.gz"]


def test_two_processes_can_unpack_at_once(tmp_path):
    archive = tmp_path / "it.tar.gz"
    archive.write_bytes(tar_bytes([(member("folder/wanted"), b"yes")]))
    extract(archive, ("folder/wanted",), max_bytes=10)

    extract(archive, ("folder/wanted",), max_bytes=10)

    assert (tmp_path / "folder" / "wanted").read_bytes() == b"yes"
