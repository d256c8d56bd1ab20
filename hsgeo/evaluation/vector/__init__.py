"""Vector truths: polygons and points out of GeoJSON, Shapefile and GeoPackage, and what they cover of each pixel.

The three formats are read here, in a few lines each, because a vector library would be the heaviest dependency of all.
"""
