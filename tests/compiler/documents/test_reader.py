"""Files that are refused before YAML sees them."""

import os
import socket
from pathlib import Path

import pytest

from specc.documents import Findings, load, read
from specc.documents.diagnostics import Diagnostic
from specc.documents.reader import LARGEST


def refused(path: str | Path) -> Diagnostic:
    with pytest.raises(Findings) as caught:
        read(path)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def write(folder: Path, data: bytes) -> Path:
    path = folder / "a.yaml"
    path.write_bytes(data)
    return path


def test_missing_file_suggests_a_neighbour(tmp_path: Path) -> None:
    (tmp_path / "ssd300.yaml").touch()
    diagnostic = refused(tmp_path / "ssd30.yaml")
    assert diagnostic.code == "E0101"
    assert "ssd300.yaml" in (diagnostic.help or "")


@pytest.mark.parametrize("name", ["gone.yaml", "a.yaml"])
def test_a_link_that_leads_nowhere(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(name)
    diagnostic = refused(tmp_path / "a.yaml")
    assert diagnostic.code == "E0101"
    assert f"a link to `{name}`" in (diagnostic.help or "")


@pytest.mark.parametrize("path", ["no/such/folder/a.yaml", "\0", "x" * 5_000, ""])
def test_impossible_path(path: str) -> None:
    assert refused(path).code == "E0101"


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    path = write(tmp_path, b"a: 1")
    monkeypatch.setattr(os, "open", deny)
    diagnostic = refused(path)
    assert diagnostic.code == "E0101"
    assert "chmod" in (diagnostic.help or "")


def test_folder_pipe_socket_and_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path in (".", "pipe", "socket", "/dev/zero"):
            assert refused(path).code == "E0102"


def test_file_replaced_by_a_pipe_after_the_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, b"a: 1")
    regular = path.stat()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(os, "stat", lambda name: regular)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert refused(tmp_path / "pipe").code == "E0102"


def test_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(10**11)
    assert refused(path).code == "E0103"


def test_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    assert len(read(write(tmp_path, b"#" * LARGEST)).text) == LARGEST
    assert refused(write(tmp_path, b"#" * (LARGEST + 1))).code == "E0103"


def test_file_that_grows_after_the_last_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = write(tmp_path, b"a: 1").stat()
    path = write(tmp_path, b"#" * (LARGEST + 1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda name: small)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        patch.setattr(os, "fstat", lambda number: small)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        assert refused(path).code == "E0103"


def test_binary_file(tmp_path: Path) -> None:
    diagnostic = refused(write(tmp_path, b"\x89PNG\r\n\x1a\n\0\0\0"))
    assert diagnostic.code == "E0104"


def test_byte_that_is_not_utf8(tmp_path: Path) -> None:
    diagnostic = refused(write(tmp_path, "# 中\na: ".encode() + b"caf\xe9\n"))
    span = diagnostic.labels[0].span
    assert (diagnostic.code, span.line, span.column) == ("E0105", 2, 7)
    assert "0xE9" in diagnostic.message


def test_utf16(tmp_path: Path) -> None:
    diagnostic = refused(write(tmp_path, "a: 1".encode("utf-16")))
    assert diagnostic.code == "E0105"
    assert "UTF-8" in (diagnostic.help or "")


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbfa: 1")
    assert read(path).text == "a: 1"
    assert load(path).span.column == 1
