"""Train, score and run the detectors that specc emits.

A generated file holds a plain `nn.Module` and a literal, `DETECTOR`, that says what surrounds it:
the input's normalisation, the anchors, the loss, and how boxes are chosen. The runtime reads
that literal (`contract`), builds a `Detector` (`model`) and trains it (`trainer`). It never imports
the compiler, except `specc.documents`, with which it reads recipes.
"""
