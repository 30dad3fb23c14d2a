"""`fastmlp info`: the same facts as a table and as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fastmlp.cli import main
from fastmlp.cli.info import precisions
from fastmlp.engine.compiled import bf16_parts
from fastmlp.kernels.machine.isa import current, processor_features
from fastmlp.training import PRECISIONS

FACTS = (
    "versions",
    "processor",
    "features",
    "instruction_set",
    "threads",
    "precision",
    "kernel_cache",
    "carried_kernels",
    "data_cache",
)


def test_json_is_one_object(capsys):
    code = main(["info", "--json"])

    facts = json.loads(capsys.readouterr().out)
    assert code == 0
    assert tuple(facts) == FACTS
    assert facts["threads"] >= 1
    assert set(facts["precision"]) == {"highest", "high", "medium"}


def test_table_has_a_line_for_every_fact(capsys):
    main(["info"])

    lines = capsys.readouterr().out.splitlines()
    assert [line[:16].strip().replace(" ", "_") for line in lines] == list(FACTS)


@pytest.mark.parametrize(
    ("level", "features", "why"),
    [
        ("avx2", {"avx2", "fma"}, "no bfloat16 tiles"),
        ("avx512", {"amx-tile", "amx-bf16"}, "FASTMLP_ISA=avx512"),
        ("amx", {"amx-tile", "amx-bf16"}, "does not let this process"),
    ],
)
def test_precisions_that_run_as_highest_give_the_reason(level, features, why):
    said = precisions(replace(current(), name=level, bf16_tiles=False), features)

    assert said["highest"] == "float32 products"
    for name in ("high", "medium"):
        assert said[name].startswith("as highest")
        assert why in said[name]


def test_lower_precisions_name_the_tiles_they_use():
    said = precisions(replace(current(), name="amx", bf16_tiles=True), {"amx-tile", "amx-bf16"})

    assert "AMX" in said["medium"]
    assert said["high"].startswith("three products")


def test_precisions_of_this_machine_are_what_fit_uses():
    parts = {name: bf16_parts(name, np.dtype("float32")) for name in PRECISIONS}

    said = precisions(current(), processor_features())

    for name in PRECISIONS:
        assert ("tiles (AMX)" in said[name]) == (parts[name] > 0)
