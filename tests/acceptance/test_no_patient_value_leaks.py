"""A thousand canaries are driven through every flow, errors included; none may be readable where it does not belong."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import pytest
from practice import ADA, BRUNO, VERA, Practice, build_mbi, write_practitioners

from service.domain.errors import Refusal
from service.workflows.explain import explain
from service.workflows.plans import load_plan_view
from service.workflows.prove import find_ledger_entries, make_checkpoint
from service.workflows.report import REPORT_KINDS, build_report

CANARIES = range(1000)
FAMILY = "Zyxkanary"
BORN = "1931-07-"


def build_roster() -> bytes:
    lines = ["MBI,First Name,Last Name,Date of Birth,Sex,Rendering NPI"]
    lines += [
        f"{build_mbi(n)},Qwerta{chr(97 + n % 26)},{FAMILY}{chr(97 + n // 26 % 26)},{BORN}{1 + n % 28:02d},F,"
        f"{ADA if n % 2 else BRUNO}"
        for n in CANARIES
    ]
    lines += [f"{build_mbi(7)[:-1]},Qwertz,{FAMILY},{BORN}01,F,{ADA}", f"{build_mbi(8)},Qwertz,{FAMILY},x,F,12345"]
    return "\r\n".join(lines).encode()


def build_needles() -> list[bytes]:
    """MBIs as they stand, with dashes, in lower case and in base64; names; what birth dates begin with."""
    plain = [build_mbi(n) for n in CANARIES]
    dashed = [f"{m[:4]}-{m[4:7]}-{m[7:]}" for m in plain]
    coded = [base64.b64encode(m.encode()).decode().rstrip("=")[:14] for m in plain[:50]]
    return [text.encode() for text in [*plain, *dashed, *(m.lower() for m in plain), *coded, FAMILY, "Qwert", BORN]]


def find_leaks(content: bytes) -> set[str]:
    lowered = content.lower()
    return {needle.decode() for needle in build_needles() if needle.lower() in lowered}


def run_every_flow(practice: Practice) -> list[str]:
    """The journey of a year, with what goes wrong on the way; answers the texts of all refusals."""
    refusals = []
    practice.deliver(write_practitioners())
    practice.deliver(build_roster())
    practice.emu.add_fault({"method": "POST", "path": r".*Patient/\$submit", "nth": 1, "status": 500, "when": "after"})
    report = practice.apply_all()
    refusals += [f"{r.text} {r.next_action}" for r in report.refusals]
    practice.pass_time()
    practice.apply_all()
    for attempt in ("no-such-plan", "../../etc"):
        try:
            load_plan_view(practice.rt, "lakeside", attempt, VERA)
        except Refusal as refusal:
            refusals.append(f"{refusal.message} {refusal.next_action}")
    for kind in REPORT_KINDS:
        refusals.append(json.dumps(build_report(practice.rt, "lakeside", kind, VERA).rows))
    told = explain(practice.rt, "lakeside", npi=ADA, mbi=build_mbi(1), actor=VERA)
    refusals += [repr(told), *(f"{link.sentence} {link.reference}" for link in told.links)]
    make_checkpoint(practice.rt, "lakeside")
    return refusals


@pytest.mark.timeout(120)
def test_no_canary_is_readable_on_disk_in_logs_in_addresses_or_in_the_ledger(
    practice: Practice, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = run_every_flow(practice)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sealed" for path in files)
    assert any(path.name == "rollcall.db" for path in files)
    for path in files:
        assert not find_leaks(path.read_bytes()), path.name
    assert not find_leaks("\n".join(r.getMessage() for r in caplog.records).encode())
    addresses = "\n".join(f"{e['path']}?{e['query']} {e['provenance_text']}" for e in practice.emu.log())
    assert not find_leaks(addresses.encode())
    entries = find_ledger_entries(practice.rt, "lakeside", limit=500)
    assert entries
    assert not find_leaks(json.dumps([[e.kind, e.actor, e.body] for e in entries], default=str).encode())
    assert not find_leaks("\n".join(texts).encode())


def test_the_search_for_leaks_would_find_one() -> None:
    assert find_leaks(f"row 7: {build_mbi(7)}".encode())
    assert find_leaks(f"patient {FAMILY}".encode())
