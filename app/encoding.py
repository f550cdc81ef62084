"""JSON as answers have it."""

from json import JSONEncoder

encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""A value to text. ValueError for NaN and infinity, which JSON lacks."""
