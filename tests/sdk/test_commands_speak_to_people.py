import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from proctor_sdk.cli import build_parser, load_command, main
from proctor_sdk.configuration import Configuration, load_configuration, store_configuration
from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.manifest import load_manifest

from .conftest import PASSWORD, TOKEN, Platform

COMMANDS = ("init", "check", "submit", "status", "report", "verify", "login", "study", "cohort")


def test_help_loads_nothing_that_is_slow() -> None:
    program = (
        "import sys\nfrom proctor_sdk.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "slow = {'httpx', 'torch', 'cryptography', 'rich', 'numpy', 'ruamel.yaml', 'pyarrow'}\n"
        "print('SLOW', sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "SLOW []" in done.stdout
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_module(name: str) -> None:
    assert callable(load_command(name).run)


def test_a_missing_extra_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    for name in list(sys.modules):
        if name.startswith("proctor_sdk.commands."):
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ProctorSdkError) as caught:
        load_command("status")
    assert "proctor-sdk[cli]" in caught.value.cure


def test_without_a_command_the_usage_is_shown() -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([])


def test_init_writes_a_manifest_that_is_accepted(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path / "m")]) == 0
    assert load_manifest(tmp_path / "m/proctor.toml").contract == "proctor/v1"
    compile((tmp_path / "m/model.py").read_text(), "model.py", "exec")
    assert "USER 65532" in (tmp_path / "m/Containerfile").read_text()


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.py").write_text("mine")
    assert main(["init", str(tmp_path)]) == 1
    assert "model.py already in" in capsys.readouterr().err
    assert (tmp_path / "model.py").read_text() == "mine"
    assert not (tmp_path / "proctor.toml").exists()


