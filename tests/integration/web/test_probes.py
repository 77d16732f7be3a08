"""GET /livez and /readyz."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from web_stage import Stage

from service.runtime import build_runtime
from service.web.app import close_app, create_app


def test_a_process_that_can_work_is_alive_and_ready(stage: Stage) -> None:
    assert stage.browse().get("/livez").json == {"state": "alive"}
    assert stage.browse().get("/readyz").json == {"state": "ready"}


def test_neither_probe_asks_dpc(stage: Stage) -> None:
    before = len(stage.emulator.log())
    stage.browse().get("/livez")
    stage.browse().get("/readyz")
    assert len(stage.emulator.log()) == before


def test_a_process_without_its_schema_is_alive_but_not_ready(stage: Stage, tmp_path: Path) -> None:
    empty = replace(
        stage.runtime.settings, data_dir=tmp_path / "empty", database_url=f"sqlite:///{tmp_path / 'empty' / 'no.db'}"
    )
    with build_runtime(empty) as runtime:
        app = create_app(runtime)
        try:
            assert app.test_client().get("/livez").status_code == 200
            answer = app.test_client().get("/readyz")
            assert answer.status_code == 503 and answer.json is not None
            assert answer.json["state"] == "not ready"
        finally:
            close_app(app)
