"""The service in docs/how-to/serve.md is started and asked."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fastmlp

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "serve.md"
N_CLIENTS = 32

pytestmark = pytest.mark.skipif(
    find_spec("fastapi") is None or find_spec("uvicorn") is None,
    reason="fastapi and uvicorn are not installed",
)


def block(name):
    """Return the code of a file that the page shows."""
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(rf"```python\n# {name}\n(.*?)```", text, re.DOTALL)
    return code


@pytest.fixture(scope="module")
def model():
    """Return the model that is served."""
    return fastmlp.Sequential(
        fastmlp.Normalize(np.arange(4.0), np.full(4, 2.0)),
        *(fastmlp.Linear(4, 32), fastmlp.ReLU(), fastmlp.Linear(32, 3)),
        seed=11,
    )


@pytest.fixture(scope="module", params=["numpy", "compiled"])
def port(request, model, tmp_path_factory):
    """Start the page's service; return its port."""
    folder = tmp_path_factory.mktemp("service")
    model.save(folder / "served.safetensors")
    (folder / "app.py").write_text(block("app.py"))
    settings = {"MODEL": "served.safetensors", "FASTMLP_PREDICT": request.param}
    service = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--no-access-log"],
        cwd=folder,
        env=os.environ | settings,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        told = []
        for line in service.stderr:
            told.append(line)
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                yield int(found[1])
                break
        else:
            pytest.fail("".join(told))
    finally:
        service.terminate()
        service.wait(timeout=60)
        service.stderr.close()


def ask(connection, rows):
    """Return the status and the answer to a question."""
    connection.request(
        "POST", "/predict", json.dumps({"rows": rows}), {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def ask_from_all_clients(port, model, n_requests):
    """Ask from all clients at once; return the questions with a wrong answer, and how many."""
    X = np.random.default_rng(4).normal(size=(500, 4)).round(3)
    wanted = model.predict(X)
    wrong, n_asked = [], []
    start = threading.Barrier(N_CLIENTS)

    def run(client):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        start.wait()
        for number in range(client, n_requests, N_CLIENTS):
            first = number % 490
            rows = slice(first, first + 1 + number % 5)
            status, answer = ask(connection, X[rows].tolist())
            right = status == 200 and np.allclose(answer["outputs"], wanted[rows], atol=1e-5)
            n_asked.append(number)
            if not right:
                wrong.append((number, status, answer))
        connection.close()

    clients = [threading.Thread(target=run, args=(client,)) for client in range(N_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return wrong, len(n_asked)


def test_the_model_of_the_page_is_trained(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)

    exec(compile(block("train.py"), "train.py", "exec"), {})

    served = fastmlp.load("iris.safetensors")
    assert served.predict([[5.1, 3.5, 1.4, 0.2]]).argmax() == 0


def test_every_client_gets_the_answers_to_its_own_questions(port, model):
    assert ask_from_all_clients(port, model, 640) == ([], 640)


@pytest.mark.slow
def test_20_000_requests_get_the_right_answers(port, model):
    assert ask_from_all_clients(port, model, 20_000) == ([], 20_000)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[1.0, 2.0]], "rows of 4 features"),
        ([[1.0] * 4] * 300, "1 to 256 rows"),
        ([], "1 to 256 rows"),
        ([[np.nan] * 4], "finite numbers"),
        ([[1e300] * 4], "finite numbers"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_why(rows, told, port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    status, answer = ask(connection, rows)

    connection.close()
    assert status == 422
    assert told in answer["detail"]
