"""The firewall's budget of requests (contract-v1 1.1 and 14.28)."""

from __future__ import annotations

import pytest
import requests

from service.emulator.server import Emulator


def visit(emulator: Emulator) -> requests.Response:
    return requests.get(emulator.v1_url + "/version", timeout=10)


@pytest.mark.parametrize("status", [403, 429])
def test_who_is_over_the_budget_gets_a_page_and_no_body_of_dpcs(emulator: Emulator, status: int) -> None:
    """contract-v1 1.1: 300 requests in five minutes."""
    emulator.change_settings(waf_budget=3, waf_status=status)
    answers = [visit(emulator) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, status]
    assert (answers[3].headers["Content-Type"], "<html>" in answers[3].text) == ("text/html", True)
    assert [entry["fault"] for entry in emulator.log()] == [None, None, None, "waf_budget"]


def test_the_window_slides_on_the_emulators_clock(emulator: Emulator) -> None:
    """contract-v1 1.1: what is older than five minutes no longer counts."""
    emulator.change_settings(waf_budget=1)
    assert [visit(emulator).status_code for _ in range(2)] == [200, 403]
    emulator.advance("PT4M59S")
    assert visit(emulator).status_code == 403
    emulator.advance("PT5M")
    assert visit(emulator).status_code == 200


def test_the_control_surface_is_behind_the_wall(emulator: Emulator) -> None:
    """Control surface: never counted, never refused; a reset takes the budget away."""
    url = emulator.base_url + "/_emulator/settings"
    assert requests.post(url, json={"waf_budget": 0}, timeout=10).json()["waf_budget"] == 0
    assert visit(emulator).status_code == 403
    assert requests.post(url, json={"waf_status": 404}, timeout=10).status_code == 400
    emulator.reset()
    assert visit(emulator).status_code == 200


def test_three_hundred_requests_pass_and_no_more(emulator: Emulator) -> None:
    """contract-v1 1.1, in the process and not through the socket."""
    emulator.change_settings(waf_budget=300)
    client = emulator.app.test_client()
    codes = [client.get("/api/v1/version").status_code for _ in range(302)]
    assert (codes.count(200), codes.count(403)) == (300, 2)
