"""Random numbers by position, not by order: the same (seed, epoch, index) always draws the same.

Philox (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011) is a counter-based
generator: its stream is a function of a key and a counter, so no state runs from one sample to the
next and a worker can draw for any sample at any time.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """The use of a random stream; streams for different uses never overlap."""

    ORDER = 0
    GEOMETRY = 1


def generator(purpose: Purpose, seed: int, epoch: int, index: int = 0) -> np.random.Generator:
    """The generator for one sample or, with `Purpose.ORDER` and index 0, for the order of an epoch."""
    key = np.array([seed, epoch], dtype=np.uint64)
    counter = np.array([0, 0, index, purpose], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def permutation(seed: int, epoch: int, length: int) -> np.ndarray:
    """The order in which an epoch visits `length` samples: int64 [length]."""
    return np.argsort(generator(Purpose.ORDER, seed, epoch).random(length), kind="stable")
