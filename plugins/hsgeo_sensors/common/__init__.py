"""What the readers share: finding and opening files, lazy rasters, decoding, bands, scales, places."""
