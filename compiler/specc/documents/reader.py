"""Files read with suspicion: nothing is opened that could block, and nothing large is read."""

import codecs
import os
import stat
from itertools import islice

from specc.documents.characters import quoted, unprintable
from specc.documents.diagnostics import Report
from specc.documents.source import Source, Span
from specc.documents.suggest import suggest

LARGEST = 4 * 2**20
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MOST_NEIGHBOURS = 2_000
_LONGEST_NAME = 200

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read(path: str | os.PathLike[str]) -> Source:
    """Read a text file of at most 4 MiB of UTF-8. Raises `Findings`.

    A byte-order mark at the start is dropped.
    """
    name = os.fspath(path)
    report = Report()
    data = _bytes(name, report)
    report.stop()
    source = _decode(name, data, report)
    report.stop()
    return source


def refuse_character(source: Source, offset: int, report: Report) -> None:
    """Report a character that makes the file binary, or that nobody can see."""
    code = ord(source.text[offset])
    nul = code == 0
    report.add(
        "E0104",
        "this is a binary file" if nul else f"the control character U+{code:04X}",
        Span(source, offset, offset + 1),
        "a NUL character" if nul else "",
        help="give the path of a YAML text file" if nul else "delete the character",
    )


def _bytes(name: str, report: Report) -> bytes:
    try:
        if not _refuse_status(name, os.stat(name), report):
            return b""
        with open(os.open(name, _FLAGS), "rb") as file:
            # What was looked at above may have been replaced before it was opened.
            if not _refuse_status(name, os.fstat(file.fileno()), report):
                return b""
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        _refuse_unreadable(name, error, report)
        return b""
    if len(data) > LARGEST:
        _refuse_size(name, report)
    return data


def _refuse_status(name: str, status: os.stat_result, report: Report) -> bool:
    """Whether the file may be read."""
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        help = "give the path of a YAML file"
        report.add("E0102", f"{quoted(name, _LONGEST_NAME)} is {kind}", _whole(name), help=help)
    elif status.st_size > LARGEST:
        _refuse_size(name, report)
    return not report.errors


def _refuse_size(name: str, report: Report) -> None:
    report.add(
        "E0103",
        f"{quoted(name, _LONGEST_NAME)} is larger than {LARGEST // 2**20} MiB",
        _whole(name),
        help="give the path of a YAML file written by hand; split it if it is one",
    )


def _refuse_unreadable(name: str, error: OSError | ValueError, report: Report) -> None:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    help = "check the path"
    if isinstance(error, PermissionError):
        help = "allow yourself to read it, for instance with `chmod u+r`"
    elif os.path.islink(name):
        help = f"it is a link to {quoted(os.readlink(name), _LONGEST_NAME)}: mend where it leads"
    elif isinstance(error, FileNotFoundError):
        near = suggest(os.path.basename(name), _neighbours(os.path.dirname(name)))
        help = f"did you mean `{os.path.join(os.path.dirname(name), near)}`?" if near else help
    message = f"{quoted(name, _LONGEST_NAME)} cannot be read: {why.lower()}"
    report.add("E0101", message, _whole(name), help=help)


def _neighbours(folder: str) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(entry.name for entry in islice(entries, _MOST_NEIGHBOURS))
    except OSError:
        return []


def _decode(name: str, data: bytes, report: Report) -> Source:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        help = "save the file as UTF-8"
        report.add("E0105", "the file is UTF-16", _whole(name), help=help)
        return Source(name, "")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        source = Source(name, data.decode())
    except UnicodeDecodeError as error:
        source = Source(name, data.decode(errors="replace"))
        _refuse_bytes(source, data, error.start, report)
    return source


def _refuse_bytes(source: Source, data: bytes, start: int, report: Report) -> None:
    """Report bytes that are no text, or text in another encoding than UTF-8."""
    control = unprintable(source.text)
    if control is not None:
        refuse_character(source, control, report)
        return
    offset = len(data[:start].decode())
    report.add(
        "E0105",
        f"the byte 0x{data[start]:02X} is not UTF-8",
        Span(source, offset, offset + 1),
        help="save the file as UTF-8",
    )


def _whole(name: str) -> Span:
    """The file itself, where there is no text to point into."""
    return Span(Source(name, ""), 0, 0)
