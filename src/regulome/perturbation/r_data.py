"""Objects of R data files: sparse matrices and data frames.

The package rdata reads everything, at 20 microseconds a string: half a minute for the regulons of DoRothEA. `frame`
reads plain data frames itself (R internals, "Serialization Formats"), in a second, and leaves the rest to rdata.
"""

import bz2
import gzip
import lzma
import warnings
from pathlib import Path
from struct import unpack_from
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, csr_matrix

from regulome.errors import UserError

_PACKED = {b"\xfd7zXZ": lzma.decompress, b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress}
_NUMBERS = {10: ">i4", 13: ">i4", 14: ">f8"}  # logical, integer, double
_SYMBOL, _PAIRS, _TEXT, _TEXTS, _LIST, _ALTERNATIVE, _NONE, _REFERENCE = 1, 2, 9, 16, 19, 238, 254, 255
_ATTRIBUTES, _TAG = 0x200, 0x400


def read(path: str | Path, name: str) -> object:
    """One object of an ``.rda`` file, as the package rdata gives it.

    Raises
    ------
    UserError
        If the file is missing, damaged, or has no object of that name.
    """
    import rdata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sparse matrices come as their slots
            content = rdata.read_rda(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except Exception as error:  # rdata raises whatever its parser meets
        raise UserError(f"{path}: not an R data file, or damaged ({error})") from None
    if name not in content:
        raise UserError(f"{path}: no object '{name}'; found {', '.join(content) or 'none'}")
    return content[name]


def sparse(slots: SimpleNamespace) -> csr_matrix:
    """(columns, rows) of an R ``dgTMatrix`` (triplets i, j, x from 0), transposed: genes x cells to cells x genes."""
    rows, columns = (int(each) for each in slots.Dim)
    return coo_matrix((slots.x, (slots.j, slots.i)), shape=(columns, rows)).tocsr().astype(np.float32)


def row_names(slots: SimpleNamespace) -> tuple[str, ...]:
    """Names of the rows of an R matrix."""
    return tuple(str(name) for name in slots.Dimnames[0])


def frame(path: str | Path, name: str) -> pd.DataFrame:
    """A data frame of text and numbers; factors and whatever else rdata has to read. Raises as `read`."""
    try:
        columns, attributes = _objects(Path(path).read_bytes())[name]
        if "data.frame" not in attributes["class"][0] or any(extra for _, extra in columns):
            raise NotImplementedError
        return pd.DataFrame(dict(zip(attributes["names"][0], (values for values, _ in columns), strict=True)))
    except Exception:  # whatever is not as expected here: rdata reads it, or says what is wrong
        return pd.DataFrame(read(path, name)).reset_index(drop=True)


class _Reader:
    """Where in a serialised stream we are, and the symbols that it has named so far."""

    def __init__(self, content: bytes):
        self.content, self.place, self.symbols = content, 0, []

    def whole(self) -> int:
        self.place += 4
        return unpack_from(">i", self.content, self.place - 4)[0]

    def take(self, size: int) -> bytes:
        self.place += size
        return self.content[self.place - size : self.place]


def _objects(content: bytes) -> dict:
    """Named objects of a file in R's binary format 2 or 3, each as (values, attributes)."""
    unpack = next((each for magic, each in _PACKED.items() if content.startswith(magic)), bytes)
    reader = _Reader(unpack(content))
    if reader.take(7) not in (b"RDX2\nX\n", b"RDX3\nX\n"):
        raise NotImplementedError
    version = reader.whole()
    reader.take(8)  # of R
    if version == 3:
        reader.take(reader.whole())  # native encoding
    return _item(reader)[0]


def _item(reader: _Reader) -> tuple:
    flags = reader.whole()
    kind = flags & 0xFF
    if kind == _NONE:
        return None, {}
    if kind == _REFERENCE:
        return reader.symbols[(flags >> 8 or reader.whole()) - 1], {}
    if kind == _SYMBOL:
        reader.symbols.append(_item(reader)[0])
        return reader.symbols[-1], {}
    if kind == _PAIRS:
        return _pairs(reader, flags), {}
    if kind == _TEXT:
        size = reader.whole()
        return (None if size < 0 else reader.take(size).decode()), {}
    if kind == _ALTERNATIVE:
        return _alternative(reader)
    if kind in _NUMBERS:
        size = reader.whole()
        order = _NUMBERS[kind]
        values = np.frombuffer(reader.take(size * int(order[-1])), order).astype(order[1:])
    elif kind == _TEXTS:
        values = _texts(reader)
    elif kind == _LIST:
        values = [_item(reader) for _ in range(reader.whole())]
    else:
        raise NotImplementedError
    return values, _item(reader)[0] if flags & _ATTRIBUTES else {}


def _pairs(reader: _Reader, flags: int) -> dict:
    """A pair list as a mapping of its tags."""
    found = {}
    while flags & 0xFF == _PAIRS:
        if flags & _ATTRIBUTES:
            _item(reader)
        tag = _item(reader)[0] if flags & _TAG else len(found)
        found[tag] = _item(reader)
        flags = reader.whole()
    return found


def _texts(reader: _Reader) -> list[str | None]:
    size, content, place, found = reader.whole(), reader.content, reader.place, []
    for _ in range(size):
        length = unpack_from(">i", content, place + 4)[0]
        place += 8
        found.append(None if length < 0 else content[place : place + length].decode())
        place += max(length, 0)
    reader.place = place
    return found


def _alternative(reader: _Reader) -> tuple:
    """A vector in one of R's compact forms: a range of whole numbers, or a wrapper around a plain vector."""
    about, state, attributes = (_item(reader)[0] for _ in range(3))
    if about[0][0] == "compact_intseq":
        count, start, step = state
        return start + step * np.arange(int(count)), attributes or {}
    raise NotImplementedError
