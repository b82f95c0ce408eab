"""Two-state genes as networks, in units of the mRNA's lifetime: what smFISH counts are fitted with."""

from collections.abc import Mapping

from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork

Box = tuple[float, float]


def mrna_network(kon: Box, koff: Box, ksyn: Box, leak: Box | None = None) -> StateTransitionNetwork:
    """Two-state gene and its mRNA in units of the mRNA's lifetime (kdeg = 1), with these boxes.

    Parameters
    ----------
    leak
        Box of ksynoff, the transcription rate of the gene that is off (None: no leak).
    """
    boxes = {"kon": kon, "koff": koff, "ksyn": ksyn} | ({"ksynoff": leak} if leak else {})
    more = [Event("leak", {"mRNA": 1}, "ksynoff * OFF")] if leak else []
    return _gene("leaky two-state gene" if leak else "two-state gene", "kon * OFF", boxes, more)


def feedback_network(kon: Box, koff: Box, ksyn: Box, constant: Box, exponent: Box) -> StateTransitionNetwork:
    """Two-state gene whose mRNA acts on kon through a Hill function (ARL of the publication), kdeg = 1.

    Parameters
    ----------
    constant, exponent
        Boxes of K (molecules) and n: n > 0 represses, n < 0 activates, n = 0 is no feedback.
    """
    boxes = {"kon": kon, "koff": koff, "ksyn": ksyn, "K": constant, "n": exponent}
    return _gene("two-state gene with feedback", "(hillr(mRNA, kon, K, n) + 0.1) * OFF", boxes, [])


def _gene(name: str, switching: str, boxes: Mapping[str, Box], more: list[Event]) -> StateTransitionNetwork:
    events = (
        Event("gene on", {"OFF": -1, "ON": 1}, switching),
        Event("gene off", {"ON": -1, "OFF": 1}, "koff * ON"),
        Event("transcription", {"mRNA": 1}, "ksyn * ON"),
        Event("decay", {"mRNA": -1}, "mRNA"),
        *more,
    )
    return StateTransitionNetwork(
        name=name,
        states=("ON", "OFF", "mRNA"),
        events=events,
        parameters=tuple(Parameter(name, *box) for name, box in boxes.items()),
        initial={"OFF": 1},
        recorded=("mRNA",),
    )
