"""A Hill circuit as an SBML model (Level 3 Version 2), for COPASI, libRoadRunner, Tellurium and others.

Each gene is a species, made by one reaction (Hill rate law) and lost by another (decay rate 1); inputs are boundary
species. Levels are concentrations without unit in a compartment of size 1; one unit of time is the lifetime of the
gene products. Where inputs change during a run, the parameter ``case`` chooses which case of the task is run: initial
assignments and events, one a change, set the inputs.
"""

from collections.abc import Sequence

import numpy as np

from regulome.errors import UserError
from regulome.sbml_text import checked, identifiers, parsed


def rate_formula(column: np.ndarray, parameters: Sequence[tuple[str, str]], regulators: Sequence[str]) -> str:
    """Hill production rate of one gene as an SBML formula.

    Parameters
    ----------
    column
        (N,) signs of the links onto the gene.
    parameters
        Identifiers of b and K of each link.
    regulators
        Identifiers of the regulators.
    """

    def bound(i: int, top: str) -> str:
        _, k = parameters[i]
        return f"{top} / ({k}^2 + {regulators[i]}^2)"

    activation = [bound(i, f"{parameters[i][0]} * {regulators[i]}^2") for i in np.flatnonzero(column > 0)]
    free = [bound(i, f"{parameters[i][1]}^2") for i in np.flatnonzero(column < 0)]
    if not activation:
        return "0"
    return " * ".join([f"({' + '.join(activation)})", *free])


def to_sbml(
    signs: np.ndarray,
    b: np.ndarray,
    k: np.ndarray,
    start: np.ndarray,
    inputs: Sequence[str],
    genes: Sequence[str],
    levels: np.ndarray,
    dt: float,
    case_names: Sequence[str] = (),
    name: str = "circuit",
) -> str:
    """Write one circuit as SBML.

    Parameters
    ----------
    signs, b, k
        (N, G) links, maximal rates and Michaelis constants; regulators are ``inputs``, then ``genes``.
    start
        (G,) or (C, G) initial levels.
    levels
        (C, T, I) input levels of C cases; row t holds from t dt to (t + 1) dt. Constant levels make constant boundary
        species with the levels of the first case.
    dt
        Length of a row.

    Returns
    -------
    str
        The document.

    Raises
    ------
    UserError
        If a level or parameter is not finite, or libSBML finds the document inconsistent.
    """
    import libsbml

    for label, values in (("b", b), ("K", k), ("initial levels", start), ("input levels", levels)):
        if not np.isfinite(values).all():
            raise UserError(f"SBML: {label} contain a number that is not finite: {np.asarray(values).tolist()}")
    start = np.broadcast_to(start, (max(1, len(levels)), len(genes)))
    changing = bool((levels != levels[:, :1]).any() or (start != start[:1]).any())
    identifier = identifiers([*inputs, *genes])
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    model.setId(identifiers([name])[name])
    model.setName(name)
    for unit in ("Substance", "Time", "Volume", "Extent"):
        getattr(model, f"set{unit}Units")("dimensionless")
    cell = model.createCompartment()
    for field, value in (("Id", "cell"), ("Constant", True), ("Size", 1.0), ("SpatialDimensions", 3)):
        getattr(cell, f"set{field}")(value)
    if changing:
        said = ", ".join(f"{i} {case}" for i, case in enumerate(case_names))
        _parameter(model, "case", 0.0, "case of the task" + (f": {said}" if said else ""))
    for i, gene in enumerate(inputs):
        _species(model, identifier[gene], gene, levels[0, 0, i], boundary=True, constant=not changing)
    for j, gene in enumerate(genes):
        _species(model, identifier[gene], gene, start[0, j], boundary=False, constant=False)
    if changing:
        _initial(model, [identifier[gene] for gene in inputs], levels[:, 0])
        _initial(model, [identifier[gene] for gene in genes], start)
        _events(model, [identifier[gene] for gene in inputs], levels, dt)
    _reactions(model, np.asarray(signs), b, k, [*inputs, *genes], genes, identifier)
    return checked(document)


