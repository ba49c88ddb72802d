"""Versions of results that are dear to make again: those that training depends on.

Stages run again when their code changes; these do when their version does. An update of the recipe that leaves a
manifest's lines and a training's numbers alone trains nothing again. Whoever changes what a version stands for counts
it up; tests with recorded results (tests/golden/versions) fail where that was forgotten.
"""

CONVERSION = 1  # tensors and settings of a converted model directory
MANIFEST = 3  # lines of manifests and rejects
SUBSET = 1  # lines of the fractions of a manifest, for learning curves
PACKING = 1  # bytes of packed recordings and of their shards
PSEUDO = 1  # transcripts that become training data, and the choice among them (no recorded result tells of it)
TRAINING = 3  # the numbers of a training: batches, losses, updates, choice of the checkpoint
