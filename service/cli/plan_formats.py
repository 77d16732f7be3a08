"""A plan as text, Markdown, HTML or CSV; MBIs are masked in all of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from service.cli.output import show_cell

if TYPE_CHECKING:
    from service.workflows.plans import PlanView

Row = tuple[object, ...]
CHANGE_COLUMNS = ("change", "practitioner", "patient", "evidence", "line", "ends now", "held")
HOLD_COLUMNS = ("rule", "level", "practitioner", "patients", "why", "waiting costs from")
LEFT_OUT_COLUMNS = ("practitioner", "patient", "rule", "why")
SIGN_OFF_COLUMNS = ("person", "reason", "signed")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def iter_changes(view: PlanView) -> Iterator[Row]:
    """Yield one row per patient of every change, by practitioner; registrations of practitioners first."""
    for panel in view.practitioners:
        name = f"{panel.npi or ''} {panel.name or ''}".strip()
        for npi in panel.practitioners:
            yield ("register", npi, "the practitioner", None, None, None, False)
        for row in panel.rows:
            evidence = f"{row.feed_id or 'delivery'} {row.delivery_number}"
            yield (row.kind, name, row.masked_mbi, evidence, row.line, row.end_at, row.held)


def iter_sections(view: PlanView) -> Iterator[tuple[str, tuple[str, ...], list[Row]]]:
    """Yield (title, columns, rows) of every part of a plan that holds something."""
    parts: tuple[tuple[str, tuple[str, ...], list[Row]], ...] = (
        ("Changes", CHANGE_COLUMNS, list(iter_changes(view))),
        (
            "Held for a person",
            HOLD_COLUMNS,
            [(h.rule, h.level, h.npi, h.n, h.reason, h.costs_from_at) for h in view.holds],
        ),
        ("Left out", LEFT_OUT_COLUMNS, [(o.npi, o.masked_mbi, o.rule, o.sentence) for o in view.left_out]),
        ("Sign-offs", SIGN_OFF_COLUMNS, [(s.person, s.reason, s.signed_at) for s in view.sign_offs]),
    )
    yield from (part for part in parts if part[2])


def list_facts(view: PlanView) -> list[tuple[str, object]]:
    """Answer what stands above a plan: number, state, fingerprint, counts."""
    head = view.head
    facts: list[tuple[str, object]] = [
        ("plan", head.id),
        ("state", head.state),
        ("drawn", head.drawn_at),
        ("by", head.drawn_by),
        ("changes", {kind: n for kind, n in head.counts.items() if n}),
        ("held", head.held_n),
        ("left out", head.left_out_n),
        ("waiting costs from", view.costs_from_at),
        ("fingerprint", head.fingerprint),
    ]
    return [*facts, *(("warning", warning) for warning in view.warnings)]


def write_markdown(view: PlanView) -> str:
    """Answer the plan as Markdown."""
    lines = [f"# Plan {view.head.number}", ""]
    lines += [f"* {name}: {_guard_markdown(value)}" for name, value in list_facts(view)]
    for title, columns, rows in iter_sections(view):
        lines += ["", f"## {title}", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        lines += [f"| {' | '.join(_guard_markdown(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def write_html(view: PlanView) -> str:
    """Answer the plan as one HTML page without scripts or outside addresses."""
    title = f"Plan {view.head.number}"
    body = [f"<h1>{title}</h1>", "<dl>"]
    body += [f"<dt>{escape(name)}</dt><dd>{escape(show_cell(value))}</dd>" for name, value in list_facts(view)]
    body.append("</dl>")
    for heading, columns, rows in iter_sections(view):
        body += [f"<h2>{escape(heading)}</h2>", "<table>", "<thead><tr>"]
        body += [f'<th scope="col">{escape(column)}</th>' for column in columns]
        body.append("</tr></thead><tbody>")
        body += ["<tr>" + "".join(f"<td>{escape(show_cell(cell))}</td>" for cell in row) + "</tr>" for row in rows]
        body.append("</tbody></table>")
    head = f'<meta charset="utf-8"><title>{title}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(body) + "\n</body></html>\n"


def write_csv(columns: tuple[str, ...], rows: list[Row]) -> str:
    """Answer rows as CSV that no spreadsheet takes for formulas (feeds 3.3)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([guard_cell("" if cell is None else cell) for cell in row] for row in rows)
    return text.getvalue()


def guard_cell(cell: object) -> str:
    """Answer a cell as text; what a spreadsheet would compute gets an apostrophe in front."""
    text = show_cell(cell) if cell != "" else ""
    return "'" + text if text.startswith(FORMULA_STARTS) and len(text) > 1 else text


def _guard_markdown(cell: object) -> str:
    return show_cell(cell).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
