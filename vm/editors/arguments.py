"""The arguments of a request as they must be: an editor may send anything, and is told what was wrong with it."""

from __future__ import annotations

from typing import Any

Arguments = dict[str, Any]


class Refused(Exception):
    """A request that cannot be carried out; the reason is for the user."""


def text(given: Arguments, name: str, default: str | None = None) -> str:
    """An argument that is a text. Raises Refused."""
    value = given.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Refused(f"the argument `{name}` is a text")
    return value


def number(given: Arguments, name: str, default: int | None = None, least: int | None = None) -> int:
    """An argument that is an integer, `least` or more. Raises Refused."""
    value = given.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(f"the argument `{name}` is an integer")
    if least is not None and value < least:
        raise Refused(f"the argument `{name}` is {value}, but {least} is the least that it may be")
    return value


def record(given: Arguments, name: str) -> Arguments:
    """An argument that is an object, empty where there is none. Raises Refused."""
    value = given.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"the argument `{name}` is an object")
    return value


def records(given: Arguments, name: str) -> list[Arguments]:
    """An argument that is a list of objects, empty where there is none. Raises Refused."""
    return [record({name: each}, name) for each in _list(given, name)]


def texts(given: Arguments, name: str) -> list[str]:
    """An argument that is a list of texts, empty where there is none. Raises Refused."""
    return [text({name: each}, name) for each in _list(given, name)]


def _list(given: Arguments, name: str) -> list[Any]:
    value = given.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(f"the argument `{name}` is a list")
    return value
