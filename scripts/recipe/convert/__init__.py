"""Conversion: model directories of transformers and of the toolkit, models of the hub, and models from nothing."""
