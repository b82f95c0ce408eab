"""One batch of likelihoods for several chains that run side by side.

A sampler library asks for one chain's likelihoods at a time, which for a solver is mostly overhead. Here every chain
has a thread; the first call of each is gathered, evaluated together and handed back, then the second, and so on. Who
meets whom depends on nothing but the number of calls, so results do not depend on the timing of threads.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np


class Rendezvous:
    """Gathers calls of a function from a known number of threads.

    Parameters
    ----------
    function
        (B, P) points to (B,) values.
    chains
        Number of callers; each has to call `leave` when it is done.
    """

    def __init__(self, function: Callable[[np.ndarray], np.ndarray], chains: int):
        self._function, self._present = function, chains
        self._condition, self._round = threading.Condition(), 0
        self._asked: dict[int, np.ndarray] = {}
        self._answers: dict[int, np.ndarray] = {}
        self._error: BaseException | None = None

    def call(self, chain: int, points: np.ndarray) -> np.ndarray:
        """Values at the points of one chain, once all chains have asked."""
        with self._condition:
            mine = self._round
            self._asked[chain] = points
            self._meet()
            while self._round == mine and self._error is None:
                self._condition.wait()
            if self._error is not None:
                raise RuntimeError("another chain failed") from self._error
            return self._answers.pop(chain)

    def leave(self, error: BaseException | None = None) -> None:
        """One caller fewer; with an error, the others end too."""
        with self._condition:
            self._present -= 1
            self._error = self._error or error
            self._meet()
            self._condition.notify_all()

    def _meet(self) -> None:
        if self._error is not None or not self._asked or len(self._asked) < self._present:
            return
        order = sorted(self._asked)
        try:
            values = self._function(np.concatenate([self._asked[chain] for chain in order]))
        except BaseException as error:
            self._error = error
            self._condition.notify_all()
            raise
        ends = np.cumsum([len(self._asked[chain]) for chain in order])[:-1]
        self._answers.update(zip(order, np.split(values, ends), strict=True))
        self._asked.clear()
        self._round += 1
        self._condition.notify_all()


def side_by_side(
    function: Callable[[np.ndarray], np.ndarray], chains: Sequence[Callable[[Callable], object]]
) -> list[object]:
    """Results of chains, each a function of the function that it may call; the first error of any is raised."""
    meeting, results = Rendezvous(function, len(chains)), [None] * len(chains)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            results[number] = chains[number](lambda points: meeting.call(number, points))
            meeting.leave()
        except BaseException as error:
            errors.append(error)
            meeting.leave(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(chains))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise next((e for e in errors if e.__cause__ is None), errors[0])
    return results
