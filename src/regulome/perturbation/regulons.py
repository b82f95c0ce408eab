"""Known regulons: signed links from transcription factors to targets, DoRothEA (Garcia-Alonso et al. 2019)."""

import pandas as pd

from regulome import data
from regulome.errors import UserError
from regulome.perturbation import r_data

KEY = "dorothea_hs"
LEVELS = "ABCDE"


def dorothea(mirror: str | None = None, levels: str = "ABC") -> pd.DataFrame:
    """Links of the human regulons.

    Parameters
    ----------
    mirror
        Folder of data files, see `regulome.data.fetch`.
    levels
        Letters of the confidence levels that are wanted, A (several lines of evidence) to E (predicted only).

    Returns
    -------
    DataFrame
        source (transcription factor), target, sign (1 activation, -1 repression), confidence; 13,223 rows for A to C,
        454,504 for all.

    Raises
    ------
    UserError
        An unknown level; a missing or changed file.
    """
    wrong = [level for level in levels if level not in LEVELS]
    if wrong or not levels:
        raise UserError(f"levels is '{levels}'; expected letters out of {LEVELS}")
    content = r_data.frame(data.fetch(KEY, mirror), "dorothea_hs")
    table = pd.DataFrame(
        {
            "source": content["tf"].astype(str),
            "target": content["target"].astype(str),
            "sign": content["mor"].astype(int),
            "confidence": content["confidence"].astype(str),
        }
    )
    return table[table["confidence"].isin(list(levels))].reset_index(drop=True)
