"""Small SBML models as text, one helper an element, for tests of the importer."""

import re

import libsbml

SPACES = {
    (2, 1): "http://www.sbml.org/sbml/level2",
    (2, 4): "http://www.sbml.org/sbml/level2/version4",
    (3, 1): "http://www.sbml.org/sbml/level3/version1/core",
    (3, 2): "http://www.sbml.org/sbml/level3/version2/core",
}


def math(formula: str) -> str:
    text = libsbml.writeMathMLToString(libsbml.parseL3Formula(formula))
    text = re.sub(r"<\?xml.*?\?>\s*", "", text)
    text = re.sub(r' sbml:units="[^"]*"', "", text)  # units of numbers are of Level 3 alone
    return re.sub(r'xmlns:sbml="[^"]*"', "", text)


def species(
    name, amount=None, level=3, concentration=None, only_substance=True, boundary=False, constant=False, more=""
):
    start = f'initialAmount="{amount}"' if amount is not None else ""
    start += f'initialConcentration="{concentration}"' if concentration is not None else ""
    flags = f'hasOnlySubstanceUnits="{str(only_substance).lower()}" boundaryCondition="{str(boundary).lower()}"'
    return f'<species id="{name}" compartment="Cell" {start} {flags} constant="{str(constant).lower()}" {more}/>'


def parameter(name, value, constant=True):
    value = f'value="{value}"' if value is not None else ""
    return f'<parameter id="{name}" {value} constant="{str(constant).lower()}"/>'


def ends(kind, pairs, level):
    constant = ' constant="true"' if level == 3 else ""
    inner = "".join(
        f'<speciesReference species="{s}" stoichiometry="{n}"{constant}/>' if not str(n).startswith("<") else n
        for s, n in pairs.items()
    )
    return f"<listOf{kind}>{inner}</listOf{kind}>" if inner else ""


def reaction(name, reactants, products, law, level=3, local=(), modifiers=(), attributes=None):
    if attributes is None:
        attributes = {(3): 'reversible="false" fast="false"', (2): 'reversible="false"'}[level]
    kind = "LocalParameter" if level == 3 else "Parameter"
    tag = kind[0].lower() + kind[1:]
    inner = "".join(f'<{tag} id="{n}" value="{v}"/>' for n, v in dict(local).items())
    inner = f"<listOf{kind}s>{inner}</listOf{kind}s>" if inner else ""
    seen = "".join(f'<modifierSpeciesReference species="{m}"/>' for m in modifiers)
    seen = f"<listOfModifiers>{seen}</listOfModifiers>" if seen else ""
    law = f"<kineticLaw>{math(law)}{inner}</kineticLaw>" if law else ""
    return (
        f'<reaction id="{name}" {attributes}>{ends("Reactants", reactants, level)}{ends("Products", products, level)}'
        f"{seen}{law}</reaction>"
    )


def event(name, trigger, assignments, level=3, more="", initial="true"):
    flags = f'initialValue="{initial}" persistent="true"' if level == 3 else ""
    use = 'useValuesFromTriggerTime="true"' if level == 3 else ""
    sets = "".join(f'<eventAssignment variable="{v}">{math(f)}</eventAssignment>' for v, f in assignments.items())
    return (
        f'<event id="{name}" {use}><trigger {flags}>{math(trigger)}</trigger>{more}'
        f"<listOfEventAssignments>{sets}</listOfEventAssignments></event>"
    )


def rule(name, formula, kind="assignmentRule"):
    variable = f' variable="{name}"' if kind != "algebraicRule" else ""
    return f"<{kind}{variable}>{math(formula)}</{kind}>"


def inside(tag, formula):
    return f"<{tag}>{math(formula)}</{tag}>"


def start(name, formula):
    return f'<initialAssignment symbol="{name}">{math(formula)}</initialAssignment>'


def function(name, arguments, formula):
    return f'<functionDefinition id="{name}">{math(f"lambda({arguments}, {formula})")}</functionDefinition>'


def model(level=(3, 1), size=1, attributes="", functions=(), units="", compartment=None, **parts):
    """A document; parts are species, parameters, starts, rules, reactions, events: lists of text."""
    if compartment is None:
        flags = ' spatialDimensions="3" constant="true"' if level[0] == 3 else ""
        compartment = f'<compartment id="Cell"{f" size={chr(34)}{size}{chr(34)}" if size else ""}{flags}/>'
    order = [("FunctionDefinitions", functions), ("UnitDefinitions", [units] if units else []),
             ("Compartments", [compartment]), ("Species", parts.get("species", ())),
             ("Parameters", parts.get("parameters", ())), ("InitialAssignments", parts.get("starts", ())),
             ("Rules", parts.get("rules", ())), ("Reactions", parts.get("reactions", ())),
             ("Events", parts.get("events", ()))]  # fmt: skip
    body = "\n".join(f"<listOf{name}>\n" + "\n".join(items) + f"\n</listOf{name}>" for name, items in order if items)
    if level == (3, 2):  # which has no fast reactions
        body = body.replace(' fast="false"', "")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<sbml xmlns="{SPACES[level]}" level="{level[0]}" version="{level[1]}">'
        f'\n<model id="test" {attributes}>\n{body}\n</model>\n</sbml>\n'
    )
