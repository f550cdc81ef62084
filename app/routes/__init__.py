"""One file a resource; every route checks, calls the engine, and answers."""
