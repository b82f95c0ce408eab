"""Settings of a training, as a user writes them in YAML::

    matrix: intensities.txt.gz   # a row an RNA, a column a protein, no header; may be .gz
    proteins: proteins.txt       # one a line, or FASTA
    rnas: rnas.txt
    kind: measured               # or semi-real, synthetic: kept with the model
    unknown: error               # letters outside the alphabet: error, or replace by X and N
    vectors: kmers               # kmers, an ESM-2 model or .pt, or a file of vectors
    structure: false             # true: fold the RNAs (ViennaRNA) and let the network read the profiles
    duplicates: average          # identical proteins become one row; or keep
    new_proteins: 0.2            # share of clusters of homologues that is held out
    new_rnas: 0.2                # share of RNAs that is held out
    identity: 0.4                # proteins at least so identical stay on one side
    size: published              # network and recipe: published, or mini (a minute on a CPU)
    network: {rank: 512}         # changes of `two_tower.Settings`
    training: {epochs: 50}       # changes of `training_settings.TrainingSettings`

Paths are relative to the file. Only ``matrix``, ``proteins`` and ``rnas`` are needed.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path

from regulome.binding import vector_files
from regulome.binding.compendium import KINDS
from regulome.binding.training_settings import TrainingSettings
from regulome.binding.two_tower import Settings
from regulome.errors import UserError, closest
from regulome.yaml_lines import read_mapping

SIZES = ("published", "mini")
_CHOICES = {"kind": KINDS, "unknown": ("error", "replace"), "duplicates": ("average", "keep"), "size": SIZES}
_SHARES = ("new_proteins", "new_rnas", "identity")
_FROM_ELSEWHERE = ("vector_width", "structure")  # of the network: the data say


@dataclass(frozen=True)
class TrainFile:
    """Checked settings; the fields are those of the file, see the module."""

    matrix: Path
    proteins: Path
    rnas: Path
    kind: str = "measured"
    unknown: str = "error"
    vectors: str = "kmers"
    structure: bool = False
    duplicates: str = "average"
    new_proteins: float = 0.2
    new_rnas: float = 0.2
    identity: float = 0.4
    size: str = "published"
    network: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)

    def settings(self, vector_width: int) -> Settings:
        """Sizes of the network."""
        make = Settings.published if self.size == "published" else Settings.mini
        return make(vector_width, structure=self.structure, **self.network)

    def recipe(self, **changes) -> TrainingSettings:
        """How to train."""
        make = TrainingSettings.published if self.size == "published" else TrainingSettings.mini
        return make(**(self.training | changes))


def read(path: str | Path) -> TrainFile:
    """Read and check settings.

    Raises
    ------
    UserError
        Naming the file, the line and the field, with what was found and what was expected.
    """
    path = Path(path)
    found = read_mapping(path)
    known = [f.name for f in fields(TrainFile)]
    for name, (value, line) in found.items():
        where = f"{path}, line {line}: {name}"
        if name not in known:
            raise UserError(
                f"{path}, line {line}: unknown field '{name}'{closest(name, known)}; expected {', '.join(known)}"
            )
        _check(where, name, value)
    missing = [name for name in ("matrix", "proteins", "rnas") if name not in found]
    if missing:
        raise UserError(f"{path}: {missing[0]}: not given; expected a file")
    values = {name: value for name, (value, _) in found.items()}
    for name in ("matrix", "proteins", "rnas"):
        values[name] = path.parent / values[name]
    if "vectors" in values and _is_file(values["vectors"]):
        values["vectors"] = str(path.parent / values["vectors"])
    return TrainFile(**values)


def _is_file(vectors: str) -> bool:
    return vector_files.is_vector_file(vectors) or vectors.endswith(".pt")


def _check(where: str, name: str, value: object) -> None:
    if name in ("matrix", "proteins", "rnas", "vectors") and not isinstance(value, str):
        raise UserError(f"{where}: found {value!r}; expected a file")
    if name in _CHOICES and value not in _CHOICES[name]:
        hint = closest(str(value), _CHOICES[name])
        raise UserError(f"{where}: found {value!r}{hint}; expected {', '.join(_CHOICES[name])}")
    if name in _SHARES and not (isinstance(value, float) and 0 < value < 1):
        raise UserError(f"{where}: found {value!r}; expected a number above 0 and below 1")
    if name == "structure" and not isinstance(value, bool):
        raise UserError(f"{where}: found {value!r}; expected true or false")
    if name in ("network", "training"):
        _check_changes(where, value, Settings if name == "network" else TrainingSettings)


def _check_changes(where: str, value: object, kind: type) -> None:
    """The keys must be fields, the values of their types."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: found {value!r}; expected a mapping")
    types = {f.name: f.type for f in fields(kind) if f.name not in _FROM_ELSEWHERE}
    for name, entry in value.items():
        if name not in types:
            raise UserError(f"{where}: unknown field '{name}'{closest(str(name), types)}; expected {', '.join(types)}")
        wanted = types[name]
        if wanted is float and isinstance(entry, int) and not isinstance(entry, bool):
            continue
        if not isinstance(entry, wanted) or (wanted is int and isinstance(entry, bool)):
            raise UserError(f"{where}: {name}: found {entry!r}; expected {_words(wanted)}")


def _words(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind]
