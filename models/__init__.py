"""Character-level language models: what one is, how it is stored, sampled and scored.

Imports torch, safetensors, numpy and the standard library; never `app` or
`training`. `docs/structure.md` gives a line on every module.
"""
