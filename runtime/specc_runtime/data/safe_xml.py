"""Untrusted XML: elements and text only, without entities."""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from specc_runtime.data.records import BadAnnotation


def read_xml(path: Path, max_bytes: int) -> Element:
    """The root element of an XML file.

    A DOCTYPE is refused at its start, and with it all entities that it could declare: billion
    laughs, quadratic blow-up and external entities all need one.

    Raises:
        BadAnnotation: not well-formed, too large, or with a document type.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise BadAnnotation(f"over {max_bytes:,} bytes")

    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: odd encodings
        raise BadAnnotation(str(error)) from error
    return builder.close()


def _refuse_doctype(*_: object) -> None:
    raise BadAnnotation("a DOCTYPE is not accepted")
