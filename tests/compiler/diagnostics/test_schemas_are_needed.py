"""Without either schema, faults that it is there for go unnoticed."""

from pathlib import Path

import pytest
from marked import Fault, check, rows

DOCUMENT = [
    Fault("E0201", rows("ReLU()") + "«layer»: 3\n", ""),
    Fault("E0201", rows("ReLU()") + "expect: {«parms»: 3}\n", ""),
    Fault("E0202", "«specc»: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\n", ""),
    Fault("E0203", rows("ReLU()").replace("specc: 1", "specc: «2»"), ""),
]
CALL = [
    Fault("E0206", rows("Conv2d(3, 8, 3, «pading»=1)"), ""),
    Fault("E0207", rows("«Conv2d»(3, 8)"), ""),
    Fault("E0210", rows("Conv2d(3, «'8'», 3)"), ""),
    Fault("E0211", rows("Conv2d(3, 8, 3, stride=«-1»)"), ""),
]


@pytest.mark.parametrize("fault", DOCUMENT, ids=str)
def test_document_schema(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(tmp_path, fault)
    monkeypatch.setattr("specc.library.check_document", lambda *_: None)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever comes of an unchecked document
        check(tmp_path, fault)


@pytest.mark.parametrize("fault", CALL, ids=str)
def test_call_schema(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(tmp_path, fault)
    monkeypatch.setattr("specc.ir.binding.check_call", lambda *_: [])
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever comes of an unchecked call
        check(tmp_path, fault)
