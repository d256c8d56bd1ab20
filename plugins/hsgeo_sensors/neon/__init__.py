"""NEON airborne: flight lines and tiles."""
