"""Words that have no place in any file: paths of one machine, package registries, and doors that stay shut."""

from __future__ import annotations

import re

import pytest

from tests.house.files import list_files, list_modules, read_text

# Spelled apart, so that this file may stand among the files it reads.
NOWHERE = {
    "a path of one machine": (
        r"(?<![\w.$}-])/(?:wo" r"rk(?![\w-])|tmp/ba" r"sh_jobs|tmp/r" r"c\b|home/\w|ro" r"ot/|Users/\w)"
    ),
    "a package registry": r"pypi\.o" r"rg|pythonhos" r"ted|registry\.np" r"mjs|crates\.i" r"o/api",
    "a private key": r"-----BEGIN (?:RSA |EC |ENCRYPTED )?PRIVATE KE" r"Y-----\s+[A-Za-z0-9+/]{40}",
}
NOT_IN_CODE = {
    "certificates unchecked": r"verify\s*=\s*Fal" r"se",
    "a shell": r"shell\s*=\s*Tr" r"ue|os\.sys" r"tem\(|os\.pop" r"en\(",
    "a format that runs code": r"\bpick" r"le\b|\bmars" r"hal\.|yaml\.lo" r"ad\(",
    "text run as code": r"(?<![\w.])ev" r"al\(|(?<![\w.])ex" r"ec\(",
    "mocks of our own parts": r"unittest\.mo" r"ck|from unittest import mo" r"ck|\bMagicMo" r"ck\b",
    "a skipped test": r"pytest\.sk" r"ip\(|mark\.sk" r"ip|mark\.xf" r"ail|pytest\.importor" r"skip",
}
SAMPLES = {
    "a path of one machine": ["see /wo" + "rk/main", '"/wo' + 'rk"', "/tmp/ba" + "sh_jobs.0/x"],
    "a package registry": ["https://pypi.o" + "rg/simple"],
    "a private key": ["-----BEGIN PRIVATE KE" + "Y-----\n" + "M" * 40],
    "certificates unchecked": ["get(url, verify=Fal" + "se)"],
    "a shell": ["run(x, shell=Tr" + "ue)"],
    "a format that runs code": ["import pick" + "le"],
    "text run as code": ["x = ev" + "al(text)"],
    "mocks of our own parts": ["from unittest.mo" + "ck import patch"],
    "a skipped test": ["pytest.sk" + "ip('later')"],
}
HARMLESS = ["service/workflows", "xl/workbook.xml", "re.compile(x)", "literal_eval(x)", "connection.exec_driver_sql(x)"]


@pytest.mark.parametrize("what", NOWHERE)
def test_no_file_holds(what: str) -> None:
    assert find_lines(NOWHERE[what], list_files()) == []


@pytest.mark.parametrize("what", NOT_IN_CODE)
def test_no_module_holds(what: str) -> None:
    assert find_lines(NOT_IN_CODE[what], list_modules()) == []


@pytest.mark.parametrize("what", NOWHERE | NOT_IN_CODE)
def test_each_search_finds_what_it_is_for_and_not_its_neighbours(what: str) -> None:
    pattern = (NOWHERE | NOT_IN_CODE)[what]
    assert all(re.search(pattern, sample) for sample in SAMPLES[what])
    assert not any(re.search(pattern, text) for text in HARMLESS)


def find_lines(pattern: str, paths: list[str] | tuple[str, ...]) -> list[str]:
    found = []
    for path in paths:
        text = read_text(path)
        found += [f"{path}:{text.count(chr(10), 0, match.start()) + 1}" for match in re.finditer(pattern, text)]
    return found
