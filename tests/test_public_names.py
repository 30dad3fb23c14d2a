"""``import fastmlp`` loads names when they are asked for, and behaves as if they were there."""

import pickle
import sys

import pytest
from fresh import run

import fastmlp


def test_a_name_that_is_not_asked_for_is_not_loaded():
    loaded = run("import json, sys, fastmlp; print(json.dumps('numpy' in sys.modules))")

    assert loaded is False


@pytest.mark.parametrize(
    "code",
    [
        "from fastmlp import Dropout as thing",
        "import fastmlp; thing = fastmlp.Dropout",
        "import fastmlp.layers; thing = fastmlp.Dropout",
        "import fastmlp; hasattr(fastmlp, 'no_such_name'); thing = fastmlp.Dropout",
        "from fastmlp import *; thing = Dropout",
    ],
)
def test_every_way_to_a_name_leads_to_the_same_thing(code):
    made = run(f"{code}\nimport json; print(json.dumps([thing.__name__, thing.__module__]))")

    assert made == [fastmlp.Dropout.__name__, fastmlp.Dropout.__module__]


@pytest.mark.parametrize("name", ["datasets", "plots", "sweep", "layers", "ops"])
def test_a_module_of_the_package_is_an_attribute(name):
    found = run(f"import json, fastmlp; print(json.dumps(fastmlp.{name}.__name__))")

    assert found == f"fastmlp.{name}"


def test_a_star_import_brings_the_public_names_alone():
    brought = run(
        "before = set(globals()) | {'before'}\nfrom fastmlp import *\n"
        "brought = sorted(set(globals()) - before)\nimport json; print(json.dumps(brought))"
    )

    assert brought == sorted(fastmlp.__all__)


def test_public_names_are_listed_before_they_are_loaded():
    listed = run("import json, fastmlp; print(json.dumps(dir(fastmlp)))")

    assert set(fastmlp.__all__) <= set(listed)


@pytest.mark.parametrize("name", fastmlp.__all__)
def test_a_public_thing_can_be_pickled_by_name(name):
    thing = getattr(fastmlp, name)
    if callable(thing):
        assert pickle.loads(pickle.dumps(thing)) is thing


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Sequentail", "Sequential"),
        ("relu", "ReLU"),
        ("layer", "layers"),
        ("dataset", "datasets"),
        ("Earlystopping", "EarlyStopping"),
    ],
)
def test_a_misspelt_name_suggests_the_nearest(name, meant):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': did you mean '{meant}'"):
        getattr(fastmlp, name)


@pytest.mark.parametrize("name", ["quux", "a.b", "layers.Linear", "", "_private", "__wrapped__"])
def test_a_name_like_no_other_is_only_missing(name):
    assert not hasattr(fastmlp, name)


def test_what_a_module_lacks_is_not_hidden(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastmlp.broken", None)  # cannot be imported
    with pytest.raises(AttributeError):
        fastmlp.broken  # noqa: B018 - reading it is enough
    monkeypatch.setattr("importlib.import_module", lambda name: __import__("no_such_dependency"))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        fastmlp.datasets_of_another_kind  # noqa: B018 - reading it is enough
