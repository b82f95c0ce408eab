"""Networks from SBML, Level 2 and 3.

Reactions become events, species become states in counts, parameters become constants or, where a box is given for
them, parameters of the network. Kinetic laws are taken as propensities (molecules per time): stochastic models are
written that way. Read are compartments of constant size, concentrations, boundary and constant species, local
parameters, function definitions, initial assignments, assignment rules (written out; what they define is a derived
output), conversion factors, and events without delay. Units are not converted.

Refused, with file, element and line: rate rules and algebraic rules, fast reactions, reversible reactions whose rate
can be negative, stoichiometries that are not whole or not constant, delays and priorities of events, required packages.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import libsbml

from regulome.errors import UserError, closest
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork, Trigger
from regulome.stochastic.sbml_math import plain_number
from regulome.stochastic.sbml_symbols import Symbols, listed


@dataclass(frozen=True)
class SbmlFile:
    """What a file holds: the network, and one sentence for each thing that was assumed."""

    network: StateTransitionNetwork
    notes: tuple[str, ...]


def read_sbml(path: str | Path, parameters: Mapping[str, tuple[float, float]] | None = None) -> StateTransitionNetwork:
    """Read a network from an SBML file.

    Parameters
    ----------
    parameters
        Parameters of the model that are to be inferred, each with the bounds of its box; the others are constants with
        the value of the file. A local parameter k of reaction R is called ``R_k``.

    Raises
    ------
    UserError
        If the file is no SBML, or has an element that a stochastic simulator cannot honour; the message names file,
        element and line.
    """
    return read_file(path, parameters).network


def read_file(path: str | Path, parameters: Mapping[str, tuple[float, float]] | None = None) -> SbmlFile:
    """As `read_sbml`, with what was assumed."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    return from_sbml(text, str(path), parameters)


def from_sbml(
    text: str, source: str = "model", parameters: Mapping[str, tuple[float, float]] | None = None
) -> SbmlFile:
    """Network from the text of an SBML file; ``source`` names it in messages."""
    if not text.strip():
        raise UserError(f"{source}: the file is empty; expected SBML")
    document = libsbml.readSBMLFromString(text)  # keeps the model alive
    _check_document(document, source)
    model = document.getModel()
    symbols = Symbols(model, source)
    _check_rules(symbols)
    events = tuple(event for r in symbols.reactions.values() if (event := _event(r, symbols)).change)
    triggers = tuple(_trigger(event, i, symbols) for i, event in enumerate(listed(model.getListOfEvents())))
    derived = {
        symbols.names[name]: symbols.text(name)
        for name in symbols.rules
        if name in {*symbols.species, *symbols.parameters}
    }
    for name in symbols.parameters:  # also those that no formula uses
        if name not in symbols.rules and name not in symbols.steps:
            symbols.text(name)
    counters = {counter: 0 for counter, _ in symbols.steps.values()}
    network = StateTransitionNetwork(
        name=model.getId() or Path(source).stem,
        states=(*symbols.states.values(), *counters),
        events=events,
        parameters=_boxes(parameters or {}, symbols),
        initial={name: _start(identifier, symbols) for identifier, name in symbols.states.items()} | counters,
        recorded=tuple(symbols.states.values()),
        constants={name: value for name, value in symbols.constants.items() if name not in (parameters or {})},
        derived=derived,
        triggers=triggers,
        source=source,
    )
    _check_reversible(symbols, network)
    still = [r for r in symbols.reactions if r not in {event.name for event in events}]
    symbols.notes += [f"reaction '{name}' changes no count: left out" for name in still]
    return SbmlFile(network, tuple(symbols.notes))


# --- the document


