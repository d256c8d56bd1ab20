"""Small vector files, written byte by byte: GeoJSON, and GeoPackage with any number of layers."""

import json
import sqlite3
import struct


def geojson(path, shapes, crs="EPSG:32632", field="class"):
    """Write ``shapes``, pairs of a class and a GeoJSON geometry."""
    features = [{"type": "Feature", "geometry": g, "properties": {field: name, "id": 1.0}} for name, g in shapes]
    named = {"crs": {"type": "name", "properties": {"name": crs}}} if crs else {}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **named}))
    return path


def geopackage(path, layers, epsg=32632):
    """Write layers, ``{name: shapes}``, of polygons and points."""
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE gpkg_geometry_columns (table_name, column_name, geometry_type_name, srs_id, z, m)")
        base.execute("CREATE TABLE gpkg_spatial_ref_sys (srs_id, organization, organization_coordsys_id, definition)")
        base.execute("INSERT INTO gpkg_spatial_ref_sys VALUES (1, 'EPSG', ?, 'wkt')", (epsg,))
        for layer, shapes in layers.items():
            base.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'GEOMETRY', 1, 0, 0)", (layer,))
            base.execute(f"CREATE TABLE {layer} (fid INTEGER, geom BLOB, Class TEXT)")
            for k, (name, shape) in enumerate(shapes):
                blob = b"GP\0\1" + struct.pack("<i", 1) + _wkb(shape)
                base.execute(f"INSERT INTO {layer} VALUES (?, ?, ?)", (k, blob, name))
    base.close()
    return path


def _wkb(shape):
    if shape["type"] == "Point":
        return struct.pack("<BI2d", 1, 1, *shape["coordinates"])
    rings = shape["coordinates"]
    body = b"".join(struct.pack("<I", len(r)) + b"".join(struct.pack("<2d", *p) for p in r) for r in rings)
    return struct.pack("<BII", 1, 3, len(rings)) + body
