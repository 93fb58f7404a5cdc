import subprocess
import sys
from pathlib import Path

from honcho.environ import parse_procfile

from deploy.local.parts import Part
from deploy.local.procfile import environment_file, procfile, write_procfile

AWKWARD = 'it\'s $HOME; "x" `y`\\n #'


def part(name: str, *command: str, **environment: str) -> Part:
    return Part(name=name, command=command, health="", settings=(), environment=environment)


def run(line: str) -> int:
    return subprocess.run(["/bin/sh", "-c", line], check=False, timeout=10).returncode


def test_honcho_reads_one_process_per_part_and_the_guard(tmp_path: Path) -> None:
    text = procfile([part("nats", "nats-server"), part("paper-broker", "python")], tmp_path)
    assert list(parse_procfile(text).processes) == ["launcher", "nats", "paper-broker"]


def test_a_line_runs_the_command_with_its_environment_and_writes_its_log(tmp_path: Path) -> None:
    directory = tmp_path / "a directory's"
    (directory / "logs").mkdir(parents=True)
    code = "import os, sys; print(os.environ['PREGAO_X'], sys.argv[1], flush=True); sys.exit(7)"
    gateway = part("gateway", sys.executable, "-c", code, AWKWARD, PREGAO_X=AWKWARD)
    write_procfile(directory / "Procfile", [gateway], directory)
    line = parse_procfile((directory / "Procfile").read_text()).processes["gateway"]
    assert run(line) == 7
    assert (directory / "logs" / "gateway.log").read_text() == f"{AWKWARD} {AWKWARD}\n"


def test_the_shell_is_replaced_so_that_signals_reach_the_process(tmp_path: Path) -> None:
    text = procfile([part("gateway", "python")], tmp_path)
    assert " exec python </dev/null " in text


def test_secrets_are_neither_in_the_procfile_nor_readable_by_others(tmp_path: Path) -> None:
    write_procfile(tmp_path / "Procfile", [part("gateway", "python", PREGAO_NATS_PASSWORD="hush-hush")], tmp_path)
    assert "hush-hush" not in (tmp_path / "Procfile").read_text()
    assert (tmp_path / "env" / "gateway.env").stat().st_mode & 0o077 == 0


def test_an_environment_file_is_what_a_shell_reads() -> None:
    script = environment_file({"PREGAO_X": AWKWARD}) + 'printf %s "$PREGAO_X"'
    said = subprocess.run(["/bin/sh", "-c", script], check=True, timeout=10, capture_output=True, text=True).stdout
    assert said == AWKWARD
