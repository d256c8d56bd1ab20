"""Scores against a truth: bring product and truth on one grid, find who is who, name every number by its variant."""
