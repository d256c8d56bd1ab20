"""How many endmembers a scene has: one method per file."""
