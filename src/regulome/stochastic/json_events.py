"""Events and triggers of a network in JSON (form: see `regulome.stochastic.network_json`)."""

import re
from typing import Any

from regulome.errors import UserError
from regulome.stochastic import json_values as check
from regulome.stochastic.network import Event, Trigger, Waiting


def read_events(content: Any, states: tuple[str, ...], where: str) -> tuple[Event, ...]:
    events: list[Event] = []
    for i, entry in enumerate(check.items(content, where)):
        here = f"{where}[{i}]"
        check.mapping(entry, ("name", "state_transition", "event_rates", "drive_state", "waiting"), here, "an event")
        if "state_transition" not in entry:
            raise UserError(f"{here}: key 'state_transition' is missing")
        if ("event_rates" in entry) == ("waiting" in entry):
            raise UserError(f"{here}: expected either 'event_rates' or 'waiting', found both or none")
        change = check.table(entry["state_transition"], f"{here}: state_transition", check.whole)
        for state in change:
            check.known(state, states, f"{here}: state_transition")
        name = check.text(entry["name"], f"{here}: name") if "name" in entry else _new_name(change, events)
        if name in {event.name for event in events}:
            raise UserError(f"{here}: name: '{name}' is the name of an event before it; expected another")
        rate = check.formula(entry["event_rates"], f"{here}: event_rates") if "event_rates" in entry else ""
        event = Event(name, change, rate, _waiting(entry.get("waiting"), f"{here}: waiting"))
        if "drive_state" in entry:
            _check_drive(entry["drive_state"], event, states, here)
        events.append(event)
    return tuple(events)


def _new_name(change: dict[str, int], before: list[Event]) -> str:
    """``OFF -> ON``, ``0 -> 2 mRNA``; with a number behind it where an event has the name already."""

    def side(sign):
        terms = [f"{abs(n)} {s}" if abs(n) > 1 else s for s, n in change.items() if n * sign > 0]
        return " + ".join(terms) or "0"

    name, taken, number = f"{side(-1)} -> {side(1)}", {event.name for event in before}, 2
    plain = name
    while name in taken:
        name, number = f"{plain} ({number})", number + 1
    return name


def _check_drive(drive: Any, event: Event, states: tuple[str, ...], where: str) -> None:
    """The published simulators multiply by the state, we read the full propensity: refuse a file that means either."""
    check.known(drive, states, f"{where}: drive_state")
    if event.change.get(drive, 0):
        raise UserError(f"{where}: drive_state '{drive}' is changed by the event; expected a state that stays")
    if event.waiting is None and not re.search(rf"(?<!\w){re.escape(drive)}(?!\w)", str(event.rate)):
        raise UserError(
            f"{where}: drive_state '{drive}' does not occur in event_rates '{event.rate}'; expected the full "
            f"propensity, such as '{event.rate} * {drive}'"
        )


def _waiting(content: Any, where: str) -> Waiting | None:
    if content is None:
        return None
    check.mapping(content, ("shape", "mean"), where, "shape and mean")
    for key in ("shape", "mean"):
        if key not in content:
            raise UserError(f"{where}: key '{key}' is missing")
    return Waiting(*(check.formula(content[key], f"{where}: {key}") for key in ("shape", "mean")))


def read_triggers(content: Any, where: str) -> tuple[Trigger, ...]:
    triggers = []
    for i, entry in enumerate(check.items(content, where)):
        here = f"{where}[{i}]"
        check.mapping(entry, ("name", "condition", "assignments"), here, "a trigger")
        for key in ("condition", "assignments"):
            if key not in entry:
                raise UserError(f"{here}: key '{key}' is missing")
        assignments = check.table(entry["assignments"], f"{here}: assignments", check.formula)
        name = check.text(entry.get("name", f"trigger {i + 1}"), f"{here}: name")
        triggers.append(Trigger(name, check.text(entry["condition"], f"{here}: condition"), assignments))
    return tuple(triggers)
