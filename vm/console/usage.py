"""What a user asked for and cannot have: said in one line, exit code 2."""

import contextlib
from collections.abc import Iterator


class UsageError(Exception):
    """An option, a file or a name that cannot be used. The message says which, and what to do."""


@contextlib.contextmanager
def stated_by_user() -> Iterator[None]:
    """Around calls whose arguments come from the command line: what they refuse is the user's to mend."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error
