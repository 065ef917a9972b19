"""Drawings: fold a model into a picture, write that as DOT, render it with Graphviz.

`draw` decides what is seen, `write` how it looks, `render` makes an image of it. Only `render`
needs Graphviz; the first two work in the base install.
"""

from specc.draw.dot import write
from specc.draw.picture import Picture
from specc.draw.render import FORMATS, NoRenderer, render
from specc.draw.view import MOST_BOXES, draw

__all__ = ["FORMATS", "MOST_BOXES", "NoRenderer", "Picture", "draw", "render", "write"]
