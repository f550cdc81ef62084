"""Names in numbers that no client waits for: 10^8 and more, on every core or machine, as Parquet.

A job is cut into shards, ranges of stream indexes. What is in a shard depends on nothing but the
job and the range, so a shard can be drawn anywhere, at any time, and twice without harm.
Imports `app` and `models`, and neither knows of it.
"""
