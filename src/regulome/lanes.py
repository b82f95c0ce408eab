"""Vector instructions for numba kernels: sixteen neighbouring numbers of an array at a time.

numba's compiler turns a loop over sixteen neighbours into vector code only if it can prove that the arrays do not
overlap, which it cannot for arguments. These operations say it outright: each loads ``LANES`` neighbours as one LLVM
vector, works on it in registers, and stores it. Arrays are one-dimensional and contiguous, offsets count elements;
there is no bounds check. Plain kernels copy arrays element by element: one assignment between slices (``a[:] = b``)
makes numba compile its error message for arrays that do not fit, 2 to 7 s a kernel. Vector code lives in files named
``*lanes.py``: numba's cache of compiled kernels watches only the file of a kernel, so it is kept in a folder named
after the content of these files.

    matmul(y, y0, yp, yq, a, a0, ap, as_, b, b0, bs, bq, rows, columns, n)
                          y[p, q] += sum over s < n of a[p, s] * b[s, q], for all p < rows and q < columns; element
                          (p, q) of y is the lanes at y0 + p yp + q yq, and likewise for a and b
    copy(y, i, a, j)      y[i:] = a[j:]
    multiply(y, i, a, j, b, k)   y[i:] = a[j:] * b[k:]
    relu(y, i)            y[i:] = max(y[i:], 0)
    gate(y, i, h, j)      y[i:] = y[i:] where h[j:] > 0, else 0
    sigmoid(y, i)         y[i:] = 1 / (1 + exp(-y[i:]))
"""

import hashlib
import math
from pathlib import Path

from llvmlite import ir
from numba import config, njit
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
_FAST = ("contract", "nsz")  # fused multiply-add; sums keep their order, so results do not depend on the optimiser


def _cache_by_content() -> None:
    """Point numba's cache to a folder for this version of the vector code, beside or in place of its usual ones."""
    package = Path(__file__).parent
    content = hashlib.sha256()
    for file in sorted(package.rglob("*lanes.py")):
        content.update(file.read_bytes())
    config.CACHE_DIR = str(Path(config.CACHE_DIR or package / "__pycache__") / f"kernels-{content.hexdigest()[:12]}")


_cache_by_content()


class Lanes:
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

    def spread(self, scalar):
        """The same number in every lane."""
        place = ir.Constant(ir.IntType(32), 0)
        kind = ir.VectorType(scalar.type, LANES)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, place)
        return self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

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


def operation(build, kinds: str):
    """Make a numba intrinsic; ``kinds`` has one letter an argument: a for array, i for integer, l for literal integer.

    Literals reach ``build`` as constants that it can ignore: whoever makes the operation reads them from the types.
    """

    def typing(typingctx, *arguments):
        real = arguments[0].dtype
        for kind, given in zip(kinds, arguments, strict=True):
            right = isinstance(given, types.Array) and given.dtype == real and given.layout == "C" and given.ndim == 1
            if (kind == "a" and not right) or (kind == "i" and not isinstance(given, types.Integer)):
                return None
            if kind == "l" and not isinstance(given, types.Literal):
                return None
        signature = types.void(
            *(types.intp if kind == "i" else given for kind, given in zip(kinds, arguments, strict=True))
        )

        def codegen(context, builder, signature, values):
            build(Lanes(context, builder, signature, values), *values)
            return context.get_dummy_value()

        return signature, codegen

    return typing


def _copy(lanes, _y, i, _a, j):
    lanes.store(lanes.load(2, j), 0, i)


def _multiply(lanes, _y, i, _a, j, _b, k):
    lanes.store(lanes.builder.fmul(lanes.load(2, j), lanes.load(4, k)), 0, i)


