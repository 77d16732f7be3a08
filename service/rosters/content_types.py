"""Whether a declared Content-Type contradicts what a file holds (feeds 3.2: the format comes from content)."""

from __future__ import annotations

import re

from service.domain.patient_numbers import holds_patient_number

_FAMILIES = {
    "csv": "text/csv application/csv text/tab-separated-values text/x-csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": """application/json text/json application/fhir+json application/json+fhir application/ndjson
        application/x-ndjson application/fhir+ndjson application/jsonl application/x-jsonlines""",
    "hl7v2": """x-application/hl7-v2+er7 application/hl7-v2 application/hl7-v2+er7 application/edi-hl7v2
        application/hl7v2""",
}
_FOREIGN_KINDS = frozenset({"audio", "font", "image", "message", "model", "video"})
_FOREIGN = frozenset(
    {
        "application/edi-consent",
        "application/edi-x12",
        "application/edifact",
        "application/msword",
        "application/pdf",
        "application/rtf",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-tar",
        "application/x-zip-compressed",
        "application/xml",
        "application/zip",
        "text/html",
        "text/rtf",
        "text/xml",
    }
)
"""Types that no roster has, whatever it holds."""
_ZIPPED = frozenset({"application/zip", "application/x-zip-compressed"})
"""What a workbook is too."""
_KINDS = _FOREIGN_KINDS | {"application", "multipart", "text", "x-application"}
_SUBTYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_CHARSETS = frozenset({"iso-8859-1", "us-ascii", "utf-16", "utf-16be", "utf-16le", "utf-8", "windows-1252"})
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([a-z0-9-]+)"?\s*(?=;|$)')
_FAMILY_OF_TYPE = {name: family for family, names in _FAMILIES.items() for name in names.split()}
_FAMILY_OF_FORMAT = {"csv": "csv", "xlsx": "xlsx", "json": "json", "ndjson": "json", "hl7v2": "hl7v2"}


def read_media_type(content_type: str | None) -> str:
    """Answers the bare media type in small letters, empty without one; what stands behind a semicolon says nothing."""
    return (content_type or "").partition(";")[0].strip().lower()


def keep_type(content_type: str | None) -> str:
    """Answers what of a Content-Type may be kept in clear: its media type, and its charset if it is one we know.

    Whatever else a sender writes there, such as the `name` of the file, may name a patient. Empty for what is no media
    type (RFC 6838, 4.2) or holds a patient's number.
    """
    media_type = read_media_type(content_type)
    kind, _, subtype = media_type.partition("/")
    if kind not in _KINDS or not _SUBTYPE.fullmatch(subtype) or holds_patient_number(subtype):
        return ""
    charset = _CHARSET.search((content_type or "").lower())
    return f"{media_type}; charset={charset[1]}" if charset and charset[1] in _CHARSETS else media_type


def is_contradicted(content_type: str | None, found: str) -> bool:
    """Answers whether the declared type is one we know and names something else than the format that was found.

    Types that say little (text/plain, application/octet-stream, the application/vnd.ms-excel that browsers give CSV
    files) contradict nothing.
    """
    declared = read_media_type(content_type)
    found_family = _FAMILY_OF_FORMAT.get(found)
    if _is_foreign(declared):
        return not (declared in _ZIPPED and found_family == "xlsx")
    family = _FAMILY_OF_TYPE.get(declared)
    return family is not None and family != (found_family or family)


def _is_foreign(declared: str) -> bool:
    return declared in _FOREIGN or declared.partition("/")[0] in _FOREIGN_KINDS or declared.endswith("+xml")
