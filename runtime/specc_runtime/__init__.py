"""Train, score and run the detectors that specc emits.

A generated file holds a plain `nn.Module` and a literal, `DETECTOR`, that describes what surrounds it:
the input's normalisation, the anchors, the loss, and how boxes are selected. The runtime reads
that literal (`contract`), builds a `Detector` (`model`) and trains it (`trainer`). Of the compiler it
imports only `specc.documents`, with which it reads recipes.
"""
