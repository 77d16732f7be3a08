"""Builds the smallest Excel workbooks that hold what a test needs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>'
)


def write_text_cell(ref: str, text: str) -> str:
    return f'<c r="{ref}" t="inlineStr"><is><t>{text}</t></is></c>'


def write_row(number: int, *cells: str, more: str = "") -> str:
    """Writes one row; what begins with `<` is a cell already, digits are a number."""
    parts = []
    for column, cell in zip("ABCDEFGH", cells, strict=False):
        ref = f"{column}{number}"
        if cell.startswith("<"):
            parts.append(cell.replace("REF", ref))
        else:
            parts.append(f'<c r="{ref}"><v>{cell}</v></c>' if cell.isdigit() else write_text_cell(ref, cell))
    return f'<row r="{number}" {more}>{"".join(parts)}</row>'


def build_workbook(
    sheets: Mapping[str, str], hidden: frozenset[str] = frozenset(), members: Mapping[str, str] | None = None
) -> bytes:
    """Answers a workbook of sheets given as their rows; `members` are further parts of the archive."""
    listed, relations, parts = [], [], dict(members or {})
    for number, (name, rows) in enumerate(sheets.items(), 1):
        state = 'state="hidden" ' if name in hidden else ""
        listed.append(f'<sheet name={quoteattr(name)} sheetId="{number}" {state}r:id="rId{number}"/>')
        relations.append(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
        )
    book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{"".join(listed)}</sheets></workbook>'
    links = f'<Relationships xmlns="{_PACKAGE}/relationships">'
    root = f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", f"{links}{root}</Relationships>")
        archive.writestr("xl/workbook.xml", book)
        archive.writestr("xl/_rels/workbook.xml.rels", f"{links}{''.join(relations)}</Relationships>")
        for name, text in parts.items():
            archive.writestr(name, text)
    return stream.getvalue()
