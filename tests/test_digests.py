"""Training gives the same bits as before; see `digests` on how to store new ones."""

import json

import digests
import pytest

from fastmlp.kernels.machine import isa

STORED = json.loads(digests.STORED.read_text())
QUICK = ("relu", "batch norm", "layer norm first, passes")


@pytest.fixture(autouse=True)
def same_versions():
    """Skip the test with other versions or another processor, which may round differently."""
    found = digests.made_with()
    other = {
        name: f"{found[name]} here" for name in found if found[name] != STORED["made_with"][name]
    }
    if other:
        pytest.skip(f"the digests were made elsewhere: {other}")


def expected(level):
    if level not in STORED:
        pytest.skip(f"no digests are stored for {level}")
    return STORED[level]


def test_a_few_networks():
    stored = expected(isa.current().name)

    found = digests.every_digest(QUICK)

    assert found == {name: stored[name] for name in found}


@pytest.mark.slow
@pytest.mark.parametrize("level", digests.levels())
def test_every_network(level):
    assert digests.digests_at(level) == expected(level)
