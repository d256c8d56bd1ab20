"""GeoTIFFs that say their wavelengths."""
