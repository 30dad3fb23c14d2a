"""Writing files whole or not at all."""

from fastmlp.common.files import write_whole

__all__ = ["write_whole"]
