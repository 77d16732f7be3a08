"""The same suite, aimed at another server by its URL alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from emulator_customer import KeyPair, onboard

from service.emulator.server import Emulator, EmulatorOptions

pytestmark = pytest.mark.control

HERE = Path(__file__).parent
MODULES = ("test_capability.py", "test_documentation_rows.py")


def test_what_needs_no_control_runs_against_any_base_url(key_pair: KeyPair, tmp_path: Path) -> None:
    """Credentials come from the environment; the rest is left out, not skipped, and nothing stays behind."""
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(key_pair.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with Emulator(EmulatorOptions()) as other:
        customer = onboard(other, key_pair)
        credentials = {
            "DPC_CLIENT_TOKEN": customer.client_token,
            "DPC_KEY_ID": customer.key_id,
            "DPC_PRIVATE_KEY_FILE": str(key_file),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--dpc-url", other.v1_url]
        run = subprocess.run(
            [*command, *(str(HERE / name) for name in MODULES)],
            env=os.environ | credentials,
            cwd=HERE.parent.parent.parent,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stdout
        assert re.search(r"[0-9]{2} passed, [0-9]+ deselected", run.stdout)
        assert "skipped" not in run.stdout
        assert {entry["organization_id"] for entry in other.log()} - {None} == {customer.organization_id}
        customer.log_in()
        for kind in ("Practitioner", "Patient", "Group"):
            assert customer.send("GET", f"/{kind}").json()["total"] == 0
        customer.session.close()
