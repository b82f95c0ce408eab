"""Known edges to hold an inferred network against: files of TRRUST, and interferon-γ signalling from textbooks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from regulome import paths
from regulome.errors import UserError, closest
from regulome.perturbation import regulons
from regulome.perturbation.screen import Screen

NAMES = {"truth": "simulated", "dorothea": "DoRothEA", "trrust": "TRRUST"}
MODES = {"Activation": 1, "Repression": -1, "Unknown": 0}  # of TRRUST

_SCHRODER = "Schroder et al., J Leukoc Biol 75:163 (2004), review"
_LEHTONEN = "Lehtonen et al., J Immunol 159:794 (1997)"
_LMP2 = "Chatterjee-Kishore et al., EMBO J 19:4111 (2000)"

# The THP-1 cells of the Papalexi screen were stimulated with interferon-γ: it binds IFNGR1/IFNGR2, JAK1 and JAK2
# phosphorylate STAT1, STAT1 induces IRF1 and the interferon-stimulated genes, its own among them. Only targets that the
# public file measures. Effects on transcripts, direct or not; knocking the regulator out should lower the target.
INTERFERON_GAMMA = (
    ("IFNGR1", "STAT1", 1, "receptor of the pathway that induces STAT1", _SCHRODER),
    ("IFNGR2", "STAT1", 1, "receptor of the pathway that induces STAT1", _SCHRODER),
    ("JAK2", "STAT1", 1, "kinase of the pathway that induces STAT1", _SCHRODER),
    ("IFNGR1", "STAT2", 1, "interferon-γ raises STAT2 transcripts in macrophages", _LEHTONEN),
    ("IFNGR2", "STAT2", 1, "interferon-γ raises STAT2 transcripts in macrophages", _LEHTONEN),
    ("JAK2", "STAT2", 1, "kinase of the same pathway", _LEHTONEN),
    ("STAT1", "STAT2", 1, "transcription factor of the same pathway", _LEHTONEN),
    ("IFNGR1", "PSMB9", 1, "immunoproteasome subunit (LMP2), induced by interferon-γ", _SCHRODER),
    ("IFNGR2", "PSMB9", 1, "immunoproteasome subunit (LMP2), induced by interferon-γ", _SCHRODER),
    ("JAK2", "PSMB9", 1, "kinase of the same pathway", _SCHRODER),
    ("STAT1", "PSMB9", 1, "binds the LMP2 promoter together with IRF1", _LMP2),
    ("IRF1", "PSMB9", 1, "binds the LMP2 promoter together with STAT1", _LMP2),
)


def known(reference: str, mirror: str | None = None, levels: str = "ABC", file: str = "") -> pd.DataFrame:
    """Known edges: "truth" of the simulated screen in ``data/mini``, "dorothea" (`regulons.dorothea`), or "trrust".

    Raises
    ------
    UserError
        As `regulons.dorothea` and `read_trrust`; or another reference, or "trrust" without a file.
    """
    if reference not in NAMES:
        raise UserError(
            f"reference: found '{reference}'{closest(reference, NAMES)}; expected one of {', '.join(NAMES)}"
        )
    if reference == "truth":
        return pd.read_csv(paths.mini_data() / "perturbation" / "truth.csv")
    if reference == "dorothea":
        return regulons.dorothea(mirror, levels)
    if not file:
        raise UserError("reference_file: found nothing; expected the path of a TRRUST table, as reference is 'trrust'")
    return read_trrust(file)


def interferon_gamma() -> pd.DataFrame:
    """Relations of interferon-γ signalling among the genes of the Papalexi screen.

    A sanity check, not a benchmark: few relations of one pathway, chosen for being undisputed.

    Returns
    -------
    DataFrame
        regulator, target, sign, relation, citation.
    """
    return pd.DataFrame(INTERFERON_GAMMA, columns=["regulator", "target", "sign", "relation", "citation"])


def agreement(known: pd.DataFrame, scores: np.ndarray, p: np.ndarray, genes: tuple[str, ...]) -> pd.DataFrame:
    """Sign of a method for each known relation, and the rank of the pair among all pairs with that target.

    Parameters
    ----------
    known
        regulator, target and sign; pairs of genes that are not there are left out.
    scores, p
        (G, G) signed scores, and p-values of `edge_evidence.evidence`.

    Returns
    -------
    DataFrame
        regulator, target, expected and found signs, agrees, score, rank (1: strongest regulator of this target),
        of (number of regulators), p.
    """
    place, rows = {gene: row for row, gene in enumerate(genes)}, []
    for row in known.itertuples():
        if row.regulator in place and row.target in place:
            i, j = place[row.regulator], place[row.target]
            column = np.abs(scores[:, j])
            found = scores[i, j]
            if np.isfinite(found):
                rank = int((np.nan_to_num(column) > abs(found)).sum()) + 1
                rows.append((row.regulator, row.target, row.sign, int(np.sign(found)), np.sign(found) == row.sign,
                             found, rank, int(np.isfinite(column).sum()), p[i, j]))  # fmt: skip
    names = ["regulator", "target", "expected", "found", "agrees", "score", "rank", "of", "p"]
    return pd.DataFrame(rows, columns=names)


def read_trrust(path: str | Path) -> pd.DataFrame:
    """Read a file in the layout of TRRUST v2 (Han et al., Nucleic Acids Res 46:D380, 2018).

    Lines without a header, separated by tabs: transcription factor, target, mode (Activation, Repression, Unknown),
    PubMed numbers joined by ";". One pair may be on several lines, with different modes.

    Returns
    -------
    DataFrame
        source, target, sign (+1, -1, 0 unknown or disputed), references (their number); one row a pair.

    Raises
    ------
    UserError
        No such file, another number of fields, an unknown mode, no rows.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); expected the TRRUST table of tab-separated lines") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        fields = [field.strip() for field in line.split("\t")]
        if not line.strip():
            continue
        if len(fields) != 4 or not fields[0] or not fields[1]:
            raise UserError(
                f"{path} row {number}: found {len(fields)} fields; expected factor, target, mode, references"
            )
        if fields[2] not in MODES:
            raise UserError(f"{path} row {number}: found mode '{fields[2]}'; expected one of {', '.join(MODES)}")
        rows.append((fields[0], fields[1], MODES[fields[2]], fields[3].count(";") + 1))
    if not rows:
        raise UserError(f"{path}: no rows; expected lines of factor, target, mode, references")
    table = pd.DataFrame(rows, columns=["source", "target", "sign", "references"])
    pairs = table.groupby(["source", "target"], as_index=False)
    signs = pairs["sign"].agg(lambda values: 0 if {-1, 1} <= set(values) else int(np.sign(values.sum())))
    return signs.merge(pairs["references"].sum())


def widened(screen: Screen) -> Screen:
    """The screen with every measured gene among the latent ones: a panel for methods that need no training."""

    others = tuple(sorted(set(screen.genes) - set(screen.latent[: screen.perturbed])))
    return replace(screen, latent=(*screen.latent[: screen.perturbed], *others))
