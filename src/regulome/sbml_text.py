"""What every SBML file that is written here needs: identifiers, formulas, and a last look by libSBML."""

import keyword
import re
from collections.abc import Sequence

from regulome.errors import UserError

_RESERVED = {"time", "avogadro", "pi", "exponentiale", "infinity", "nan", "true", "false", "inf", "case", "cell"}
_RESERVED |= {"and", "or", "not", "xor", "piecewise", "exp", "ln", "log", "sqrt", "min", "max", "abs", "rate", "delay"}


def identifiers(names: Sequence[str]) -> dict[str, str]:
    """SBML identifiers of names: letters, digits and underscores; unique, and no word of the formula language."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"\W", "_", str(name), flags=re.ASCII)
        if not plain or plain[0].isdigit() or plain.lower() in _RESERVED or keyword.iskeyword(plain):
            plain = "x_" + plain
        while plain in found.values():
            plain += "_"
        found[name] = plain
    return found


def parsed(formula: str):
    """Syntax tree of a formula of SBML Level 3."""
    import libsbml

    tree = libsbml.parseL3Formula(formula)
    if tree is None:
        raise UserError(f"SBML: formula '{formula}' cannot be written: {libsbml.getLastParseL3Error()}")
    return tree


def checked(document) -> str:
    """Serialise a document in which libSBML finds no error."""
    import libsbml

    document.checkConsistency()
    log = document.getErrorLog()
    errors = [log.getError(i) for i in range(log.getNumErrors())]
    serious = [error for error in errors if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    if serious:
        raise UserError(f"SBML: the model is inconsistent: {serious[0].getMessage().strip()}")
    return libsbml.writeSBMLToString(document)