def _parameter(model, identifier: str, value: float, name: str = "") -> None:
    parameter = model.createParameter()
    parameter.setId(identifier)
    parameter.setValue(float(value))
    parameter.setConstant(True)
    parameter.setUnits("dimensionless")
    if name:
        parameter.setName(name)


def _species(model, identifier: str, name: str, level: float, boundary: bool, constant: bool) -> None:
    species = model.createSpecies()
    species.setId(identifier)
    species.setName(str(name))
    species.setCompartment("cell")
    species.setInitialConcentration(float(level))
    species.setSubstanceUnits("dimensionless")
    species.setHasOnlySubstanceUnits(False)
    species.setBoundaryCondition(boundary)
    species.setConstant(constant)


def _number(value: float) -> str:
    return f"{float(value)!r} dimensionless"


def _initial(model, identifiers: Sequence[str], table: np.ndarray) -> None:
    """Initial assignments that pick the level of the chosen case; ``table`` (C, names)."""
    for identifier, column in zip(identifiers, table.T, strict=True):
        if (column == column[0]).all():
            continue
        pieces = ", ".join(f"{_number(value)}, case == {_number(c)}" for c, value in enumerate(column[:-1]))
        assignment = model.createInitialAssignment()
        assignment.setSymbol(identifier)
        assignment.setMath(parsed(f"piecewise({pieces}, {_number(column[-1])})"))


def _events(model, identifiers: Sequence[str], levels: np.ndarray, dt: float) -> None:
    """One event for every moment at which an input of a case changes."""
    for c, table in enumerate(levels):
        for t in 1 + np.flatnonzero((table[1:] != table[:-1]).any(1)):
            event = model.createEvent()
            event.setId(f"change_{c}_{t}")
            event.setUseValuesFromTriggerTime(True)
            trigger = event.createTrigger()
            trigger.setInitialValue(True)
            trigger.setPersistent(True)
            trigger.setMath(parsed(f"(time >= {_number(t * dt)}) && (case == {_number(c)})"))
            for i, identifier in enumerate(identifiers):
                if table[t, i] != table[t - 1, i]:
                    assignment = event.createEventAssignment()
                    assignment.setVariable(identifier)
                    assignment.setMath(parsed(_number(table[t, i])))


def _reactions(model, signs, b, k, regulators, genes, identifier) -> None:
    _parameter(model, "decay_rate", 1.0, "loss of every gene product, 1 / lifetime")
    short = [identifier[regulator] for regulator in regulators]
    for j, gene in enumerate(genes):
        links = [(f"b_{source}_to_{identifier[gene]}", f"K_{source}_to_{identifier[gene]}") for source in short]
        production = _reaction(model, f"production_of_{identifier[gene]}", f"production of {gene}")
        for i in np.flatnonzero(signs[:, j]):
            if signs[i, j] > 0:
                _parameter(model, links[i][0], b[i, j], f"largest production of {gene} by {regulators[i]}")
            _parameter(model, links[i][1], k[i, j], f"level of {regulators[i]} with half its effect on {gene}")
            production.createModifier().setSpecies(short[i])
        _end(production.createProduct(), identifier[gene])
        production.createKineticLaw().setMath(parsed(f"cell * {rate_formula(signs[:, j], links, short)}"))
        loss = _reaction(model, f"loss_of_{identifier[gene]}", f"loss of {gene}")
        _end(loss.createReactant(), identifier[gene])
        loss.createKineticLaw().setMath(parsed(f"cell * decay_rate * {identifier[gene]}"))


def _reaction(model, identifier: str, name: str):
    reaction = model.createReaction()
    reaction.setId(identifier)
    reaction.setName(name)
    reaction.setReversible(False)
    return reaction


def _end(reference, identifier: str) -> None:
    reference.setSpecies(identifier)
    reference.setStoichiometry(1.0)
    reference.setConstant(True)
