"""Fitting language models: corpora, splits, one training loop, exact evaluation.

Imports `models`; never `app`, and a serving image goes without it.
"""
