"""Data only: sensors, recipes."""
