"""``python -m regulome.perturbation prepare CELLS --out screen.h5ad``: raw counts to a prepared screen.

Settings are the fields of `prepare.Settings`, one ``key: value`` a line of a YAML file; those that it leaves out keep
their defaults.
"""

from dataclasses import fields, replace
from pathlib import Path

from regulome.errors import UserError, closest
from regulome.parameter_types import accept
from regulome.perturbation import layouts, preparation_tables, prepare, strength
from regulome.perturbation import screen as screens
from regulome.perturbation.prepare import Settings
from regulome.perturbation.screen import Screen
from regulome.yaml_lines import read_mapping


def read_settings(path: Path) -> Settings:
    """Settings of a YAML file.

    Raises
    ------
    UserError
        Naming the line and the key that is unknown, of the wrong type or out of range.
    """
    known = {field.name: field.type.__name__ for field in fields(Settings)}
    settings = Settings()
    for key, (value, line) in read_mapping(path).items():
        where = f"{path}, line {line}"
        if key not in known:
            raise UserError(f"{where}: unknown key '{key}'{closest(key, known)}; expected {', '.join(known)}")
        try:
            settings = replace(settings, **{key: accept(value, known[key])})
        except TypeError:
            raise UserError(f"{where}: {key}: found {value!r}; expected {known[key]}") from None
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    return settings


def run(
    cells: Path, out: Path, settings: Path | None = None, summary: Path | None = None, sheet: str = "",
    force: bool = False,
) -> Screen:  # fmt: skip
    """Prepare a file of raw counts, write the screen, and print what every step left.

    Parameters
    ----------
    cells
        h5ad file, see `layouts.read`.
    out
        h5ad file for the prepared screen.
    settings
        YAML file, see `read_settings`.
    summary, sheet
        See `strength.read_summary`.
    force
        Replace a file that exists.

    Raises
    ------
    UserError
        If an input or the place of the result is no good.
    """
    if out.exists() and not force:
        raise UserError(f"--out {out}: exists; expected a new file, or --force")
    chosen = read_settings(settings) if settings else Settings()
    statistics = strength.read_summary(summary, sheet) if summary else None
    raw = layouts.read(cells)
    found = prepare.prepare(raw, chosen, statistics)
    screens.save(found, out)
    for line in (f"{raw.name}: {raw.source}", *raw.notes, *_lines(found)):
        print(line)
    return found


def _lines(found: Screen) -> list[str]:
    steps = [
        f"  {row['step']}: {row['cells']:,} cells, {row['perturbations']:,} perturbations, {row['controls']:,} controls"
        for row in found.settings["steps"]
    ]
    flags = preparation_tables.quality(found)
    failed = ", ".join(f"{row.flag} {row.share:.1%}" for row in flags.itertuples())
    measured = int((found.latent_column[: found.perturbed] >= 0).sum())
    extended = len(found.latent) - found.perturbed
    genes = f"latent genes: {found.perturbed:,} perturbed ({measured:,} measured), {extended:,} extended"
    return [*steps, f"quality flags: {failed}", genes]
