"""The canonical layout of a spec: its text in order, with every comment kept.

`formatted` rewrites the text step by step, and never by printing the data anew. What a spec says
stays the same to the last token, which `says_the_same` checks.
"""

from specc.format.meaning import says_the_same
from specc.format.steps import formatted

__all__ = ["formatted", "says_the_same"]
