"""PRISMA: levels 1, 2B, 2C and 2D."""
