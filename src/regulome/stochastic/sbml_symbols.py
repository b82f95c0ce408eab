"""What the identifiers of an SBML model stand for: an expression at any time, a number at time zero.

Counts are the states. A species that SBML reads as a concentration (no ``hasOnlySubstanceUnits``) stands in formulas as
count / size of its compartment. Units are not converted: substance is counted in molecules.
"""

from functools import cached_property

import libsbml
import numpy as np

from regulome.errors import UserError
from regulome.stochastic.rates import RESERVED, Rate
from regulome.stochastic.sbml_math import Translator, plain_number


def listed(elements) -> list:
    """The elements of one of libSBML's lists."""
    return [elements.get(i) for i in range(elements.size())]


class Symbols:
    """Identifiers of one model.

    Attributes
    ----------
    model
        The libSBML model; it must be kept alive by the caller's document.
    constants
        Values by name, as far as needed: parameters, species that never change, compartments, local parameters.
    frozen
        Names whose value has gone into a number: it could not be another later.
    notes
        What was assumed.
    """

    def __init__(self, model: libsbml.Model, source: str):
        self.model, self.source = model, source
        self.functions = {f.getId(): f for f in listed(model.getListOfFunctionDefinitions())}
        self.species = {s.getId(): s for s in listed(model.getListOfSpecies())}
        self.parameters = {p.getId(): p for p in listed(model.getListOfParameters())}
        self.compartments = {c.getId(): c for c in listed(model.getListOfCompartments())}
        self.reactions = {r.getId(): r for r in listed(model.getListOfReactions())}
        self.rules = {r.getVariable(): r for r in listed(model.getListOfRules()) if r.isAssignment()}
        self.starts = {a.getSymbol(): a for a in listed(model.getListOfInitialAssignments())}
        self.set_by_events: dict[str, list] = {}  # number of the event and its assignment
        for number, event in enumerate(listed(model.getListOfEvents())):
            for assignment in listed(event.getListOfEventAssignments()):
                self.set_by_events.setdefault(assignment.getVariable(), []).append((number, assignment))
        self.references = {}
        for reaction in self.reactions.values():
            for reference in [*listed(reaction.getListOfReactants()), *listed(reaction.getListOfProducts())]:
                if reference.isSetId():
                    self.references[reference.getId()] = reference
        self.names: dict[str, str] = {}
        for identifier in (*self.species, *self.parameters, *self.compartments):
            self.names[identifier] = self._free(identifier)
        self.constants: dict[str, float] = {}
        self.notes: list[str] = []
        self.frozen: set[str] = set()
        self._open: list[str] = []

    def _free(self, name: str) -> str:
        while name in RESERVED or name in self.names.values():
            name += "_"
        return name

    def where(self, element, identifier: str = "") -> str:
        """File, kind, identifier and line of an element, for messages."""
        said = identifier or element.getIdAttribute() or element.getId()
        return f"{self.source}: {element.getElementName()} '{said}', line {element.getLine()}"

    # --- what is what

    @cached_property
    def states(self) -> dict[str, str]:
        """Identifiers of the species that change, each with the name of its state."""
        return {
            identifier: self.names[identifier]
            for identifier, species in self.species.items()
            if identifier not in self.rules
            and not species.getConstant()
            and (not species.getBoundaryCondition() or identifier in self.set_by_events)
        }

    @cached_property
    def steps(self) -> dict[str, tuple[str, list[float]]]:
        """Parameters that events set to numbers: name of a counter of the value that holds, and the values."""
        return {
            name: (
                self._free(f"{self.names[name]}_step"),
                [self.initial(name), *(self.number(a.getMath(), self.where(a, name), True) for _, a in assignments)],
            )
            for name, assignments in self.set_by_events.items()
            if name in self.parameters
        }

    def is_concentration(self, identifier: str) -> bool:
        """Whether a species stands in formulas as its concentration."""
        species = self.species[identifier]
        flat = self.compartments[species.getCompartment()].getSpatialDimensionsAsDouble() == 0
        return not species.getHasOnlySubstanceUnits() and not flat

    def size(self, identifier: str) -> float:
        """Size of the compartment of a species."""
        return self.initial(self.species[identifier].getCompartment())

    # --- expressions

    def text(self, identifier: str, time: bool = False) -> str:
        """The expression of states and constants that an identifier stands for.

        Raises
        ------
        UserError
            If the model does not define it, or its definition leads back to itself.
        """
        if identifier in self.rules:
            rule = self.rules[identifier]
            return self._inside(identifier, lambda: self.formula(rule.getMath(), self.where(rule, identifier), time))
        if identifier in self.steps:
            counter, values = self.steps[identifier]
            text = plain_number(values[-1])
            for j in range(len(values) - 2, -1, -1):
                text = f"where({counter} <= {j}, {plain_number(values[j])}, {text})"
            return text
        if identifier in self.species:
            return self._species(identifier)
        if identifier in self.reactions:
            law = self.reactions[identifier].getKineticLaw()
            return self._inside(identifier, lambda: self.law(law, self.reactions[identifier]))
        value = self.initial(identifier)  # refuses what is not there
        if identifier in self.references:
            return plain_number(value)
        self.constants[self.names[identifier]] = value
        return self.names[identifier]

    def _species(self, identifier: str) -> str:
        name = self.names[identifier]
        if identifier not in self.states:
            self.constants[name] = self.count(identifier)
        if not self.is_concentration(identifier) or self.size(identifier) == 1:
            return name
        return f"{name} / {self.text(self.species[identifier].getCompartment())}"

    def formula(self, node, where: str, time: bool = False, local: dict[str, str] | None = None) -> str:
        """The expression of a formula of the model."""
        return Translator(lambda name: self.text(name, time), self.functions, where, time, local or {}).text(node)

    def law(self, law, reaction) -> str:
        """The expression of a kinetic law; its local parameters become constants ``reaction_parameter``."""
        where = self.where(reaction)
        if law is None or not law.isSetMath():
            raise UserError(f"{where}: has no kinetic law, expected a propensity")
        local = {}
        for parameter in listed(
            law.getListOfLocalParameters() if law.getNumLocalParameters() else law.getListOfParameters()
        ):
            key = f"{reaction.getId()}/{parameter.getId()}"
            if key not in self.names:
                self.names[key] = self._free(f"{reaction.getId()}_{parameter.getId()}")
            self.constants[self.names[key]] = self._value(parameter)
            local[parameter.getId()] = self.names[key]
        return self.formula(law.getMath(), where, local=local)

    # --- numbers at time zero

    def initial(self, identifier: str) -> float:
        """Value at time zero, as formulas see it (a concentration where they do)."""
        definition = self.starts.get(identifier) or self.rules.get(identifier)
        if definition is not None:
            where = self.where(definition, identifier)
            return self._inside(identifier, lambda: self.number(definition.getMath(), where))
        if identifier in self.compartments:
            return self._volume(self.compartments[identifier])
        if identifier in self.parameters:
            return self._value(self.parameters[identifier])
        if identifier in self.references:
            return self.references[identifier].getStoichiometry()
        if identifier in self.species:
            return self._initial_species(identifier)
        raise UserError(f"{self.source}: '{identifier}' stands in a formula and is not defined as a value")

    def number(self, node, where: str, constant: bool = False, freeze: bool = True) -> float:
        """A formula at time zero; with ``constant`` it may not use what changes, with ``freeze`` its names are frozen.

        Raises
        ------
        UserError
            If the result is not a finite number.
        """

        def symbol(name: str) -> str:
            if constant and (name in self.states or name in self.rules or name in self.set_by_events):
                raise UserError(f"{where}: depends on '{name}', which changes; expected constants alone")
            if freeze:
                self.frozen.add(self.names.get(name, name))
            return plain_number(self.initial(name))

        text = Translator(symbol, self.functions, where, time=not constant).text(node)
        value = float(Rate(text, ("time",), where)(time=0.0))
        if not np.isfinite(value):
            raise UserError(f"{where}: has the value {value}, expected a finite number")
        return value

    def count(self, identifier: str) -> float:
        """Amount of a species at time zero."""
        value = self.initial(identifier)
        return value * self.size(identifier) if self.is_concentration(identifier) else value

    def _initial_species(self, identifier: str) -> float:
        species = self.species[identifier]
        if species.isSetInitialAmount():
            amount = species.getInitialAmount()
            return amount / self.size(identifier) if self.is_concentration(identifier) else amount
        if species.isSetInitialConcentration():
            level = species.getInitialConcentration()
            return level if self.is_concentration(identifier) else level * self.size(identifier)
        raise UserError(f"{self.where(species)}: has no initial amount or concentration, expected one")

    def _volume(self, compartment) -> float:
        if compartment.isSetSize():
            if not compartment.getSize() > 0:
                raise UserError(f"{self.where(compartment)}: size {compartment.getSize()}, expected a number above 0")
            return compartment.getSize()
        note = f"compartment '{compartment.getId()}' has no size: 1 is used"
        if note not in self.notes:
            self.notes.append(note)
        return 1.0

    def _value(self, parameter) -> float:
        if not parameter.isSetValue() or not np.isfinite(parameter.getValue()):
            raise UserError(f"{self.where(parameter)}: has no finite value, expected one")
        return parameter.getValue()

    def _inside(self, identifier: str, work):
        """Follow a definition once: it may not lead back to itself."""
        if identifier in self._open:
            raise UserError(f"{self.source}: the definition of '{identifier}' leads back to itself")
        self._open.append(identifier)
        try:
            return work()
        finally:
            self._open.remove(identifier)
