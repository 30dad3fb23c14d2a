"""Code that runs in an interpreter of its own."""

import json
import subprocess
import sys


def run(code):
    """Run Python code in a fresh interpreter; return what it printed, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300
    )
    return json.loads(done.stdout)
