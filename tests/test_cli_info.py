"""`fastmlp info`: the same facts as a table and as JSON."""

import json

from fastmlp.cli import main

FACTS = (
    "versions",
    "processor",
    "features",
    "instruction_set",
    "threads",
    "precision",
    "kernel_cache",
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


def test_precision_without_a_bfloat16_unit_says_that_it_is_float32():
    from fastmlp.cli.info import precisions
    from fastmlp.kernels.isa import Isa

    said = precisions(Isa("avx2", 32, 6, 2))

    assert "as highest" in said["high"]
    assert "as highest" in said["medium"]


def test_precision_with_tiles_names_them():
    from fastmlp.cli.info import precisions
    from fastmlp.kernels.isa import Isa

    said = precisions(Isa("amx", 64, 8, 3, bf16_tiles=True, bf16_dots=True))

    assert "AMX" in said["medium"]
    assert said["high"].startswith("three products")
