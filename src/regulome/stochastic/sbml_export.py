"""Networks as SBML Level 3 Version 2, for COPASI, libRoadRunner, GillesPy2 and others.

Species are counts (``hasOnlySubstanceUnits``) in a compartment of size 1, propensities are kinetic laws, parameters
have the values that are asked for. A state that a propensity reads and the event does not change is a modifier.
"""

import re
import unicodedata

import numpy as np

from regulome.errors import UserError
from regulome.sbml_text import checked, identifiers, parsed
from regulome.stochastic.network import Event, StateTransitionNetwork
from regulome.stochastic.rates import Rate
from regulome.stochastic.sbml_formula import Formula


def to_sbml(network: StateTransitionNetwork, theta: np.ndarray) -> str:
    """Write a network with one parameter set.

    Parameters
    ----------
    theta
        (P,) values of the parameters.

    Returns
    -------
    str
        The document. Identifiers are plain letters (σu becomes sigmau); names keep the original.

    Raises
    ------
    UserError
        If an event has a waiting time that is not exponential, which SBML cannot say, or a number is not finite.
    """
    theta = np.asarray(theta, float)
    if theta.shape != (len(network.parameters),) or not np.isfinite(theta).all():
        raise UserError(
            f"{network.source}: found the parameters {theta.tolist()}, expected {len(network.parameters)} finite "
            f"numbers ({', '.join(network.parameter_names)})"
        )
    return _Writer(network, dict(zip(network.parameter_names, theta.tolist(), strict=True))).document()


def plain_names(network: StateTransitionNetwork) -> dict[str, str]:
    """SBML identifier of every state, parameter, constant and derived output; Greek letters are spelt."""
    names = [*network.states, *network.parameter_names, *network.constants, *network.derived]
    spelt = [re.sub(r"[^\x00-\x7f]", _letter, unicodedata.normalize("NFKC", name)) for name in names]
    found: dict[str, str] = {}
    for name, plain in zip(names, spelt, strict=True):
        plain = identifiers([plain])[plain]
        while plain in found.values():
            plain += "_"
        found[name] = plain
    return found


def _letter(match: re.Match) -> str:
    words = unicodedata.name(match[0], "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        word = words[words.index("LETTER") + 1]
        return word.capitalize() if "CAPITAL" in words else word.lower()
    return "_"


class _Writer:
    def __init__(self, network: StateTransitionNetwork, theta: dict[str, float]):
        self.network, self.theta = network, theta
        self.ids = plain_names(network)
        self.values = theta | {name: float(value) for name, value in network.constants.items()}
        self.names = (*network.states, *self.values)

    def document(self) -> str:
        import libsbml

        document = libsbml.SBMLDocument(3, 2)
        self.model = model = document.createModel()
        model.setName(self.network.name)
        for unit, kind in (("Substance", "item"), ("Extent", "item"), ("Time", "dimensionless")):
            getattr(model, f"set{unit}Units")(kind)
        cell = model.createCompartment()
        for field, value in (("Id", "cell"), ("Constant", True), ("Size", 1.0), ("SpatialDimensions", 3)):
            getattr(cell, f"set{field}")(value)
        cell.setUnits("dimensionless")
        for name, count in zip(self.network.states, self.network.start, strict=True):
            self._species(name, count)
        for name, value in self.values.items():
            self._parameter(name, value)
        for name, text in self.network.derived.items():
            self._parameter(name, None)
            rule = model.createAssignmentRule()
            rule.setVariable(self.ids[name])
            rule.setMath(parsed(self._formula(text).number()))
        events = [event.name for event in self.network.events]
        for event, identifier in zip(self.network.events, self._others(events), strict=True):
            self._reaction(event, identifier)
        triggers = [trigger.name for trigger in self.network.triggers]
        for trigger, identifier in zip(self.network.triggers, self._others(triggers), strict=True):
            self._trigger(trigger, identifier)
        model.setId(self._others([self.network.name])[0])
        return checked(document)

    def _others(self, names: list[str]) -> list[str]:
        """Identifiers, for events, triggers or the model, that nothing else has."""
        found = []
        for plain in identifiers(names).values():
            while plain in self.ids.values() or self.model.getElementBySId(plain) is not None:
                plain += "_"
            found.append(plain)
        return found

    def _formula(self, text: str | float, time: bool = False) -> Formula:
        names = (*self.names, "time") if time else self.names
        return Formula(Rate(text, names, self.network.source), self.ids | {"time": "time"}, self.values)

    def _species(self, name: str, count: int) -> None:
        species = self.model.createSpecies()
        species.setId(self.ids[name])
        species.setName(name)
        species.setCompartment("cell")
        species.setInitialAmount(float(count))
        species.setSubstanceUnits("item")
        species.setHasOnlySubstanceUnits(True)
        species.setBoundaryCondition(False)
        species.setConstant(False)

    def _parameter(self, name: str, value: float | None) -> None:
        parameter = self.model.createParameter()
        parameter.setId(self.ids[name])
        parameter.setName(name)
        parameter.setConstant(value is not None)
        if value is not None:
            parameter.setValue(value)

    def _reaction(self, event: Event, identifier: str) -> None:
        reaction = self.model.createReaction()
        reaction.setId(identifier)
        reaction.setName(event.name)
        reaction.setReversible(False)
        rate = self._rate(event)
        for state, change in event.change.items():
            if change:
                end = reaction.createReactant() if change < 0 else reaction.createProduct()
                end.setSpecies(self.ids[state])
                end.setStoichiometry(float(abs(change)))
                end.setConstant(True)
        for state in self.network.states:
            if state in rate.rate.names and not event.change.get(state, 0) < 0:
                reaction.createModifier().setSpecies(self.ids[state])
        reaction.createKineticLaw().setMath(parsed(rate.number()))

    def _rate(self, event: Event) -> Formula:
        if event.waiting is None:
            return self._formula(event.rate)
        shape = float(Rate(event.waiting.shape, self.values)(**self.values))
        if shape != 1:
            raise UserError(
                f"{self.network.source}: event '{event.name}': its waiting time has the shape {shape:.4g}; SBML can "
                "say exponential times (shape 1) alone"
            )
        reactant = next(state for state, change in event.change.items() if change < 0)
        return self._formula(f"{reactant} / ({event.waiting.mean})")

    def _trigger(self, trigger, identifier: str) -> None:
        event = self.model.createEvent()
        event.setId(identifier)
        event.setName(trigger.name)
        event.setUseValuesFromTriggerTime(True)
        condition = event.createTrigger()
        condition.setInitialValue(True)
        condition.setPersistent(True)
        condition.setMath(parsed(self._formula(trigger.condition, time=True).condition()))
        for state, text in trigger.assignments.items():
            assignment = event.createEventAssignment()
            assignment.setVariable(self.ids[state])
            assignment.setMath(parsed(self._formula(text).number()))
