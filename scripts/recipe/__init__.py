"""Library of the Fun-ASR-Nano fine-tuning recipe: a package a stage, over those that they share.

The stage scripts in ``scripts/`` are thin command lines over these packages. Nothing here knows of Snakemake. A package
imports those on the floors below it only (docs/architecture.md).
"""

__version__ = "0.1.0"
