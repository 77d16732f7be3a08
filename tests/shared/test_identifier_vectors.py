"""Every identifier vector of the feed contract is read as the contract says, in both environments."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from service.domain.identifiers import Environment, Reading, read_mbi, read_npi

READERS = {"mbi": read_mbi, "npi": read_npi}
REPAIR_WORDS = {"decimal .0": "decimal_zero", "80840 prefix": "card_prefix"}


def read_vectors(shared: Path) -> list[dict[str, str]]:
    with (shared / "dpc/samples/identifiers.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def read_expected_code(row: dict[str, str], environment: Environment) -> str | None:
    found = re.search(r"(?:mbi|npi)_[a-z_]+", row["reason"])
    if row[f"valid_{environment}"] == "yes" or found is None:
        return None
    return found.group()


def read_expected_repairs(row: dict[str, str]) -> tuple[str, ...]:
    found = re.search(r"\[(.+) removed\]", row["reason"])
    words = found.group(1).split("+") if found else []
    return tuple(REPAIR_WORDS.get(word, word) for word in words)


def read_vector(row: dict[str, str], environment: Environment) -> Reading:
    return READERS[row["kind"]](row["value"], environment)


def test_there_are_108_vectors(shared: Path) -> None:
    assert len(read_vectors(shared)) == 108


def test_each_vector_is_valid_exactly_where_the_contract_says(shared: Path) -> None:
    wrong = [
        (number, environment)
        for number, row in enumerate(read_vectors(shared), start=2)
        for environment in Environment
        if (read_vector(row, environment).code is None) != (row[f"valid_{environment}"] == "yes")
    ]
    assert wrong == []


def test_each_refused_vector_carries_the_code_of_the_contract(shared: Path) -> None:
    wrong = [
        (number, environment, read_vector(row, environment).code)
        for number, row in enumerate(read_vectors(shared), start=2)
        for environment in Environment
        if read_vector(row, environment).code != read_expected_code(row, environment)
    ]
    assert wrong == []


def test_each_repair_of_the_contract_is_reported(shared: Path) -> None:
    wrong = [
        (number, read_vector(row, environment).repairs)
        for number, row in enumerate(read_vectors(shared), start=2)
        for environment in Environment
        if row[f"valid_{environment}"] == "yes" and read_vector(row, environment).repairs != read_expected_repairs(row)
    ]
    assert wrong == []
