"""Metadata in XML: what is refused, and that what is not refused is read."""

import pytest
from hsgeo_sensors.common import xml
from hsgeo_sensors.common.xml import number_of, optional_text, parse_xml, text_of

from hsgeo.errors import SceneError

BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;&y;">]>
<a><gain>&z;</gain></a>"""


def test_plain_documents_are_read_in_the_encoding_they_state():
    for encoding in ("utf-8", "utf-16", "iso-8859-1"):
        text = f'<?xml version="1.0" encoding="{encoding}"?><a><b> \u00fc 1 </b><c>2.5e-4</c><d/></a>'
        root = parse_xml(text.encode(encoding), name="M.XML")
        assert text_of(root, "b", name="M.XML") == "\u00fc 1"
        assert number_of(root, "c", name="M.XML") == 2.5e-4
        assert optional_text(root, "d") is None
        assert optional_text(root, "b/none") is None


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        BOMB.decode().encode("utf-16"),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
        b"<!DOCTYPE html><html/>",
    ],
    ids=["bomb", "bomb in utf-16", "outer type", "outer entity", "web page"],
)
def test_document_types_and_entities_are_refused(data):
    with pytest.raises(SceneError, match=r"M\.XML declares a document type or entities"):
        parse_xml(data, name="M.XML")


@pytest.mark.parametrize(
    "data",
    [b"", b"II*\0\0\0", b"<a><b></a>", b"<a><b>1</b>", b"<a>&x;</a>", b'<?xml version="1.0" encoding="shift"?><a/>'],
)
def test_what_is_no_complete_xml_says_so(data):
    with pytest.raises(SceneError, match=r"M\.XML is not complete XML"):
        parse_xml(data, name="M.XML")


def test_absurd_sizes_are_refused(monkeypatch):
    with pytest.raises(SceneError, match="bytes"):
        parse_xml(b"<a>" + b" " * xml.LARGEST + b"</a>", name="M.XML")
    monkeypatch.setattr(xml, "MOST", 5)
    with pytest.raises(SceneError, match="more than 5 elements"):
        parse_xml(b"<a>" + b"<b/>" * 5 + b"</a>", name="M.XML")
    parse_xml(b"<a>" + b"<b/>" * 4 + b"</a>", name="M.XML")


@pytest.mark.parametrize("text", ["", "12 nm", "nan", "inf", "1,5"])
def test_numbers_that_are_none_are_named(text):
    root = parse_xml(f"<a><b>{text}</b></a>".encode(), name="M.XML")
    with pytest.raises(SceneError, match=r"M\.XML .*a/b"):
        number_of(root, "b", name="M.XML")