def _check_document(document, source: str) -> None:
    for category in (
        libsbml.LIBSBML_CAT_UNITS_CONSISTENCY,
        libsbml.LIBSBML_CAT_MODELING_PRACTICE,
        libsbml.LIBSBML_CAT_SBO_CONSISTENCY,
    ):
        document.setConsistencyChecks(category, False)
    _refuse_errors(document, source)
    if document.getLevel() not in (2, 3):
        raise UserError(f"{source}: SBML Level {document.getLevel()}, expected Level 2 or 3")
    if document.getModel() is None:
        raise UserError(f"{source}: no model in the file, expected one")
    for i in range(document.getNumPlugins() if document.getLevel() == 3 else 0):
        package = document.getPlugin(i).getPackageName()
        needed = document.isSetPackageRequired(package) and document.getPackageRequired(package)
        if needed and package != "l3v2extendedmath":
            raise UserError(f"{source}: needs the SBML package '{package}', expected a model of SBML core alone")
    document.checkConsistency()
    _refuse_errors(document, source)


def _refuse_errors(document, source: str) -> None:
    log = document.getErrorLog()
    for i in range(log.getNumErrors()):
        error = log.getError(i)
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR and error.getErrorId() != libsbml.MissingXMLEncoding:
            lines = [line.strip() for line in error.getMessage().splitlines() if line.strip()]
            said = (lines[-1] if lines else error.getShortMessage()).rstrip(".")
            raise UserError(f"{source}, line {error.getLine()}: not valid SBML: {error.getShortMessage()}: {said}")


def _check_rules(symbols: Symbols) -> None:
    for rule in listed(symbols.model.getListOfRules()):
        name = rule.getVariable() or "algebraic"
        where = symbols.where(rule, name)
        if rule.isAlgebraic():
            raise UserError(f"{where}: algebraic rules cannot be simulated stochastically; write an assignment rule")
        if rule.isRate() and not (rule.getMath() is not None and rule.getMath().isNumber() and _is_zero(rule)):
            raise UserError(f"{where}: rate rules change a quantity continuously; write reactions instead")
        if name in symbols.compartments:
            raise UserError(f"{where}: the size of a compartment changes, expected a constant size")
        if name in symbols.references:
            raise UserError(f"{where}: a stoichiometry changes, expected a constant")
    for name, assignments in symbols.set_by_events.items():
        if name not in symbols.states and name not in symbols.parameters:
            raise UserError(f"{symbols.where(assignments[0][1], name)}: an event may set species and parameters alone")


def _is_zero(rule) -> bool:
    node = rule.getMath()
    return (node.getInteger() if node.isInteger() else node.getReal()) == 0


# --- species, parameters


def _start(identifier: str, symbols: Symbols) -> int:
    return _whole(symbols.count(identifier), f"{symbols.where(symbols.species[identifier])}: initial amount")


def _whole(value: float, where: str) -> int:
    if not math.isfinite(value) or abs(value - round(value)) > 1e-6 * max(1.0, abs(value)):
        raise UserError(f"{where}: {plain_number(value)}, expected a whole number of molecules")
    return round(value)


def _boxes(boxes: Mapping[str, tuple[float, float]], symbols: Symbols) -> tuple[Parameter, ...]:
    fixed = {symbols.names[s] for s in (*symbols.species, *symbols.compartments)}
    known = [name for name in symbols.constants if name not in fixed]
    for name in boxes:
        if name not in known:
            raise UserError(
                f"{symbols.source}: no constant parameter '{name}'{closest(name, known)}; expected {', '.join(known)}"
            )
        if name in symbols.frozen:
            raise UserError(
                f"{symbols.source}: '{name}' fixes an initial value, a stoichiometry or an event's assignment, so it "
                "cannot be inferred; expected another parameter"
            )
    return tuple(Parameter(name, *map(float, box)) for name, box in boxes.items())


# --- reactions


