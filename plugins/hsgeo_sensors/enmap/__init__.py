"""EnMAP: levels 1B, 1C and 2A."""
