"""Specs from the files of other projects."""

from specc.importing.darknet import Imported, Note, import_darknet

__all__ = ["Imported", "Note", "import_darknet"]
