"""Names of signed topologies: one character a link, ``-`` inhibition, ``0`` absent, ``+`` activation.

The order is that of `regulome.circuits.mutation.link_names`: regulators in rows (inputs first), targets in columns.
``+00+0-++`` is a topology of two inputs and two genes: I1 -> g1, I2 -> g2, g1 -| g2, g2 -> g1 and g2 -> g2.
"""

import numpy as np

from regulome.errors import UserError

CHARACTERS = "-0+"


def encode(signs: np.ndarray) -> list[str]:
    """Names of M topologies (M, N, G), or of one (N, G)."""
    signs = np.asarray(signs)
    table = signs.reshape(len(signs) if signs.ndim == 3 else 1, -1).astype(int) + 1
    return ["".join(CHARACTERS[value] for value in row) for row in table]


def decode(codes, n_inputs: int = 2, n_genes: int = 2) -> np.ndarray:
    """(M, N, G) signs of the topologies of these names.

    Raises
    ------
    UserError
        If a name has another length or character.
    """
    links = (n_inputs + n_genes) * n_genes
    for code in codes:
        if len(code) != links or set(code) - set(CHARACTERS):
            raise UserError(f"topology '{code}': expected {links} characters, each one of '-', '0' and '+'")
    flat = np.array([[CHARACTERS.index(c) - 1 for c in code] for code in codes], dtype=np.int8)
    return flat.reshape(len(flat), n_inputs + n_genes, n_genes)


def in_words(signs: np.ndarray, regulators, genes) -> str:
    """Links as text: "I -> g1, g2 -| g1"."""
    rows, columns = np.nonzero(signs)
    arrows = {1: "->", -1: "-|"}
    return ", ".join(
        f"{regulators[i]} {arrows[int(signs[i, j])]} {genes[j]}" for i, j in zip(rows, columns, strict=True)
    )
