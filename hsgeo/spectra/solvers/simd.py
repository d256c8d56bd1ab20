"""Vectors of float64 as values of compiled loops, so that a loop says itself which lane does what.

A vector holds one number for each of `LANES` pixels (or bands). Every operation is elementwise, a multiply-add is fused
everywhere, sums over lanes are a fixed tree: a lane's bits depend neither on its neighbours nor on how wide the
registers of the machine are. numba's own vectoriser promises none of this, and misses loops with many arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

__all__ = [
    "LANES",
    "add",
    "aligned",
    "below",
    "divide",
    "fma",
    "fnma",
    "load",
    "multiply",
    "pick",
    "root",
    "splat",
    "store",
    "subtract",
    "total",
]

LANES = 8  # one register of AVX-512, two of AVX2, four of Neon

intrinsic: Any = numba_intrinsic  # its own hints ask callers for the hidden first argument
_double, _index = ir.DoubleType(), ir.IntType(32)
_lanes = ir.VectorType(_double, LANES)


class _Vector(types.Type):
    """The numba type of a vector; it lives inside compiled functions only."""

    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


_vector = _Vector()


@register_model(_Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _lanes)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def _llvm(builder: Any, name: str, count: int) -> Any:
    kind = ir.FunctionType(_lanes, [_lanes] * count)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")


@njit(cache=True, nogil=True, error_model="numpy")
def aligned(rows, columns):
    """Return zeros ``(rows, columns)`` that begin on a cache line: a vector across two lines costs twice."""
    line = 64
    room = np.zeros(rows * columns + line // 8)
    skip = (line - room.ctypes.data % line) % line // 8
    return room[skip : skip + rows * columns].reshape(rows, columns)


@intrinsic
def load(typingctx, array, index):
    """Return `LANES` neighbours of a contiguous float32 or float64 array, from a flat index on."""

    def generate(context, builder, signature, arguments):
        place = _pointer(context, builder, signature.args[0], *arguments)
        item = place.type.pointee
        source = builder.bitcast(place, ir.VectorType(item, LANES).as_pointer())
        if item == _double:
            return builder.load(source, align=8)
        return builder.fpext(builder.load(source, align=4), _lanes)

    return _vector(array, types.intp), generate


@intrinsic
def store(typingctx, array, index, value):
    """Write a vector to a contiguous float64 array, from a flat index on."""

    def generate(context, builder, signature, arguments):
        place = _pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], builder.bitcast(place, _lanes.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _vector), generate


@intrinsic
def splat(typingctx, value):
    """Return a vector with one number in every lane."""

    def generate(context, builder, signature, arguments):
        nothing = ir.Constant(_lanes, ir.Undefined)
        first = builder.insert_element(nothing, arguments[0], _index(0))
        return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_index, LANES), [0] * LANES))

    return _vector(types.float64), generate


def _operation(count: int, generate_from: Any) -> Any:
    # an elementwise function of one, two or three vectors
    def generate(context, builder, signature, arguments):
        return generate_from(builder, *arguments)

    signature = _vector(*[_vector] * count)
    if count == 1:
        return intrinsic(lambda typingctx, a: (signature, generate))
    if count == 2:
        return intrinsic(lambda typingctx, a, b: (signature, generate))
    if count == 3:
        return intrinsic(lambda typingctx, a, b, c: (signature, generate))
    return intrinsic(lambda typingctx, a, b, c, d: (signature, generate))


add = _operation(2, lambda builder, a, b: builder.fadd(a, b))
subtract = _operation(2, lambda builder, a, b: builder.fsub(a, b))
multiply = _operation(2, lambda builder, a, b: builder.fmul(a, b))
divide = _operation(2, lambda builder, a, b: builder.fdiv(a, b))
root = _operation(1, lambda builder, a: builder.call(_llvm(builder, "sqrt", 1), [a]))
# a * b + c and c - a * b, rounded once
fma = _operation(3, lambda builder, a, b, c: builder.call(_llvm(builder, "fma", 3), [a, b, c]))
fnma = _operation(3, lambda builder, a, b, c: builder.call(_llvm(builder, "fma", 3), [builder.fneg(a), b, c]))
# x where a < b, else y
pick = _operation(4, lambda builder, a, b, x, y: builder.select(builder.fcmp_ordered("<", a, b), x, y))


@intrinsic
def below(typingctx, a, b):
    """Return the lanes where ``a < b`` as the bits of an integer."""

    def generate(context, builder, signature, arguments):
        bits = builder.bitcast(builder.fcmp_ordered("<", *arguments), ir.IntType(LANES))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(_vector, _vector), generate


@intrinsic
def total(typingctx, a):
    """Return the sum of the lanes, ``((0+4) + (2+6)) + ((1+5) + (3+7))``."""

    def generate(context, builder, signature, arguments):
        value, width = arguments[0], LANES
        while width > 1:
            width //= 2
            kind, nothing = ir.VectorType(_index, width), ir.Constant(value.type, ir.Undefined)
            low = builder.shuffle_vector(value, nothing, ir.Constant(kind, list(range(width))))
            high = builder.shuffle_vector(value, nothing, ir.Constant(kind, list(range(width, 2 * width))))
            value = builder.fadd(low, high)
        return builder.extract_element(value, _index(0))

    return types.float64(_vector), generate