def _event(reaction, symbols: Symbols) -> Event:
    where = symbols.where(reaction)
    if reaction.isSetFast() and reaction.getFast():
        raise UserError(f"{where}: fast reactions cannot be simulated; expected fast='false'")
    change: dict[str, int] = {}
    for sign, references in ((-1, reaction.getListOfReactants()), (1, reaction.getListOfProducts())):
        for reference in listed(references):
            species = symbols.species[reference.getSpecies()]
            if species.getId() not in symbols.states or species.getBoundaryCondition():
                continue
            amount = _stoichiometry(reference, where, symbols) * _factor(species, where, symbols)
            name = symbols.names[species.getId()]
            change[name] = change.get(name, 0) + sign * _whole(amount, f"{where}: change of '{name}'")
    rate = symbols.law(reaction.getKineticLaw(), reaction)
    return Event(reaction.getId(), {name: n for name, n in change.items() if n}, rate)


def _stoichiometry(reference, where: str, symbols: Symbols) -> float:
    said = f"{where}: stoichiometry of '{reference.getSpecies()}'"
    if reference.isSetStoichiometryMath():
        return symbols.number(reference.getStoichiometryMath().getMath(), said, constant=True)
    name = reference.getId()
    if name and name in symbols.starts:
        return symbols.number(symbols.starts[name].getMath(), said, constant=True)
    if reference.getLevel() == 2:  # where it is 1 by default
        return reference.getStoichiometry()
    if not reference.isSetStoichiometry() or reference.getStoichiometry() != reference.getStoichiometry():
        raise UserError(f"{said}: is not given, expected a whole number")
    return reference.getStoichiometry()


def _factor(species, where: str, symbols: Symbols) -> float:
    """Conversion factor from extent of reaction to amount of this species."""
    name = species.getConversionFactor() or symbols.model.getConversionFactor()
    if not name:
        return 1.0
    symbols.frozen.add(symbols.names[name])
    return symbols.initial(name)


def _check_reversible(symbols: Symbols, network: StateTransitionNetwork) -> None:
    """Level 2 calls every reaction reversible by default: refuse those whose rate can be negative."""
    from regulome.stochastic.checks import examine

    suspects = {r.getId() for r in symbols.reactions.values() if r.getReversible()}
    suspects &= {event.name for event in network.events if "-" in str(event.rate)}
    if not suspects:
        return
    for finding in examine(network, strict=False):
        if finding.kind == "negative propensity" and finding.names[0] in suspects:
            reaction = symbols.reactions[finding.names[0]]
            said = finding.message.split("its propensity", 1)[1].split(";")[0]
            raise UserError(
                f"{symbols.where(reaction)}: is reversible and its rate can be negative:{said}; expected the two "
                "directions as two reactions"
            )


# --- events


def _trigger(event, number: int, symbols: Symbols) -> Trigger:
    name = event.getIdAttribute() or f"event {number + 1}"
    where = symbols.where(event, name)
    if event.isSetDelay() and symbols.number(event.getDelay().getMath(), f"{where}: delay") != 0:
        raise UserError(f"{where}: has a delay, which is not supported; expected none")
    if event.isSetPriority():
        raise UserError(f"{where}: has a priority, which is not supported; expected none")
    trigger = event.getTrigger()
    if trigger is None or not trigger.isSetMath():
        raise UserError(f"{where}: has no trigger, expected one")
    condition = symbols.formula(trigger.getMath(), where, time=True)
    late = event.getLevel() > 2 and not trigger.getInitialValue()
    if late and symbols.number(trigger.getMath(), where, freeze=False):
        raise UserError(f"{where}: fires at time 0; set the initial amounts instead")
    assignments = {}
    for assignment in listed(event.getListOfEventAssignments()):
        variable = assignment.getVariable()
        if variable in symbols.steps:
            place = [where for where, _ in symbols.set_by_events[variable]].index(number)
            assignments[symbols.steps[variable][0]] = str(place + 1)
            continue
        text = symbols.formula(assignment.getMath(), symbols.where(assignment, variable))
        if symbols.is_concentration(variable) and symbols.size(variable) != 1:
            text = f"({text}) * {symbols.text(symbols.species[variable].getCompartment())}"
        assignments[symbols.names[variable]] = text
    return Trigger(name, condition, assignments)
