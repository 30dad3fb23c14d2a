"""Takes model files apart and puts them together again, for tests of corrupt ones."""

import json
import struct


def header_of(content):
    """Return the JSON header of a safetensors file and the data after it."""
    [length] = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(header, data):
    """Return a safetensors file with this header, an object or JSON text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def with_architecture(content, change):
    """Return a model file whose architecture is replaced by ``change(architecture)``."""
    header, data = header_of(content)
    architecture = json.loads(header["__metadata__"]["architecture"])
    changed = change(architecture)
    text = changed if isinstance(changed, str) else json.dumps(changed or architecture)
    return with_header(header | {"__metadata__": {"architecture": text}}, data)
