"""How a kernel is made and called.

``isa`` what the processor offers; ``jit`` the one compilation policy, ``cache`` keeps what it
compiles, ``compiling`` shows that it does; ``simd`` and ``maths`` the building blocks; ``atomics``
what threads need; ``denormals``; ``links`` calls by address; ``tables`` of kinds.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
