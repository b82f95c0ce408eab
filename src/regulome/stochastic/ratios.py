"""What stationary data can say about rates: their ratios.

Multiplying every rate by the same number speeds the process up and leaves its stationary law as it is. A network has
this freedom if there are exponents w such that scaling every parameter by ``c ** w`` scales every propensity by c;
rates then have w = 1, Michaelis constants and Hill exponents w = 0. It has none if a rate holds a fixed number
(``... + 0.1``), which is a clock.
"""

import numpy as np
import pandas as pd

from regulome.errors import UserError, closest
from regulome.stochastic.network import StateTransitionNetwork


def time_exponents(network: StateTransitionNetwork) -> np.ndarray | None:
    """(P,) exponents w of the parameters under a change of the unit of time; None if the network has a clock.

    Found from the propensities themselves: ``sum_i w_i theta_i da/dtheta_i = a`` at random counts and parameters.
    """
    if not network.is_markov or not network.parameters:
        return None
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 12, (200, len(network.states)))
    theta = network.box[:, 0] + generator.random((200, len(network.parameters))) * np.ptp(network.box, axis=1)
    rates = network.propensities(counts, theta)
    slopes = []
    for place in range(len(network.parameters)):
        step = 1e-5 * np.maximum(np.abs(theta[:, place]), 1e-3)
        up, down = theta.copy(), theta.copy()
        up[:, place] += step
        down[:, place] -= step
        change = network.propensities(counts, up) - network.propensities(counts, down)
        slopes.append(theta[:, place, None] * change / (2 * step)[:, None])
    left, right = np.stack(slopes, -1).reshape(-1, len(slopes)), rates.reshape(-1)
    scale = np.abs(right) + np.abs(left).max(1)
    keep = np.isfinite(left).all(1) & np.isfinite(right) & (scale > 0)
    left, right = left[keep] / scale[keep, None], right[keep] / scale[keep]
    exponents = np.linalg.lstsq(left, right, rcond=1e-8)[0]
    if np.abs(left @ exponents - right).max() > 1e-4:
        return None
    return np.where(np.abs(exponents) < 1e-4, 0.0, np.round(exponents, 4))


def default_reference(network: StateTransitionNetwork) -> str | None:
    """The rate to which others are taken where none is named: the degradation of the first recorded species, or a rate.

    None if the network has a clock.
    """
    exponents = time_exponents(network)
    if exponents is None:
        return None
    timed = [name for name, w in zip(network.parameter_names, exponents, strict=True) if w]
    for state in network.recorded:
        for event in network.events:
            if dict(event.change) == {state: -1}:
                used = [name for name in timed if name in network.rates[network.events.index(event)].names]
                if len(used) == 1:
                    return used[0]
    return timed[-1] if timed else None


def ratios(
    network: StateTransitionNetwork, theta: np.ndarray, reference: str | None = None, exponents=None
) -> pd.DataFrame:
    """Draws of the quantities that do not depend on the unit of time.

    Parameters
    ----------
    theta
        (B, P) parameters.
    reference
        A rate (default: `default_reference`).

    Returns
    -------
    DataFrame
        Column ``kon_per_kdegM`` for every other rate; parameters without unit of time keep their name only in the draws
        themselves. Empty if the network has a clock: the parameters are then what data can say.

    Raises
    ------
    UserError
        If the reference is no parameter, or none with a unit of time.
    """
    if reference is not None and reference not in network.parameter_names:
        raise UserError(
            f"{network.source}: reference: unknown parameter '{reference}'{closest(reference, network.parameter_names)}"
        )
    exponents = time_exponents(network) if exponents is None else exponents
    reference = reference or default_reference(network)
    if exponents is None or reference is None:
        return pd.DataFrame(index=range(len(theta)))
    place = network.parameter_names.index(reference)
    if not exponents[place]:
        raise UserError(f"{network.source}: reference: '{reference}' has no unit of time, expected a rate")
    return pd.DataFrame(
        {
            f"{name}_per_{reference}": theta[:, i] / theta[:, place] ** (exponents[i] / exponents[place])
            for i, name in enumerate(network.parameter_names)
            if i != place and exponents[i]
        }
    )


def burst_statistics(
    kon: np.ndarray, koff: np.ndarray, ksyn: np.ndarray, kdeg: np.ndarray | float = 1.0
) -> pd.DataFrame:
    """Burst size and frequency of a two-state gene by the standard formulae.

    Parameters
    ----------
    kon, koff, ksyn, kdeg
        (B,) rates, 1 / time.

    Returns
    -------
    DataFrame
        burst_size ``ksyn/koff`` (molecules a burst), burst_frequency ``kon/kdeg`` and cycle_frequency
        ``kon koff / (kon + koff) / kdeg`` (bursts a lifetime of the product), fraction_on ``kon/(kon + koff)``.
    """
    kon, koff, ksyn, kdeg = np.broadcast_arrays(kon, koff, ksyn, kdeg)
    return pd.DataFrame(
        {
            "burst_size": ksyn / koff,
            "burst_frequency": kon / kdeg,
            "cycle_frequency": kon * koff / (kon + koff) / kdeg,
            "fraction_on": kon / (kon + koff),
        }
    )
