"""The names of addresses, as they are shown: of one address, or of the last one before it."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Mapping


class Labels:
    """The first label of each address. is_within: whether an address is within an instruction."""

    def __init__(
        self, symbols: Mapping[str, int], constants: Collection[str], size: int, is_within: Callable[[int], bool]
    ) -> None:
        self._labels: dict[int, str] = {}
        for name, value in symbols.items():
            if name not in constants and 0 <= value < size:
                self._labels.setdefault(value, name)
        self._landmarks = sorted(at for at in self._labels if not is_within(at))

    def at(self, address: int) -> str | None:
        """The name of an address."""
        return self._labels.get(address)

    def near(self, address: int) -> tuple[str, int] | None:
        """The last label at or before an address that is not one of an operand, and where it stands."""
        index = bisect.bisect_right(self._landmarks, address) - 1
        return None if index < 0 else (self._labels[self._landmarks[index]], self._landmarks[index])
