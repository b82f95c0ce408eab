"""The structure profiles of a compendium's RNAs as one file, read by the steps that train and predict."""

import io
import zipfile
from pathlib import Path

import numpy as np

from regulome.binding.sequences import Sequences
from regulome.errors import UserError
from regulome.tables import write_bytes

_FIELDS = ("letters", "profiles", "software")


def save(path: str | Path, rnas: Sequences, profiles: np.ndarray, software: str) -> None:
    """Write profiles beside the sequences they belong to; the file appears whole or not at all.

    Parameters
    ----------
    path
        A name that ends in ``.npz``.
    profiles
        (N, Lmax, 5) float32 of `regulome.binding.phime.profiles`.
    software
        What made them, of `regulome.binding.phime.software`.
    """
    if profiles.shape != (len(rnas), max(rnas.lengths), 5):
        raise ValueError(f"profiles are {profiles.shape} for {len(rnas)} RNAs of up to {max(rnas.lengths)} bases")
    buffer = io.BytesIO()
    np.savez(
        buffer,
        letters=np.array(rnas.letters, dtype=np.bytes_),
        profiles=profiles.astype(np.float32, copy=False),
        software=np.array(software),
    )
    write_bytes(path, buffer.getvalue())


def load(path: str | Path, rnas: Sequences) -> np.ndarray:
    """Profiles of the given RNAs, looked up by sequence: any of those in the file, in any order.

    Returns
    -------
    ndarray
        (N, Lmax, 5) float32, Lmax the longest of the given RNAs.

    Raises
    ------
    UserError
        If the file is missing or something else, or an RNA is not in it.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            letters, profiles, _ = (content[name] for name in _FIELDS)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
        reason = getattr(error, "strerror", None) or "not a file of structure profiles"
        raise UserError(f"{path}: {reason}; expected the structure.npz of notebook 12") from None
    row = {sequence: place for place, sequence in enumerate(letters.astype(str))}
    missing = [name for name, sequence in zip(rnas.names, rnas.letters, strict=True) if sequence not in row]
    if missing:
        raise UserError(
            f"{path}: no structure for {len(missing)} of {len(rnas)} RNAs, the first of them '{missing[0]}' "
            f"({rnas.source}); expected the profiles of these RNAs"
        )
    return profiles[[row[sequence] for sequence in rnas.letters], : max(rnas.lengths)]
