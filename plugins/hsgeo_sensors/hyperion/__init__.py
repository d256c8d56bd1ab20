"""EO-1 Hyperion: level 1T."""
