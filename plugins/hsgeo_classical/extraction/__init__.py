"""Endmember extraction: one algorithm per file, and the steps they share."""
