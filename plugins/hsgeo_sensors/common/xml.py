"""Metadata in XML, read without trust: no document types, no entities, nothing of absurd size."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.parsers import expat

from hsgeo.errors import SceneError

__all__ = ["LARGEST", "number_of", "optional_text", "parse_xml", "text_of"]

LARGEST = 32 * 2**20
"""Bytes. Products describe a few hundred bands in a few MiB at most; 32 MiB of short tags would fill gigabytes."""

MOST = 1_000_000
"""Elements: each costs some hundred bytes of memory, however short it is in the file."""


def parse_xml(data: bytes, *, name: str) -> ElementTree.Element:
    """Read the metadata of a product.

    A document type is refused before anything in it is looked at, because that is where entities are declared: those
    that grow to gigabytes and those that fetch other files.

    Parameters
    ----------
    data : bytes
        The document.
    name : str
        What it is, for messages.

    Returns
    -------
    xml.etree.ElementTree.Element
        Its root.

    Raises
    ------
    SceneError
        If it is no complete XML, declares a document type or entities, or is too large.
    """
    if len(data) > LARGEST:
        raise SceneError(
            f"{name} has {len(data)} bytes", f"metadata of at most {LARGEST} bytes", "Download the product again"
        )
    count = 0

    def refuse(*_: object) -> None:
        raise SceneError(
            f"{name} declares a document type or entities",
            "plain XML, as the metadata of products is",
            "Do not trust this file; download the product again from its provider",
        )

    def counted(*_: object) -> None:
        nonlocal count
        count += 1
        if count > MOST:
            raise SceneError(f"{name} has more than {MOST} elements", "metadata of a product", "Download it again")

    first = expat.ParserCreate()
    first.StartDoctypeDeclHandler = refuse
    first.EntityDeclHandler = refuse
    first.StartElementHandler = counted
    try:
        first.Parse(data, True)
        return ElementTree.fromstring(data)  # noqa: S314  what makes it dangerous was refused by the line above
    except SceneError:  # from the handlers; it is a ValueError too
        raise
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        problem = f"{name} is not complete XML: {error}"
        raise SceneError(problem, "the metadata of a product", "Download it again") from error


def optional_text(root: ElementTree.Element, path: str) -> str | None:
    """Return the text of an element that may be missing.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        Where to look.
    path : str
        As for ``Element.find``.

    Returns
    -------
    str or None
        Without blanks around it; None where there is no such element or no text in it.
    """
    return (root.findtext(path) or "").strip() or None


def text_of(root: ElementTree.Element, path: str, *, name: str) -> str:
    """Return the text of an element that must be there.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        Where to look.
    path : str
        As for ``Element.find``.
    name : str
        Of the document, for messages.

    Returns
    -------
    str
        Not empty, without blanks around it.

    Raises
    ------
    SceneError
        If it is missing or empty.
    """
    text = optional_text(root, path)
    if text is None:
        raise SceneError(f"{name} lacks {root.tag}/{path}", "the metadata of a product, complete", "Download it again")
    return text


def number_of(root: ElementTree.Element, path: str, *, name: str) -> float:
    """Return the number in an element that must be there.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        Where to look.
    path : str
        As for ``Element.find``.
    name : str
        Of the document, for messages.

    Returns
    -------
    float
        Finite.

    Raises
    ------
    SceneError
        If it is missing or not a finite number.
    """
    text = text_of(root, path, name=name)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise SceneError(f"{name} has {text[:40]!r} in {root.tag}/{path}", "a finite number", "Download it again")
    return value
