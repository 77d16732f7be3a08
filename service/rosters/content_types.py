"""Whether a declared Content-Type contradicts what a file holds (feeds 3.2: the format comes from content)."""

from __future__ import annotations

_FAMILIES = {
    "csv": "text/csv application/csv text/tab-separated-values text/x-csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": """application/json text/json application/fhir+json application/json+fhir application/ndjson
        application/x-ndjson application/fhir+ndjson application/jsonl application/x-jsonlines""",
    "hl7v2": "x-application/hl7-v2+er7 application/hl7-v2 application/hl7-v2+er7 application/edi-hl7v2",
}
_FAMILY_OF_TYPE = {name: family for family, names in _FAMILIES.items() for name in names.split()}
_FAMILY_OF_FORMAT = {"csv": "csv", "xlsx": "xlsx", "json": "json", "ndjson": "json", "hl7v2": "hl7v2"}


def is_contradicted(content_type: str | None, found: str) -> bool:
    """Answers whether the declared type is one we know and names another family than the format that was found.

    Types that say little (text/plain, application/octet-stream, the application/vnd.ms-excel that browsers give CSV
    files) contradict nothing.
    """
    declared = (content_type or "").partition(";")[0].strip().lower()
    family = _FAMILY_OF_TYPE.get(declared)
    return family is not None and family != _FAMILY_OF_FORMAT.get(found, family)
