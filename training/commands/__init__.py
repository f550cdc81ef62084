"""The verbs of `python -m training`, one file each."""
