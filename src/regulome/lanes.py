"""Vector instructions for numba kernels: sixteen neighbouring numbers of an array at a time.

numba's compiler turns a loop over sixteen neighbours into vector code only if it can prove that the arrays do not
overlap, which it cannot for arguments. These operations say it outright: each loads ``LANES`` neighbours as one LLVM
vector, works on it in registers, and stores it. Arrays are one-dimensional and contiguous, offsets count elements;
there is no bounds check.

    copy(y, i, a, j)                            y[i:] = a[j:]
    multiply_add(y, i, a, j, b, k)              y[i:] += a[j:] * b[k:]
    dot(y, i, a, j, da, b, k, db, n)            y[i:] += sum over s < n of a[j + s da:] * b[k + s db:]
    relu(y, i)                                  y[i:] = max(y[i:], 0)
    gate(y, i, h, j)                            y[i:] = y[i:] where h[j:] > 0, else 0
    sigmoid(y, i)                               y[i:] = 1 / (1 + exp(-y[i:]))
"""

import math

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
_FAST = ("contract", "nsz")  # fused multiply-add; sums keep their order, so results do not depend on the optimiser


class _Lanes:
    """Builds loads, stores and arithmetic on the lanes of the arrays of one call."""

    def __init__(self, context, builder, signature, arguments):
        self.builder, self.arguments = builder, arguments
        self.pointers = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else None
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        self.scalar = context.get_value_type(signature.args[0].dtype)
        self.type = ir.VectorType(self.scalar, LANES)
        self.width = signature.args[0].dtype.bitwidth

    def address(self, array: int, offset):
        element = self.builder.gep(self.pointers[array], [offset])
        return self.builder.bitcast(element, ir.PointerType(self.type))

    def load(self, array: int, offset):
        vector = self.builder.load(self.address(array, offset))
        vector.align = self.width // 8
        return vector

    def store(self, vector, array: int, offset) -> None:
        self.builder.store(vector, self.address(array, offset), align=self.width // 8)

    def constant(self, value: float):
        return ir.Constant(self.type, [value] * LANES)

    def multiply_add(self, total, a, b):
        builder = self.builder
        return builder.fadd(total, builder.fmul(a, b, flags=_FAST), flags=_FAST)

    def call(self, name: str, *vectors):
        suffix = f"v{LANES}f{self.width}"
        kind = ir.FunctionType(self.type, [self.type] * len(vectors))
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.{suffix}")
        return self.builder.call(function, vectors)

    def exponential(self, x):
        """exp(x) = 2^n e^r with n = round(x / ln 2): Taylor series in r, n put into the exponent bits."""
        builder, double = self.builder, self.width == 64
        bias, bits, limit, degree = (1023, 52, 700.0, 13) if double else (127, 23, 87.0, 7)
        x = self.call("minnum", self.call("maxnum", x, self.constant(-limit)), self.constant(limit))
        n = self.call("rint", builder.fmul(x, self.constant(1 / math.log(2))))
        high = 0.693145751953125  # ln 2 in two parts, so that n times the first is exact
        r = builder.fsub(x, builder.fmul(n, self.constant(high)))
        r = builder.fsub(r, builder.fmul(n, self.constant(math.log(2) - high)))
        series = self.constant(1 / math.factorial(degree))
        for order in range(degree - 1, -1, -1):
            series = self.multiply_add(self.constant(1 / math.factorial(order)), series, r)
        whole = ir.VectorType(ir.IntType(self.width), LANES)
        power = builder.add(builder.fptosi(n, whole), ir.Constant(whole, [bias] * LANES))
        power = builder.shl(power, ir.Constant(whole, [bits] * LANES))
        return builder.fmul(series, builder.bitcast(power, self.type))


def _operation(build, kinds: str):
    """Make a numba intrinsic; ``kinds`` has one letter an argument: a for array, i for integer."""

    def typing(typingctx, *arguments):
        real = arguments[0].dtype
        for kind, given in zip(kinds, arguments, strict=True):
            right = isinstance(given, types.Array) and given.dtype == real and given.layout == "C" and given.ndim == 1
            if (kind == "a" and not right) or (kind == "i" and not isinstance(given, types.Integer)):
                return None
        signature = types.void(*(given if kind == "a" else types.intp for kind, given in zip(kinds, arguments, strict=True)))

        def codegen(context, builder, signature, values):
            build(_Lanes(context, builder, signature, values), *values)
            return context.get_dummy_value()

        return signature, codegen

    return typing


def _copy(lanes, _y, i, _a, j):
    lanes.store(lanes.load(2, j), 0, i)


def _multiply_add(lanes, _y, i, _a, j, _b, k):
    lanes.store(lanes.multiply_add(lanes.load(0, i), lanes.load(2, j), lanes.load(4, k)), 0, i)


def _dot(lanes, _y, i, _a, j, da, _b, k, db, n):
    builder = lanes.builder
    total = cgutils.alloca_once_value(builder, lanes.load(0, i))
    with cgutils.for_range(builder, n) as loop:
        a = lanes.load(2, builder.add(j, builder.mul(loop.index, da)))
        b = lanes.load(5, builder.add(k, builder.mul(loop.index, db)))
        builder.store(lanes.multiply_add(builder.load(total), a, b), total)
    lanes.store(builder.load(total), 0, i)


def _relu(lanes, _y, i):
    lanes.store(lanes.call("maxnum", lanes.load(0, i), lanes.constant(0.0)), 0, i)


def _gate(lanes, _y, i, _h, j):
    builder = lanes.builder
    positive = builder.fcmp_ordered(">", lanes.load(2, j), lanes.constant(0.0))
    lanes.store(builder.select(positive, lanes.load(0, i), lanes.constant(0.0)), 0, i)


def _sigmoid(lanes, _y, i):
    builder, one = lanes.builder, lanes.constant(1.0)
    negative = builder.fsub(lanes.constant(0.0), lanes.load(0, i))
    lanes.store(builder.fdiv(one, builder.fadd(one, lanes.exponential(negative))), 0, i)


@intrinsic
def copy(typingctx, y, i, a, j):
    """y[i:] = a[j:] on the lanes."""
    return _operation(_copy, "aiai")(typingctx, y, i, a, j)


@intrinsic
def multiply_add(typingctx, y, i, a, j, b, k):
    """y[i:] += a[j:] * b[k:] on the lanes."""
    return _operation(_multiply_add, "aiaiai")(typingctx, y, i, a, j, b, k)


@intrinsic
def dot(typingctx, y, i, a, j, da, b, k, db, n):
    """y[i:] += sum over s < n of a[j + s da:] * b[k + s db:] on the lanes, in registers."""
    return _operation(_dot, "aiaiiaiii")(typingctx, y, i, a, j, da, b, k, db, n)


@intrinsic
def relu(typingctx, y, i):
    """y[i:] = max(y[i:], 0) on the lanes."""
    return _operation(_relu, "ai")(typingctx, y, i)


@intrinsic
def gate(typingctx, y, i, h, j):
    """y[i:] = y[i:] where h[j:] > 0, else 0, on the lanes."""
    return _operation(_gate, "aiai")(typingctx, y, i, h, j)


@intrinsic
def sigmoid(typingctx, y, i):
    """y[i:] = 1 / (1 + exp(-y[i:])) on the lanes."""
    return _operation(_sigmoid, "ai")(typingctx, y, i)
