"""The rest of the control surface, and what survives a restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from emulator_customer import Customer, KeyPair, Scene, build_npi, onboard

from service.emulator.server import Emulator, EmulatorOptions

pytestmark = pytest.mark.control


def control(emulator: Emulator, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{emulator.base_url}/_emulator/{path}", json=body, timeout=10)


def test_onboarding_over_http(emulator: Emulator, key_pair: KeyPair) -> None:
    """design/interfaces, Emulator: what the portal does for a customer."""
    answer = control(emulator, "POST", "organizations", {"npi": build_npi(340000001), "name": "North"})
    organization = answer.json()
    assert (answer.status_code, sorted(organization)) == (201, ["client_token", "id"])
    keys = f"organizations/{organization['id']}/keys"
    wish = {"key": key_pair.pem, "signature": key_pair.signature, "label": "first"}
    key = control(emulator, "POST", keys, wish)
    assert (key.status_code, list(key.json())) == (201, ["id"])
    assert control(emulator, "POST", keys, wish).status_code == 400
    customer = Customer(emulator, organization["id"], organization["client_token"], key.json()["id"], key_pair)
    customer.log_in()
    assert customer.send("GET", "/Organization").json()["entry"][0]["resource"]["name"] == "North"
    customer.session.close()


def test_onboarding_refuses_what_the_portal_would(emulator: Emulator) -> None:
    """Check digit, known NPI, missing fields."""
    npi = build_npi(340000001)
    assert control(emulator, "POST", "organizations", {"npi": "1234567890", "name": "x"}).status_code == 400
    assert control(emulator, "POST", "organizations", {"npi": npi}).status_code == 400
    assert control(emulator, "POST", "organizations", {"npi": npi, "name": "x"}).status_code == 201
    assert control(emulator, "POST", "organizations", {"npi": npi, "name": "y"}).status_code == 400
    assert control(emulator, "POST", "organizations/nobody/keys", {"key": "", "signature": ""}).status_code == 404


def test_limits_can_be_set_over_http(customer: Customer) -> None:
    """Control surface: POST settings."""
    answer = control(customer.emulator, "POST", "settings", {"provider_limit": 0})
    assert {name: answer.json()[name] for name in ("patient_limit", "provider_limit")} == {
        "patient_limit": -1,
        "provider_limit": 0,
    }
    assert control(customer.emulator, "POST", "settings", {"limit": 1}).status_code == 400


def test_the_journal_tells_effect_from_attempt(roster: Scene) -> None:
    """Control surface: GET log, the oracle for tests."""
    roster.add(roster.patients[:3], headers={"X-Request-Id": "abc"})
    roster.add(["00000000-0000-4000-8000-000000000000"])
    roster.customer.send("GET", "/Group?member=7")
    added, refused, read = control(roster.customer.emulator, "GET", "log").json()[-3:]
    path = f"/api/v1/Group/{roster.group_id}/$add"
    assert (added["method"], added["path"], added["status"], added["effect"]) == ("POST", path, 200, True)
    assert (added["patients"], added["request_id"], added["organization_id"]) == (
        3,
        "abc",
        roster.customer.organization_id,
    )
    assert added["provenance"] and json.loads(added["provenance_text"]) == roster.provenance
    assert (refused["status"], refused["effect"], refused["patients"]) == (400, False, 1)
    assert (read["status"], read["query"], read["provenance"], read["provenance_text"]) == (
        500,
        "member=7",
        False,
        None,
    )
    assert [added["n"] + 1, added["n"] + 2] == [refused["n"], read["n"]]
    assert added["at"].endswith("Z")


def test_what_changed_nothing_has_no_effect(customer: Customer) -> None:
    """A 200 on a known record is not an effect."""
    customer.create_patient(1)
    customer.create_patient(1)
    assert [entry["effect"] for entry in customer.emulator.log()][-2:] == [True, False]


def test_reset_forgets_customers_but_not_the_clock(customer: Customer) -> None:
    """Control surface: POST reset."""
    customer.emulator.advance("P5D")
    now = customer.emulator.now()
    assert control(customer.emulator, "POST", "reset").status_code == 204
    assert (customer.emulator.log(), customer.emulator.now()) == ([], now)
    assert customer.send("GET", "/Patient").status_code == 401


def test_callers_from_elsewhere_are_refused(emulator: Emulator) -> None:
    """The control surface is for loopback only."""
    client = emulator.app.test_client()
    assert client.get("/_emulator/clock").status_code == 200
    assert client.get("/_emulator/clock", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_nothing_is_lost_in_a_restart(tmp_path: Path, key_pair: KeyPair) -> None:
    """Tokens, keys, clock, limits and Groups live in the database, what was asked beside it; a reset empties both."""
    options = EmulatorOptions(data=tmp_path / "dpc.db", clock="frozen")
    with Emulator(options) as emulator:
        customer = onboard(emulator, key_pair)
        scene = Scene(customer, customer.create_practitioner(), [customer.create_patient()])
        scene.group_id = customer.create_group(scene.practitioner, scene.patients)["id"]
        emulator.set_limits(patient_limit=1)
        emulator.advance("P30D")
        members, now, golden = scene.read_members(), emulator.now(), emulator.golden_macaroon()
        seen = emulator.log()
    with Emulator(EmulatorOptions(data=tmp_path / "dpc.db")) as again:
        customer.emulator = again
        assert (again.now(), again.state.clock.mode) == (now, "frozen")
        assert again.log() == seen and seen
        assert customer.send("GET", f"/Group/{scene.group_id}").status_code == 200
        assert scene.read_members() == members
        assert again.state.limits.patient_limit == 1
        assert again.state.root_key in (emulator.state.root_key,)
        assert golden.startswith("MDA")
        again.advance("P61D")
        assert scene.read_members()[scene.patients[0]]["inactive"]
        assert [entry["n"] for entry in again.log()] == list(range(1, len(again.log()) + 1))
        again.reset()
    with Emulator(EmulatorOptions(data=tmp_path / "dpc.db")) as emptied:
        assert emptied.log() == []
    customer.session.close()


def test_a_stopped_emulator_answers_nobody(tmp_path: Path) -> None:
    """Open connections end with it."""
    session = requests.Session()
    with Emulator(EmulatorOptions()) as emulator:
        assert session.get(emulator.v1_url + "/version", timeout=5).status_code == 200
    try:
        session.get(emulator.v1_url + "/version", timeout=5)
    except requests.ConnectionError:
        pass
    else:
        raise AssertionError("a stopped emulator answered")
    finally:
        session.close()


def test_the_process_says_its_address_and_ends_on_sigterm(tmp_path: Path) -> None:
    """serve_forever: one line, clean exit."""
    faults = tmp_path / "faults.json"
    faults.write_text('{"path": "/metadata", "status": 503}')
    code = (
        "from pathlib import Path; from service.emulator.server import EmulatorOptions, serve_forever;"
        f"serve_forever(EmulatorOptions(faults=Path({str(faults)!r})))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        line = child.stdout.readline()
        url = line.split()[4]
        assert requests.get(url + "/api/v1/metadata", timeout=5).status_code == 503
        os.kill(child.pid, signal.SIGTERM)
        assert (child.wait(timeout=10), child.stdout.read(), child.stderr.read()) == (0, "", "")
