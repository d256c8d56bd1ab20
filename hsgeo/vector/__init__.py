"""Vector files: polygons and points out of GeoJSON, Shapefile and GeoPackage, and the pixels they lie on.

The three formats are read here, in a few lines each, because a vector library would be the heaviest dependency of all.
Truths (`hsgeo.evaluation`) and labels (`hsgeo.api.labels`) come from here.
"""
