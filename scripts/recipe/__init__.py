"""Library of the Fun-ASR-Nano fine-tuning recipe.

The stage scripts in ``scripts/`` are thin command lines over these modules. Nothing here knows of Snakemake, and
imports point one way: stages (prepare, train, decode, score, report) use text, audio and files, never back.
"""

__version__ = "0.1.0"
