"""EMIT: levels 1B and 2A."""