def _tile(rows: int, columns: int):
    """A block of a product with all its sums in registers: two rows and four columns need fewer loads than products."""

    def build(lanes, _y, y0, yp, yq, _a, a0, ap, a_s, _b, b0, bs, bq, n):
        builder = lanes.builder

        def offset(start, *terms):
            for count, stride in terms:
                count = ir.Constant(stride.type, count) if isinstance(count, int) else count
                start = builder.add(start, builder.mul(count, stride))
            return start

        places = [(p, q) for p in range(rows) for q in range(columns)]
        at = {(p, q): offset(y0, (p, yp), (q, yq)) for p, q in places}
        totals = {place: cgutils.alloca_once_value(builder, lanes.load(0, at[place])) for place in places}
        with cgutils.for_range(builder, n) as loop:
            left = [lanes.load(4, offset(a0, (p, ap), (loop.index, a_s))) for p in range(rows)]
            right = [lanes.load(8, offset(b0, (loop.index, bs), (q, bq))) for q in range(columns)]
            for p, q in places:
                total = lanes.multiply_add(builder.load(totals[p, q]), left[p], right[q])
                builder.store(total, totals[p, q])
        for place in places:
            lanes.store(builder.load(totals[place]), 0, at[place])

    return build


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
    return operation(_copy, "aiai")(typingctx, y, i, a, j)


@intrinsic
def multiply(typingctx, y, i, a, j, b, k):
    """y[i:] = a[j:] * b[k:] on the lanes."""
    return operation(_multiply, "aiaiai")(typingctx, y, i, a, j, b, k)


@intrinsic
def _tile_2x4(typingctx, y, y0, yp, yq, a, a0, ap, a_s, b, b0, bs, bq, n):
    return operation(_tile(2, 4), "aiiiaiiiaiiii")(typingctx, y, y0, yp, yq, a, a0, ap, a_s, b, b0, bs, bq, n)


@intrinsic
def _tile_1x4(typingctx, y, y0, yp, yq, a, a0, ap, a_s, b, b0, bs, bq, n):
    return operation(_tile(1, 4), "aiiiaiiiaiiii")(typingctx, y, y0, yp, yq, a, a0, ap, a_s, b, b0, bs, bq, n)


@intrinsic
def _tile_1x1(typingctx, y, y0, yp, yq, a, a0, ap, a_s, b, b0, bs, bq, n):
    return operation(_tile(1, 1), "aiiiaiiiaiiii")(typingctx, y, y0, yp, yq, a, a0, ap, a_s, b, b0, bs, bq, n)


@njit(nogil=True, cache=True, error_model="numpy")
def matmul(y, y0, yp, yq, a, a0, ap, a_s, b, b0, bs, bq, rows, columns, n):
    """y[p, q] += sum over s of a[p, s] * b[s, q] on the lanes, all arrays strided (see the module)."""
    fours = columns - columns % 4
    for p in range(0, rows - rows % 2, 2):
        for q in range(0, fours, 4):
            _tile_2x4(y, y0 + p * yp + q * yq, yp, yq, a, a0 + p * ap, ap, a_s, b, b0 + q * bq, bs, bq, n)
    if rows % 2:
        p = rows - 1
        for q in range(0, fours, 4):
            _tile_1x4(y, y0 + p * yp + q * yq, yp, yq, a, a0 + p * ap, ap, a_s, b, b0 + q * bq, bs, bq, n)
    for p in range(rows):
        for q in range(fours, columns):
            _tile_1x1(y, y0 + p * yp + q * yq, yp, yq, a, a0 + p * ap, ap, a_s, b, b0 + q * bq, bs, bq, n)


@intrinsic
def relu(typingctx, y, i):
    """y[i:] = max(y[i:], 0) on the lanes."""
    return operation(_relu, "ai")(typingctx, y, i)


@intrinsic
def gate(typingctx, y, i, h, j):
    """y[i:] = y[i:] where h[j:] > 0, else 0, on the lanes."""
    return operation(_gate, "aiai")(typingctx, y, i, h, j)


@intrinsic
def sigmoid(typingctx, y, i):
    """y[i:] = 1 / (1 + exp(-y[i:])) on the lanes."""
    return operation(_sigmoid, "ai")(typingctx, y, i)
