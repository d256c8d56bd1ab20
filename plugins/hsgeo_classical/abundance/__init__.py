"""Abundance estimation with given endmembers: one problem per file."""
