"""One file a claim: each prints the machine, a table, and one JSON line last."""
