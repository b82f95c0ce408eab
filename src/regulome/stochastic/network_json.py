"""Networks in JSON: the published form with all its keys, and a few more of ours.

The published keys::

    model_name                 text
    state_names                ["ON", "OFF", "mRNA"]
    initial_val                counts in the order of state_names
    events                     [{"state_transition": {"OFF": -1, "ON": 1}, "event_rates": "kon * OFF"}, ...]
    parameters                 {"param_names": [...], "lower_bound_val": [...], "upper_bound_val": [...]}
    minimal_state_indices      recorded states, counted from 1 in state_names (default: all)
    state_upper_bound          number of values of each recorded state (default: derived from moments where needed)
    observed_data_indices      states that an experiment sees, counted from 1 in state_names (default: all recorded)
    t_end, train_data_size, valid_data_size, dataset_dir      settings of a data set, kept beside the network

``event_rates`` is the full propensity: mass action is not multiplied in. An event may have ``drive_state``, a state
that must be present and does not change; as the propensity says so already, it is only checked. Keys of ours, all
optional::

    about                      text
    recorded, observed         names, in place of the two lists of indices
    constants                  {"name": number} for use in rates
    derived                    {"name": "expression of states and parameters"}, further outputs
    triggers                   [{"name": ..., "condition": "time >= 25", "assignments": {"mRNA": "0"}}, ...]
    time                       time that data describe, if they are not stationary
    events: name               name of the event (default: made from its change, "OFF -> ON")
    events: waiting            {"shape": ..., "mean": ...}: Gamma waiting time of each molecule, in place of event_rates

``initial_val`` and ``state_upper_bound`` may also be mappings by state, and ``parameters`` one from name to
``[low, high]``. A parameter whose lower bound is positive stands as its logarithm in a solver's prompt, any other as
itself.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regulome.errors import UserError
from regulome.stochastic import json_values as check
from regulome.stochastic.json_events import read_events, read_triggers
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork

SETTINGS = {
    "t_end": check.number,
    "train_data_size": check.whole,
    "valid_data_size": check.whole,
    "dataset_dir": check.text,
}
_KEYS = ("about", "model_name", "state_names", "initial_val", "events", "parameters", "minimal_state_indices")
_KEYS += ("recorded", "state_upper_bound", "observed_data_indices", "observed", "constants", "derived", "triggers")
_KEYS += ("time", *SETTINGS)
_PARAMETER_KEYS = ("param_names", "lower_bound_val", "upper_bound_val")


@dataclass(frozen=True)
class NetworkFile:
    """What a file holds.

    Attributes
    ----------
    about
        The text of the file about itself.
    settings
        Published settings of a data set: t_end, train_data_size, valid_data_size, dataset_dir, as far as given.
    notes
        What the file leaves open and how it was read, one sentence each.
    """

    network: StateTransitionNetwork
    about: str
    settings: dict[str, Any]
    notes: tuple[str, ...]


def read_network(path: str | Path) -> StateTransitionNetwork:
    """Read a network from a JSON file (format: see the module).

    Raises
    ------
    UserError
        Naming file, field and index, with what was found and what was expected.
    """
    return read_file(path).network


def read_file(path: str | Path) -> NetworkFile:
    """Read a network with everything else that its file says."""
    return parse(check.read(Path(path)), str(path))


def from_json(content: dict, source: str = "network") -> StateTransitionNetwork:
    """Network from the mapping that a JSON file holds; ``source`` names it in messages."""
    return parse(content, source).network


def write_network(network: StateTransitionNetwork, path: str | Path, about: str = "", settings: dict | None = None):
    """Write a network as JSON; parameters as above."""
    content = to_json(network, about, settings)
    Path(path).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def to_json(network: StateTransitionNetwork, about: str = "", settings: dict | None = None) -> dict[str, Any]:
    """A network in the published form; keys of ours only where the published ones cannot say it."""
    states = list(network.states)
    content: dict[str, Any] = {"model_name": network.name} | ({"about": about} if about else {})
    content |= {"state_names": states, "initial_val": network.start.tolist()}
    content["events"] = [_event_to_json(event) for event in network.events]
    content["parameters"] = {
        "param_names": list(network.parameter_names),
        "lower_bound_val": [parameter.low for parameter in network.parameters],
        "upper_bound_val": [parameter.high for parameter in network.parameters],
    }
    content["minimal_state_indices"] = [states.index(name) + 1 for name in network.recorded]
    if network.bounds:
        every = all(name in network.bounds for name in network.recorded)
        content["state_upper_bound"] = (
            [int(network.bounds[name]) for name in network.recorded] if every else dict(network.bounds)
        )
    content["observed_data_indices"] = [states.index(name) + 1 for name in network.observed]
    for key in ("constants", "derived"):
        if getattr(network, key):
            content[key] = dict(getattr(network, key))
    if network.triggers:
        content["triggers"] = [
            {"name": t.name, "condition": t.condition, "assignments": dict(t.assignments)} for t in network.triggers
        ]
    if network.time is not None:
        content["time"] = network.time
    return content | dict(settings or {})


def _event_to_json(event: Event) -> dict[str, Any]:
    content = {"name": event.name, "state_transition": dict(event.change)}
    if event.waiting is not None:
        return content | {"waiting": {"shape": event.waiting.shape, "mean": event.waiting.mean}}
    return content | {"event_rates": event.rate}


# --- reading


def parse(content: Any, source: str = "network") -> NetworkFile:
    """Network, text, settings and notes from the content of a file."""
    check.mapping(content, _KEYS, source, "the keys of a network")
    for key in ("state_names", "events"):
        if key not in content:
            raise UserError(f"{source}: key '{key}' is missing")
    notes: list[str] = []
    states = check.names(content["state_names"], f"{source}: state_names")
    if not states:
        raise UserError(f"{source}: state_names: found an empty list, expected at least one state")
    for i, name in enumerate(states):
        if name in states[:i]:
            raise UserError(f"{source}: state_names[{i}]: '{name}' is given twice")
    recorded = _chosen(content, "minimal_state_indices", "recorded", states, source, notes) or states
    observed = _chosen(content, "observed_data_indices", "observed", states, source, notes)
    _check_observed(content, observed, recorded, source)
    if not observed:
        notes.append(f"observed_data_indices is not given: all recorded states are observed ({', '.join(recorded)})")
    bounds = check.by_name(content.get("state_upper_bound", {}), recorded, f"{source}: state_upper_bound", check.whole)
    open_bounds = [name for name in recorded if name not in bounds]
    if open_bounds:
        notes.append(f"state_upper_bound is not given for {', '.join(open_bounds)}: derived from moments where needed")
    parameters = _parameters(content.get("parameters", {}), f"{source}: parameters")
    linear = [parameter.name for parameter in parameters if not parameter.log]
    if linear:
        notes.append(f"lower bound not positive: {', '.join(linear)} stands as itself, not as its logarithm")
    time = content.get("time")
    network = StateTransitionNetwork(
        name=check.text(content.get("model_name", "network"), f"{source}: model_name"),
        states=states,
        events=read_events(content["events"], states, f"{source}: events"),
        parameters=parameters,
        initial=check.by_name(content.get("initial_val", {}), states, f"{source}: initial_val", check.whole),
        recorded=recorded,
        bounds=bounds,
        observed=observed,
        constants=check.table(content.get("constants", {}), f"{source}: constants", check.number),
        derived=check.table(content.get("derived", {}), f"{source}: derived", check.formula),
        triggers=read_triggers(content.get("triggers", []), f"{source}: triggers"),
        time=None if time is None else check.number(time, f"{source}: time"),
        source=source,
    )
    return NetworkFile(
        network, check.text(content.get("about", ""), f"{source}: about"), _settings(content, source), tuple(notes)
    )


def _parameters(content: Any, where: str) -> tuple[Parameter, ...]:
    if not isinstance(content, dict):
        raise UserError(f"{where}: found {content!r}, expected {', '.join(_PARAMETER_KEYS)}")
    if not set(content) & set(_PARAMETER_KEYS):
        boxes = {name: check.items(box, f"{where}: {name}") for name, box in content.items()}
        for name, box in boxes.items():
            if len(box) != 2:
                raise UserError(f"{where}: {name}: found {box!r}, expected [low, high]")
        return tuple(
            Parameter(name, *(check.number(v, f"{where}: {name}[{i}]") for i, v in enumerate(box)))
            for name, box in boxes.items()
        )
    check.mapping(content, _PARAMETER_KEYS, where, "parameters")
    lists = [check.items(content.get(key), f"{where}: {key}") for key in _PARAMETER_KEYS]
    for key, entries in zip(_PARAMETER_KEYS, lists, strict=True):
        if len(entries) != len(lists[0]):
            raise UserError(f"{where}: {key}: found {len(entries)} entries, expected {len(lists[0])}, one a parameter")
    low, high = (
        [check.number(value, f"{where}: {key}[{i}]") for i, value in enumerate(entries)]
        for key, entries in zip(_PARAMETER_KEYS[1:], lists[1:], strict=True)
    )
    names = check.names(lists[0], f"{where}: param_names")
    return tuple(Parameter(*entry) for entry in zip(names, low, high, strict=True))


def _chosen(content: dict, indices: str, names: str, states, source: str, notes: list[str]) -> tuple[str, ...]:
    """States chosen by 1-based indices into state_names (published) or by names (ours); () if neither is given."""
    if indices in content and names in content:
        raise UserError(f"{source}: found '{indices}' and '{names}', which say the same; expected one of them")
    if names in content:
        return tuple(
            check.known(name, states, f"{source}: {names}")
            for name in check.names(content[names], f"{source}: {names}")
        )
    if indices not in content:
        return ()
    chosen = []
    for i, index in enumerate(check.items(content[indices], f"{source}: {indices}")):
        if not isinstance(index, int) or isinstance(index, bool) or not 1 <= index <= len(states):
            raise UserError(
                f"{source}: {indices}[{i}]: found {index!r}, expected a whole number from 1 to {len(states)} "
                "(states are counted from 1)"
            )
        if states[index - 1] in chosen:
            raise UserError(f"{source}: {indices}[{i}]: {index} ({states[index - 1]}) is given twice")
        chosen.append(states[index - 1])
    if not chosen:
        raise UserError(f"{source}: {indices}: found an empty list, expected at least one index")
    notes.append(f"{indices} counts state_names from 1: {', '.join(chosen)}")
    return tuple(chosen)


def _check_observed(content: dict, observed, recorded, source: str) -> None:
    """Published files count observed states among all states or among the recorded ones: the first is what we read."""
    for name in observed:
        if name in recorded:
            continue
        message = f"{source}: observed state '{name}' is not recorded (recorded: {', '.join(recorded)})"
        indices = content.get("observed_data_indices")
        if indices and max(indices) <= len(recorded):
            other = ", ".join(recorded[i - 1] for i in indices)
            message += f"; observed_data_indices count all states: if {other} is meant, name them with 'observed'"
        raise UserError(message)


def _settings(content: dict, source: str) -> dict[str, Any]:
    found = {}
    for key, kind in SETTINGS.items():
        if key in content:
            found[key] = kind(content[key], f"{source}: {key}")
    return found