def test_the_example_model_answers_a_case(tmp_path: Path) -> None:
    main(["init", str(tmp_path)])
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    lines = '{"case":"c1","files":[],"inputs":{"age":80}}\n{"case":"c2","files":[],"inputs":{}}\n'
    (tmp_path / "input/cases.jsonl").write_text(lines + '{"end": true}\n')
    program = (
        "import sys, functools, proctor_sdk.runtime as r\nfrom pathlib import Path\n"
        f"r.cases = functools.partial(r.cases, Path({str(tmp_path / 'input')!r}))\n"
        f"r.answer = functools.partial(r.answer, root=Path({str(tmp_path / 'output')!r}))\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\nimport model\nmodel.main()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    written = (tmp_path / "output/predictions.jsonl").read_text().splitlines()
    assert '"died": 0.5' in written[0]
    assert '"failed"' in written[1]


def test_check_without_cases_looks_at_manifest_and_archive(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--manifest", str(model_folder / "proctor.toml")]) == 0
    assert "oci-archive" in capsys.readouterr().out


def test_check_tells_a_missing_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--manifest", str(tmp_path / "proctor.toml")]) == 1
    assert "proctor init" in capsys.readouterr().err


def test_status_lists_entries(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.entries["ent_1"] = {"id": "ent_1", "state": "in evaluation", "model": "Risk"}
    assert main(["status"]) == 0
    assert capsys.readouterr().out.split() == ["ent_1", "in", "evaluation", "Risk"]


def test_status_tells_reason_and_cure(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.entries["ent_1"] = {"id": "ent_1", "state": "failed", "reason_code": "OUTPUT_MISSING"}
    assert main(["status", "ent_1"]) == 0
    shown = capsys.readouterr().out
    assert "OUTPUT_MISSING: The container ended without an answer" in shown
    assert "cure    Write one line for each case" in shown


def test_status_tells_a_reason_of_a_newer_platform_as_it_is(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.entries["ent_1"] = {"id": "ent_1", "state": "failed", "reason_code": "BRAND_NEW"}
    assert main(["status", "ent_1"]) == 0
    assert "BRAND_NEW" in capsys.readouterr().out


def test_status_prints_the_log_alone_on_standard_output(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"state": "FAILED", "reason_code": "NONZERO_EXIT", "log": "Traceback\n"}
    platform.entries["ent_1"] = {"id": "ent_1", "conformance": found}
    assert main(["status", "ent_1", "--logs"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "Traceback\n"
    assert "NONZERO_EXIT" in shown.err


def test_an_unknown_entry_is_told(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert platform.url
    assert main(["status", "ent_9"]) == 1
    assert "There is no entry 'ent_9'" in capsys.readouterr().err


def test_report_is_found_by_its_entry(platform: Platform, tmp_path: Path) -> None:
    platform.entries["ent_1"] = {"id": "ent_1", "state": "released", "report": "rep_1"}
    assert main(["report", "ent_1", "--edition", "public", "-o", str(tmp_path / "r.zip")]) == 0
    assert (tmp_path / "r.zip").read_bytes() == b"rep_1 public"


def test_an_entry_without_a_report_is_told(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.entries["ent_1"] = {"id": "ent_1", "state": "checking", "report": None}
    assert main(["report", "ent_1", "-o", str(tmp_path / "r.zip")]) == 1
    assert "no report yet" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert platform.url
    assert main(["report", "rep_1", "-o", str(tmp_path / "none/r.zip")]) == 1
    assert "cannot be written: No such file" in capsys.readouterr().err


def login(platform: Platform, password: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.delenv("PROCTOR_URL")
    monkeypatch.delenv("PROCTOR_TOKEN")
    with_password = subprocess.run(
        [sys.executable, "-c", "from proctor_sdk.cli import main; raise SystemExit(main())",
         "login", platform.url, "--email", "v@example.org", "--password-stdin"],
        input=f"{password}\n", text=True, env=dict(os.environ), check=False,
    )  # fmt: skip
    return with_password.returncode


def test_login_keeps_url_and_token_for_the_owner_alone(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert login(platform, PASSWORD, monkeypatch) == 0
    path = tmp_path / "config/proctor/config.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_configuration() == Configuration(url=platform.url, token=TOKEN)


def test_login_with_a_wrong_password_keeps_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert login(platform, "wrong", monkeypatch) == 1
    assert not (tmp_path / "config").exists()


def test_the_environment_outranks_the_file(platform: Platform) -> None:
    store_configuration(Configuration(url="http://other", token="other"))
    assert load_configuration() == Configuration(url=platform.url, token=TOKEN)


def test_without_url_and_token_login_is_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("PROCTOR_URL", raising=False)
    assert main(["status"]) == 1
    assert "proctor login" in capsys.readouterr().err


def test_a_protocol_s_typo_is_told_at_file_and_line(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert platform.url
    path = tmp_path / "protocol.yaml"
    path.write_text("typo: 1\n")
    assert main(["study", "draft", str(path), "--cohort", "coh_1", "--conformance", "coh_2"]) == 1
    assert f"{path}:3: typo: There is no field.\n    cure: Drop it." in capsys.readouterr().err


def test_a_draft_without_cohorts_is_told_before_anything_is_sent(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.yaml").write_text("title: x\n")
    assert main(["study", "draft", str(tmp_path / "p.yaml")]) == 1
    assert "--cohort" in capsys.readouterr().err
    assert platform.seen == []


def sign(password: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from proctor_sdk.cli import main; raise SystemExit(main())",
         "study", *arguments, "--password-stdin"],
        input=f"{password}\n", text=True, env=dict(os.environ), capture_output=True, check=False,
    )  # fmt: skip


def test_what_was_read_is_what_is_signed(platform: Platform) -> None:
    done = sign(PASSWORD, "lock", "stu_1")
    assert done.stdout == "signed as statistician; the study is LOCKED\n"
    (signed,) = [body for _, path, body in platform.seen if path.endswith("/signatures")]
    assert signed["lock_digest"] == "sha256:" + "ab" * 32
    assert signed["role"] == "statistician"


def test_a_wrong_password_does_not_sign(platform: Platform) -> None:
    assert platform.url
    done = sign("wrong", "sign", "stu_1", "--role", "data_partner")
    assert done.returncode == 1
    assert "The password is wrong." in done.stderr


def test_a_study_is_shown_with_who_is_missing(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert platform.url
    assert main(["study", "show", "stu_1"]) == 0
    shown = capsys.readouterr().out
    assert "missing signatures  statistician" in shown
    assert "signed by data partner" in shown


def test_amendments_deviations_and_plugins_are_sent(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("title: x\n")
    assert main(["study", "amend", "stu_1", str(tmp_path / "p.yaml"), "--reason", "typo"]) == 0
    assert platform.seen[-1][2] == {"protocol": "title: x\n", "reason": "typo"}
    deviation = ["study", "deviation", "stu_1", "--severity", "minor", "--text", "A scanner."]
    assert main(deviation) == 0
    assert platform.seen[-1][2] == {"severity": "minor", "text": "A scanner."}
