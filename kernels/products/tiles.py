"""The tile unit (AMX): multiplying two packed operands of a bfloat16 product.

Only processors with AMX and AVX-512 run this. Vector dot products of bfloat16 (AVX512-BF16) were
tried where there is no tile unit: 84 GFLOP/s against 170 of plain float32, so they are not here.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .packing import TILE, pointers

__all__ = ["begin_tiles", "end_tiles", "multiply_tiles"]

_BYTE_POINTER = ir.IntType(8).as_pointer()
_INT = types.int64


@intrinsic
def begin_tiles(typingctx):
    """Set the tile unit of this thread up: eight tiles of 16 rows of 64 bytes."""

    def emit(context, builder, signature, arguments):
        config = bytearray(64)
        config[0] = 1
        for tile in range(8):
            config[16 + 2 * tile] = 64
            config[48 + tile] = 16
        constant = cgutils.global_constant(
            builder, "tile_config", cgutils.make_bytearray(bytes(config))
        )
        _call(builder, "llvm.x86.ldtilecfg", builder.bitcast(constant, _BYTE_POINTER))
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def end_tiles(typingctx):
    """Give the tile unit back, so that switching threads stays cheap."""

    def emit(context, builder, signature, arguments):
        _call(builder, "llvm.x86.tilerelease")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def multiply_tiles(
    typingctx, a, a0, a_block, a_plane, b, b0, b_block, b_plane, start, start0, start_row, c, c0,
    c_row, n_k, parts,
):  # fmt: skip
    """C = start + A B for 32 rows and 32 columns, n_k tiles deep.

    Tiles of A and B lie one after the other in k; ``a_block`` and ``b_block``: where those of the
    second 16 rows, or columns, begin; ``a_plane`` and ``b_plane``: the low parts. ``start`` and C
    are float32; start_row 0 starts each row with the same numbers. Of two parts, each tile in k
    adds high low, high high and low high, in an order that loads fewest tiles.
    """

    def emit(context, builder, signature, arguments):
        a, b, start, c = pointers(context, builder, signature, arguments, (0, 4, 8, 11))
        a_block, a_plane, b_block, b_plane = (arguments[i] for i in (2, 3, 6, 7))
        start_row, c_row, n_k, parts = (arguments[i] for i in (10, 13, 14, 15))
        unit = _Tiles(builder)
        for i, j in _CORNERS:
            unit.load(i, j, _corner(builder, start, start_row, i, j), start_row)
        with builder.if_else(builder.icmp_signed("==", parts, parts.type(2))) as (two, one):
            with two, cgutils.for_range(builder, n_k, intp=n_k.type) as loop:
                tile = builder.mul(loop.index, n_k.type(int(TILE)))
                rows, columns = builder.gep(a, [tile]), builder.gep(b, [tile])
                unit.load_rows(rows, a_block)
                unit.load_columns(builder.gep(columns, [b_plane]), b_block)
                unit.multiply()
                unit.load_columns(columns, b_block)
                unit.multiply()
                unit.load_rows(builder.gep(rows, [a_plane]), a_block)
                unit.multiply()
            with one, cgutils.for_range(builder, n_k, intp=n_k.type) as loop:
                tile = builder.mul(loop.index, n_k.type(int(TILE)))
                unit.load_rows(builder.gep(a, [tile]), a_block)
                unit.load_columns(builder.gep(b, [tile]), b_block)
                unit.multiply()
        for i, j in _CORNERS:
            unit.store(i, j, _corner(builder, c, c_row, i, j), c_row)
        return context.get_dummy_value()

    where = (a, *(_INT,) * 3, b, *(_INT,) * 3, start, _INT, _INT, c, *(_INT,) * 4)
    return types.void(*where), emit


_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


def _corner(builder, block, row, i, j):
    """Where tile (i, j) of a block of 32 rows and columns begins."""
    return builder.gep(block, [builder.add(builder.mul(row, row.type(16 * i)), row.type(16 * j))])


class _Tiles:
    """The tile unit: C in tiles 0 to 3, A in 4 and 5, B in 6 and 7."""

    def __init__(self, builder):
        self.builder = builder

    def load_rows(self, pointer, block):
        self._load_two(4, pointer, block)

    def load_columns(self, pointer, block):
        self._load_two(6, pointer, block)

    def multiply(self):
        for i, j in _CORNERS:
            _call(self.builder, "llvm.x86.tdpbf16ps", _tile(2 * i + j), _tile(4 + i), _tile(6 + j))

    def _load_two(self, tile, pointer, block):
        for i, place in enumerate((pointer, self.builder.gep(pointer, [block]))):
            self._load(tile + i, place, ir.IntType(64)(64))

    def load(self, i, j, pointer, c_row):
        self._load(2 * i + j, pointer, self.builder.mul(c_row, c_row.type(4)))

    def store(self, i, j, pointer, c_row):
        stride = self.builder.mul(c_row, c_row.type(4))
        pointer = self.builder.bitcast(pointer, _BYTE_POINTER)
        _call(self.builder, "llvm.x86.tilestored64", _tile(2 * i + j), pointer, stride)

    def _load(self, tile, pointer, stride):
        pointer = self.builder.bitcast(pointer, _BYTE_POINTER)
        _call(self.builder, "llvm.x86.tileloadd64", _tile(tile), pointer, stride)


def _call(builder, name, *arguments):
    function_type = ir.FunctionType(ir.VoidType(), [a.type for a in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), arguments)


def _tile(number):
    return ir.Constant(ir.IntType(8), number)
