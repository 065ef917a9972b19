"""The events of YAML's parser: the one thing taken from PyYAML.

Its composer and constructor are never used: they recurse, follow aliases and obey tags.
"""

from collections.abc import Iterator
from typing import Protocol, cast

import yaml


class _Parser(Protocol):
    def check_event(self) -> bool: ...
    def get_event(self) -> yaml.Event: ...
    def dispose(self) -> None: ...


_LOADER = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader


def events(text: str) -> Iterator[yaml.Event]:
    """The parser's events one by one, so that a reader may stop early. Raises `yaml.YAMLError`."""
    parser = cast("_Parser", _LOADER(text))
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()
