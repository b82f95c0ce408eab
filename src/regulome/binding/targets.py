"""What the network learns: intensities made comparable between proteins.

The publication takes z(log(1 + y)), clipped at the 99.5 percentile. Normalised RNAcompete intensities are signed: half
are negative and a tenth lie at or below -1, where log(1 + y) has no value. The modes, with q the 99.5 percentile and m
the minimum of one protein over the training RNAs:

    shifted log   log(1 + min(y, q) - m)             (default: defined everywhere, keeps the order below 0)
    clipped log   log(1 + max(min(y, q), 0))         (everything negative becomes 0)
    published     log(1 + min(y, q)), undefined (NaN) where y <= -1: those probes are left out of loss and statistics
    z             y

then z-scored per protein. Quantile, minimum, mean and standard deviation come from the training RNAs alone and are
kept per protein. Pearson's r with the target and with y differ (on measured data a perfect target reaches 0.84 with
y): every correlation says which it is.
"""

from dataclasses import dataclass

import numpy as np

from regulome.errors import UserError, closest

MODES = ("shifted log", "clipped log", "published", "z")
QUANTILE = 0.995


@dataclass(frozen=True)
class TargetTransform:
    """Statistics of P proteins, and the transformation that they define.

    Attributes
    ----------
    mode
        One of `MODES`.
    low, high
        (P,) intensities below (above) these count as these.
    mean, sd
        (P,) of the transformed training intensities.
    negative, undefined
        (P,) share of the training intensities below 0, and at or below -1 where the published logarithm has no value.
    """

    mode: str
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    negative: np.ndarray
    undefined: np.ndarray

    @classmethod
    def fit(cls, intensities: np.ndarray, mode: str = "shifted log") -> "TargetTransform":
        """Statistics of (P, N) intensities of the training RNAs; NaN (flagged probes) are left out.

        Raises
        ------
        UserError
            If there is no such mode, or a protein has no number (or none that the published mode can take).
        """
        if mode not in MODES:
            raise UserError(f"targets: mode is '{mode}'{closest(mode, MODES)}; expected one of {', '.join(MODES)}")
        y = np.asarray(intensities, dtype=np.float64)
        known = np.isfinite(y)
        usable = known & (y > -1) if mode == "published" else known
        empty = np.flatnonzero(~usable.any(1))
        if len(empty):
            least = " above -1" if mode == "published" else ""
            raise UserError(f"targets: protein {empty[0] + 1} has no intensity{least}; expected some on training RNAs")
        count = known.sum(1)
        chosen = np.where(usable, y, np.nan)
        low, high = np.nanmin(chosen, 1), np.nanquantile(chosen, QUANTILE, axis=1)
        if mode == "z":
            low, high = np.full(len(y), -np.inf), np.full(len(y), np.inf)
        elif mode == "clipped log":
            low, high = np.zeros(len(y)), np.maximum(high, 0)
        elif mode == "published":
            low = np.full(len(y), -1.0)
        negative, undefined = ((known & part).sum(1) / count for part in (y < 0, y <= -1))
        bare = cls(mode, low, high, np.zeros(len(y)), np.ones(len(y)), negative, undefined)
        t = bare._transformed(y)
        sd = np.nanstd(t, 1)
        return cls(mode, low, high, np.nanmean(t, 1), np.where(sd > 1e-12, sd, 1.0), negative, undefined)

    def __len__(self) -> int:
        return len(self.mean)

    def apply(self, intensities: np.ndarray) -> np.ndarray:
        """(P, N) float32 targets of the same proteins, on any RNAs; NaN where flagged or undefined."""
        t = self._transformed(np.asarray(intensities, dtype=np.float64))
        return ((t - self.mean[:, None]) / self.sd[:, None]).astype(np.float32)

    def describe(self) -> str:
        """One sentence on the negative intensities and what was done."""
        found = (
            f"{100 * self.negative.mean():.1f} % of the training intensities are negative, "
            f"{100 * self.undefined.mean():.1f} % at or below -1"
        )
        done = {
            "shifted log": "the logarithm is taken after each protein's minimum is subtracted",
            "clipped log": "negative intensities count as 0",
            "published": "those at or below -1 have no logarithm and are left out",
            "z": "no logarithm is taken",
        }
        return f"Targets '{self.mode}': {found}; {done[self.mode]}."

    def _transformed(self, y: np.ndarray) -> np.ndarray:
        """Before the z-score."""
        low, high = self.low[:, None], self.high[:, None]
        if self.mode == "z":
            return y
        if self.mode == "published":
            return np.log1p(np.where(y > -1, np.minimum(y, high), np.nan))
        shift = low if self.mode == "shifted log" else 0.0
        return np.log1p(np.clip(y, low, high) - shift)
