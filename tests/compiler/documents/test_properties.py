"""Whatever the text, the reader returns nodes or raises findings that can be shown."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from specc.documents import Findings, Source, events, parse, plain, render_json, render_text

ALPHABET = st.sampled_from([*"ab01 \n\t:-?[]{},&*!|>'\"%@#.~<_", "：", "**", "é", "\ufeff", "yes"])
TEXTS = st.one_of(st.text(), st.lists(ALPHABET, max_size=60).map("".join))


def check(text: str) -> None:
    try:
        plain(parse(Source("a.yaml", text)))
    except Findings as findings:
        assert render_text(findings.diagnostics)  # noqa: PT017 - most texts raise nothing
        for diagnostic in json.loads(render_json(findings.diagnostics))["diagnostics"]:
            assert diagnostic["help"]
            assert diagnostic["labels"][0]["line"] >= 1


@given(TEXTS)
def test_any_text(text: str) -> None:
    check(text)


@pytest.fixture
def python_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_LOADER", yaml.BaseLoader)


@pytest.mark.usefixtures("python_parser")
def test_any_text_without_the_c_library() -> None:
    given(TEXTS)(check)()


PRINTABLE = st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]))
DATA = st.recursive(
    PRINTABLE | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(PRINTABLE, inner),
)


@given(DATA)
def test_json_is_read_back(data: object) -> None:
    text = json.dumps({"data": data}, ensure_ascii=False)
    assert plain(parse(Source("a.json", text))) == {"data": data}
