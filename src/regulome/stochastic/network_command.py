"""The command ``regulome network``: what a network file says, what is odd about it, and the same in another format."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from regulome.errors import UserError
from regulome.stochastic import network_json, networks
from regulome.stochastic.checks import ERROR, Finding, examine
from regulome.stochastic.network import StateTransitionNetwork


def run(
    network: str, write: Path | None = None, infer: Sequence[str] = (), value: Sequence[str] = (), force: bool = False
) -> StateTransitionNetwork:
    """Print a network and everything that was found by `checks.examine`; write it as JSON or SBML.

    Parameters
    ----------
    network
        JSON or SBML file, or the name of an example.
    write
        File to write, ending in .json, .xml or .sbml.
    infer
        "NAME=LOW:HIGH" for each parameter of an SBML model that is to have a box.
    value
        "NAME=VALUE" of parameters, for SBML, which holds one parameter set (default: the middle of the box).
    force
        Replace a file that exists.

    Raises
    ------
    UserError
        If the network has a mistake, or an option or the file to write is no good.
    """
    found, notes = _read(network, dict(_pair(text, "--infer", _box) for text in infer))
    values = dict(_pair(text, "--value", _number) for text in value)
    if write is not None:
        _check_target(write, values, force)
    print(described(found))
    findings = examine(found, strict=False)
    for note in notes:
        print(f"note: {note}")
    for finding in findings:
        if finding.level != ERROR:
            print(f"{finding.level}: {finding.message.removeprefix(found.source + ': ')}")
    _refuse(findings)
    if write is not None:
        _write(found, write, values)
        print(write)
    return found


def list_examples() -> None:
    """Print the example networks, each with what its file says about it."""
    for name, about in networks.examples().items():
        print(textwrap.fill(f"{name}: {about}", 110, subsequent_indent="    "))


def described(network: StateTransitionNetwork) -> str:
    """A network in a few lines: states, events, parameters, what is recorded."""
    lines = [f"{network.name}: {len(network.states)} states, {len(network.events)} events, "
             f"{len(network.parameters)} parameters"]  # fmt: skip
    start = zip(network.states, network.start, strict=True)
    lines.append("states: " + ", ".join(f"{state} = {count}" for state, count in start))
    width = max((len(event.name) for event in network.events), default=0)
    for event in network.events:
        change = ", ".join(f"{state} {amount:+d}" for state, amount in event.change.items() if amount)
        rate = event.rate
        if event.waiting is not None:
            rate = f"Gamma waiting time, shape {event.waiting.shape}, mean {event.waiting.mean}"
        lines.append(f"  {event.name:{width}}  {change:24}  {rate}")
    for trigger in network.triggers:
        sets = ", ".join(f"{state} = {text}" for state, text in trigger.assignments.items())
        lines.append(f"  when {trigger.condition}: {sets}")
    lines += [f"  {name} = {text}" for name, text in network.derived.items()]
    lines += [f"  {p.name} from {p.low:g} to {p.high:g}{'' if p.log else ' (linear)'}" for p in network.parameters]
    if network.constants:
        lines.append("constants: " + ", ".join(f"{name} = {value:g}" for name, value in network.constants.items()))
    bounds = ", ".join(
        f"{name} 0-{network.bounds[name] - 1}" if name in network.bounds else name for name in network.recorded
    )
    lines.append(f"recorded: {bounds}; observed: {', '.join(network.observed)}")
    return "\n".join(lines)


def _read(name: str, boxes: Mapping[str, tuple[float, float]]) -> tuple[StateTransitionNetwork, tuple[str, ...]]:
    path = Path(name).expanduser()
    if path.suffix.lower() in networks.SBML:
        from regulome.stochastic import sbml_import

        found = sbml_import.read_file(path, boxes)
        return found.network, found.notes
    if boxes:
        raise UserError("--infer is for SBML files; boxes of a JSON file stand in it")
    if path.suffix.lower() == ".json":
        file = network_json.read_file(path)
        return file.network, file.notes
    return networks.load(name), ()


def _refuse(findings: Sequence[Finding]) -> None:
    mistakes = [finding.message for finding in findings if finding.level == ERROR]
    if mistakes:
        raise UserError("\n".join(mistakes))


def _check_target(write: Path, values: Mapping[str, float], force: bool) -> None:
    suffix = write.suffix.lower()
    if suffix not in (".json", *networks.SBML):
        raise UserError(f"--write {write}: expected a file that ends in .json, .xml or .sbml")
    if values and suffix == ".json":
        raise UserError("--value is for SBML files; a JSON file holds boxes")
    if write.exists() and not force:
        raise UserError(f"--write {write}: is there already; expected a new file, or --force")
    if not write.parent.is_dir():
        raise UserError(f"--write {write}: there is no folder {write.parent}")


def _write(network: StateTransitionNetwork, path: Path, values: Mapping[str, float]) -> None:
    if path.suffix.lower() == ".json":
        network_json.write_network(network, path)
        return
    from regulome.stochastic.sbml_export import to_sbml

    middle = dict(zip(network.parameter_names, network.box.mean(1), strict=True))
    path.write_text(to_sbml(network, network.theta(middle | dict(values))), encoding="utf-8")


def _pair(text: str, option: str, read) -> tuple:
    name, sign, rest = text.partition("=")
    if not sign or not name:
        raise UserError(f"{option} {text}: expected NAME=..., such as {option} k={'1:10' if read is _box else '2.5'}")
    return name, read(rest, f"{option} {text}")


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{where}: found '{text}', expected a number") from None


def _box(text: str, where: str) -> tuple[float, float]:
    low, sign, high = text.partition(":")
    if not sign:
        raise UserError(f"{where}: found '{text}', expected LOW:HIGH")
    return _number(low, where), _number(high, where)
