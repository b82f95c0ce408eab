"""Parts of a compendium that a training does not see, and how well a model predicts them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from regulome.binding import rna_windows, validation
from regulome.binding.compendium import Compendium
from regulome.binding.model_file import Model
from regulome.binding.targets import TargetTransform
from regulome.binding.two_tower import Settings
from regulome.binding.vectors import Vectors
from regulome.errors import UserError


@dataclass(frozen=True)
class HeldOut:
    """Proteins and RNAs on which a training is watched.

    Attributes
    ----------
    compendium, vectors, structure
        As those of the training.
    name
        In the columns of the log; the first held-out part has plain column names and selects the model.
    """

    compendium: Compendium
    vectors: Vectors
    structure: np.ndarray | None = None
    name: str = "validation"


def part(
    compendium: Compendium,
    vectors: Vectors,
    structure: np.ndarray | None,
    proteins: Iterable[int] | None = None,
    rnas: Iterable[int] | None = None,
    name: str = "validation",
) -> HeldOut:
    """The given proteins and RNAs (None: all) of a compendium with their vectors and profiles."""
    rows = list(range(len(compendium.proteins))) if proteins is None else [int(i) for i in proteins]
    columns = list(range(len(compendium.rnas))) if rnas is None else [int(i) for i in rnas]
    profiles = None if structure is None else structure[columns]
    return HeldOut(compendium.take(rows, columns), vectors.take(rows), profiles, name)


def evaluate(model: Model, held: HeldOut, device: str = "cpu", threads: int = 1) -> dict[str, float]:
    """Median and mean Pearson correlation per protein of a held-out part.

    Returns
    -------
    dict
        median_r and mean_r with the targets (the transformation's quantile and minimum taken from the part's own
        intensities: these proteins have no training values), median_r_raw and mean_r_raw with the intensities.
        RNAs longer than those of the training are read as windows, as in prediction.
    """
    windows = rna_windows.cut(held.compendium.rnas, model.longest)
    structure = windows.of_profiles(held.structure) if model.structure else None
    scores = windows.best(model.predict(held.vectors, windows.rnas, structure, device, threads))
    intensities = held.compendium.intensities
    found = TargetTransform.fit(intensities, model.targets.mode).apply(intensities)
    values = {}
    for end, measured in (("", found), ("_raw", intensities)):
        r = validation.correlations(scores, measured)
        values |= {f"median_r{end}": float(np.median(r)), f"mean_r{end}": float(np.mean(r))}
    return values


def check(part: HeldOut, settings: Settings) -> None:
    """Refuse vectors or profiles that do not belong to the proteins, the RNAs and the network (UserError)."""
    proteins, rnas, vectors = part.compendium.proteins, part.compendium.rnas, part.vectors
    if vectors.names != proteins.names:
        place = next(
            (i for i, pair in enumerate(zip(vectors.names, proteins.names, strict=False)) if len(set(pair)) > 1), -1
        )
        found = f"'{vectors.names[place]}' for '{proteins.names[place]}'" if place >= 0 else f"{len(vectors)} vectors"
        raise UserError(f"{part.name}: found {found}; expected one vector a protein ({len(proteins)}), in their order")
    if vectors.width != settings.vector_width:
        raise UserError(
            f"{part.name}: found vectors of width {vectors.width} ({vectors.source}); expected {settings.vector_width}"
        )
    long = next((i for i, length in enumerate(rnas.lengths) if length > settings.positions), None)
    if long is not None:
        raise UserError(
            f"{rnas.source}: RNA '{rnas.names[long]}' has {rnas.lengths[long]} bases; expected at most "
            f"{settings.positions}, the positions of the network (network: positions)"
        )
    if not np.isfinite(vectors.values).all():
        place = int(np.flatnonzero(~np.isfinite(vectors.values).all(1))[0])
        raise UserError(f"{part.name}: the vector of protein '{vectors.names[place]}' holds a value that is no number")
    if settings.structure and (part.structure is None or len(part.structure) != len(rnas)):
        found = "none" if part.structure is None else f"{len(part.structure)}"
        raise UserError(f"{part.name}: found {found} structure profiles; expected {len(rnas)}, one an RNA")
