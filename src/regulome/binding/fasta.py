"""FASTA files of proteins, read strictly: a mistake is named with its line."""

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

from regulome.errors import UserError


def read_fasta(path: str | Path) -> dict[str, str]:
    """Read protein sequences from a FASTA file, plain or ``.gz``.

    A record's name is the first word after ``>``. Lower case becomes upper case; blank lines are skipped. Which
    letters are amino acids is for `regulome.binding.embeddings.check_sequences`.

    Returns
    -------
    dict
        Name to sequence, in the order of the file.

    Raises
    ------
    UserError
        No such file, not text, no records, text before the first ``>``, a record without name or sequence, a name
        used twice, blanks inside a sequence line. The line is counted from 1.
    """
    records: dict[str, list[str]] = {}
    name = None
    for number, line in enumerate(_lines(Path(path)), start=1):
        text = line.strip()
        if text.startswith(">"):
            name = (text[1:].split() or [""])[0]
            if not name:
                raise UserError(f"{path} line {number}: a record without a name; expected '>name'")
            if name in records:
                raise UserError(f"{path} line {number}: record '{name}' occurs twice; expected unique names")
            records[name] = []
        elif text and name is None:
            raise UserError(f"{path} line {number}: found '{text[:20]}' before the first record; expected '>name'")
        elif len(text.split()) > 1:
            raise UserError(f"{path} line {number}: record '{name}' has a blank inside the sequence")
        elif text:
            records[name].append(text.upper())
    sequences = {name: "".join(parts) for name, parts in records.items()}
    if not sequences:
        raise UserError(f"{path}: no records; expected a FASTA file, '>name' and amino acids")
    for name, sequence in sequences.items():
        if not sequence:
            raise UserError(f"{path}: record '{name}' is empty; expected amino acids")
    return sequences


def _lines(path: Path) -> Iterable[str]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file; expected FASTA in UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
