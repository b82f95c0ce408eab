"""The one exception for mistakes a user can mend, and how a command ends with it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake in an input: its message names file, field and row, what was found and what was expected.

    The command line prints the message alone and exits with status 2; a traceback would only hide it.
    """


def closest(word: str, known) -> str:
    """Return ``" (did you mean 'x'?)"`` for the most similar of the known names, or an empty string."""
    import difflib

    match = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.5)
    return f" (did you mean '{match[0]}'?)" if match else ""


@contextmanager
def as_message() -> Iterator[None]:
    """End the program with status 2 and the message alone if the block raises a `UserError`."""
    try:
        yield
    except UserError as error:
        print(f"regulome: {error}", file=sys.stderr)
        sys.exit(2)
