"""A spec with all written out: turns, conditions, parameters, modules, used files.

What is printed is a spec of its own, of the same parameters, shapes and state-dict keys. Each
module is used once; a row that repeats or loops is a module of its turns.
"""

from specc.unroll.writing import unrolled

__all__ = ["unrolled"]
