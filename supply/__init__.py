"""What Namewright is made of beside its own code: pins, hashes, known vulnerabilities."""
