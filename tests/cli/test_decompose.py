"""The command with a stand-in for the network."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from layerctl.batch.plan import RECEIPT_ENDING
from layerctl.errors import EnvironmentFault
from tests.batch import night
from tests.batch.night import paint, tree
from tests.cli.conftest import NOTE, last


def test_a_line_a_photo_and_the_sum_at_the_end(decompose, photos, out):
    (photos / "bad.jpg").write_text("no photo")
    answer = decompose()
    said = answer.out.splitlines()
    assert answer.code == 1
    assert said[0] == NOTE
    assert said[1].startswith("FAIL  bad.jpg: ")
    assert said[2].startswith("done  cup.png  4 layers  0.")
    assert last(answer).startswith("3 done, 0 skipped, 1 failed in ")
    assert last(answer).endswith(f" s -> {out}")
    assert answer.err == ""


def test_a_second_run_skips_and_loads_no_model(decompose, network):
    assert decompose().code == 0
    answer = decompose()
    assert answer.code == 0
    assert answer.out.splitlines()[:3] == [
        "skip  cup.png",
        "skip  shoe.jpg",
        "skip  summer/hat.jpg",
    ]
    assert last(answer).startswith("0 done, 3 skipped, 0 failed in ")
    assert network.loads == 1


def test_another_checkpoint_preset_or_force_redoes(decompose, model):
    decompose()
    (model / "weights").write_text("trained on")
    assert "3 done" in last(decompose())
    assert "3 done" in last(decompose("--layers", "3"))
    assert "3 skipped" in last(decompose("--layers", "3", "--jobs", "5"))
    assert "3 done" in last(decompose("--layers", "3", "--force"))


def test_one_object_a_photo_and_the_sum_as_the_last(decompose, photos, out):
    (photos / "bad.jpg").write_text("no photo")
    answer = decompose("--log-format", "json")
    *outcomes, summary = map(json.loads, answer.out.splitlines())
    assert [found["status"] for found in outcomes] == ["failed", "done", "done", "done"]
    assert outcomes[0]["reason"]
    assert outcomes[1]["input"] == str(photos / "cup.png")
    assert outcomes[1]["receipt"] == str(out / "cup.png.layers.json")
    assert outcomes[1]["layers"] == 4
    seconds = summary["summary"].pop("seconds")
    assert 0 <= seconds < 60
    assert summary == {
        "summary": {
            "done": 3,
            "skipped": 0,
            "failed": 1,
            "todo": 0,
            "left": 0,
            "doubtful": 0,
            "earlier_outputs": 0,
            "passed_over": 0,
            "out": str(out),
        },
        "notes": [NOTE],
        "error": None,
    }


def test_the_trace_of_a_bug_is_in_the_json_only(decompose, network):
    network.work = night.raises_on("shoe.jpg", KeyError("x"))
    answer = decompose("--log-format", "json")
    assert "raise error" in json.loads(answer.out.splitlines()[1])["trace"]
    answer = decompose()
    assert "FAIL  shoe.jpg: KeyError: 'x'" in answer.out.splitlines()
    assert "Traceback" not in answer.out + answer.err


def test_a_dry_run_lists_the_work_and_touches_nothing(decompose, network, out):
    answer = decompose("--dry-run")
    assert answer.code == 0
    assert answer.out.splitlines()[:-1] == [
        "todo  cup.png",
        "todo  shoe.jpg",
        "todo  summer/hat.jpg",
    ]
    assert "3 todo" in last(answer)
    assert not out.exists()
    assert network.loads == 0


def test_earlier_outputs_among_the_photos_are_left_out_and_counted(
    decompose, photos, layerctl, model
):
    assert layerctl("decompose", photos, "-o", photos / "old", "--model", model).code == 0
    answer = decompose("--dry-run")
    said, *todo, summary = answer.out.splitlines()
    assert said == "18 files are left out: earlier outputs, by the receipts beside them"
    assert todo == ["todo  cup.png", "todo  shoe.jpg", "todo  summer/hat.jpg"]
    summary = json.loads(decompose("--dry-run", "--log-format", "json").out.splitlines()[-1])
    assert summary["summary"]["earlier_outputs"] == 18
    assert summary["summary"]["todo"] == 3
    assert summary["notes"] == [said]


def test_what_is_passed_over_is_one_line_and_a_number(decompose, photos):
    for name in ["a.cr2", "b.CR2", "summer/c.jxl", ".hidden.svg", "Thumbs.db", "hat.txt"]:
        (photos / name).touch()
    sentence = "3 other files passed over (2 .cr2, 1 .jxl)"
    assert decompose("--dry-run").out.splitlines()[0] == sentence
    summary = json.loads(decompose("--dry-run", "--log-format", "json").out.splitlines()[-1])
    assert summary["summary"]["passed_over"] == 3
    assert summary["notes"] == [sentence]


def test_an_earlier_output_that_is_named_is_a_photo(decompose, photos, layerctl, model):
    layerctl("decompose", photos, "-o", photos / "old", "--model", model)
    answer = decompose("--dry-run", inputs=[photos / "old" / "shoe.psd"])
    assert answer.out.splitlines()[0] == "todo  shoe.psd"


def test_doubts_are_told_and_fail_where_the_preset_says_so(decompose, network, tmp_path):
    network.work = night.doubtful
    answer = decompose()
    assert answer.code == 0
    assert "      layer 1, background: its edge is soft" in answer.out.splitlines()
    assert last(answer).startswith("3 done, 0 skipped, 0 failed, 3 doubtful")
    strict = tmp_path / "strict.yaml"
    strict.write_text("extends: default\nquality:\n  fail_on_doubt: true\n")
    assert decompose("--preset", strict).code == 1
    assert decompose("--preset", strict).code == 1


def test_what_is_kept_of_a_designer_is_told_in_both_logs(decompose, out):
    decompose()
    (out / "shoe.psd").write_text("by hand")
    answer = decompose()
    assert answer.code == 0
    assert "      what was changed since is kept: shoe.psd.bak" in answer.out.splitlines()
    (out / "shoe.psd").write_text("again")
    *outcomes, _ = map(json.loads, decompose("--log-format", "json").out.splitlines())
    notes = [note for found in outcomes for note in found["notes"]]
    assert "what was changed since is kept: shoe.psd.bak2" in notes


def test_fail_fast_and_max_minutes_leave_the_rest(decompose, network):
    answer = decompose("--max-minutes", "0.0000001")
    assert answer.code == 0
    assert last(answer).startswith("0 done, 0 skipped, 0 failed, 3 left in ")
    network.work = night.raises_on("cup.png", ValueError("x"))
    answer = decompose("--fail-fast")
    assert answer.code == 1
    assert last(answer).startswith("0 done, 0 skipped, 1 failed, 2 left in ")


def test_a_folder_without_photos_is_said_to_be_one(decompose, network, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = decompose(inputs=[tmp_path / "empty"])
    assert answer.code == 0
    assert answer.out.startswith(f"no photos in {tmp_path / 'empty'}\n0 done")
    answer = decompose("--log-format", "json", inputs=[tmp_path / "empty"])
    assert json.loads(answer.out)["notes"] == [f"no photos in {tmp_path / 'empty'}"]
    assert network.loads == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--preset", "no-such"], 2, "no-such"),
        (["--layers", "many"], 2, "layers"),
        (["--layers", "99"], 2, "layers"),
        (["--device", "gpu"], 2, "device"),
        (["--quantize", "int4"], 2, "--quantize must be none or fp8, not int4"),
        (["--lora", "a.safetensors@nan"], 2, "--lora, item 1: weight must be a number"),
        (["--lora", "no-such.safetensors"], 3, "no-such.safetensors is not here: give FILE"),
        (["--lora", "a.safetensors@x"], 3, "a.safetensors@x is not here: give FILE or FILE@WEIGHT"),
        (["--prompt", "a shoe"], 2, "reads no text; leave the prompt out"),
        (["--model", "no-such"], 3, "no-such"),
        (["-o", "/dev/null/out"], 3, "cannot write to /dev/null/out"),
    ],
)
def test_what_cannot_work_is_refused_before_the_model_loads(
    decompose, network, out, arguments, code, sentence
):
    answer = decompose(*arguments)
    assert answer.code == code
    assert sentence in answer.err
    assert len(answer.err.splitlines()) == 1
    assert network.loads == 0
    assert not out.exists()


def test_an_input_that_is_not_there_is_a_wrong_command_only_if_there_is_no_other(
    decompose, network, photos, out
):
    answer = decompose(inputs=["nowhere.jpg"])
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "layerctl: cannot find nowhere.jpg: No such file or directory\n"
    assert network.loads == 0
    assert not out.exists()
    summary = json.loads(decompose("--log-format", "json", inputs=["nowhere.jpg"]).out)
    assert answer.err == f"layerctl: {summary['error']}\n"
    answer = decompose(inputs=["nowhere.jpg", photos])
    assert answer.code == 1
    assert answer.out.startswith("FAIL  nowhere.jpg: cannot find nowhere.jpg: No such file or")
    assert last(answer).startswith("3 done, 0 skipped, 1 failed in ")


def test_an_input_that_may_not_be_read_stops_no_other(decompose, photos, monkeypatch):
    may = os.access
    monkeypatch.setattr(
        "os.access", lambda path, *how, **more: "shoe" not in str(path) and may(path, *how, **more)
    )
    answer = decompose(inputs=[photos / "cup.png", photos / "shoe.jpg"])
    assert answer.code == 1
    assert f"FAIL  shoe.jpg: cannot read {photos / 'shoe.jpg'}: Permission denied" in answer.out
    assert last(answer).startswith("1 done, 0 skipped, 1 failed in ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--model", "no-such"], 3),
        (["--lora", "no-such.safetensors"], 3),
        (["--preset", "no-such"], 2),
    ],
)
def test_what_is_refused_is_the_error_of_the_summary(decompose, arguments, code):
    answer = decompose("--log-format", "json", *arguments)
    assert answer.code == code
    summary = json.loads(answer.out)
    assert answer.err == f"layerctl: {summary['error']}\n"
    assert summary["summary"]["done"] == 0
    assert decompose(*arguments).out == ""


def test_a_bug_of_ours_is_the_error_of_the_summary(decompose, network, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    network.open_model = lambda _: 1 / 0
    answer = decompose("--log-format", "json")
    assert answer.code == 70
    assert json.loads(answer.out)["error"] == "ZeroDivisionError: division by zero"


def test_a_model_that_cannot_be_loaded_is_the_environments_fault(decompose, network, out):
    def broken(_):
        raise EnvironmentFault("the checkpoint is damaged")

    network.open_model = broken
    answer = decompose()
    assert answer.code == 3
    assert answer.err == "layerctl: the checkpoint is damaged\n"
    assert last(answer).startswith("0 done, 0 skipped, 0 failed, 3 left")
    assert list(out.iterdir()) == []


def test_names_that_no_terminal_or_json_can_spell(decompose, tmp_path):
    odd = os.fsdecode(b"caf\xe9\n.jpg")
    paint(tmp_path / "odd" / odd)
    answer = decompose(inputs=[tmp_path / "odd"])
    assert answer.code == 0
    assert "done  caf\\udce9\\n.jpg  4 layers" in answer.out
    answer = decompose("--log-format", "json", inputs=[tmp_path / "odd"])
    assert json.loads(answer.out.splitlines()[0])["input"] == str(tmp_path / "odd" / odd)


def test_a_name_with_a_dash_in_front_may_be_given(decompose, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "-n.jpg")
    assert decompose("--", "-n.jpg", inputs=[]).code == 0
    assert (out / "-n.psd").exists()


@pytest.fixture
def start(photos, model, out, tmp_path):
    """Start the command in a process of its own; start(...) -> process; its output is in log."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch.night"])

    def call(*arguments, **options):
        command = ["decompose", str(photos), "-o", str(out), "--model", str(model), *arguments]
        process = context.Process(
            target=night.command, args=(command, tmp_path / "log"), kwargs=options
        )
        process.start()
        return process

    return call


def when(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_run_and_leaves_the_photo_in_flight(
    start, decompose, out, tmp_path, number, code
):
    process = start(pause=1.0)
    when(lambda: list(out.glob(f"*{RECEIPT_ENDING}")))
    os.kill(process.pid, number)
    process.join(30)
    assert process.exitcode == code
    said = (tmp_path / "log").read_text().splitlines()
    assert said[-1].startswith(("0 done", "1 done")), said
    assert " left in " in said[-1]
    assert not [path for path in out.rglob("*") if ".layerctl" in path.name]
    assert "1 skipped" in last(decompose())


def test_a_signal_is_the_error_of_the_summary(start, out, tmp_path):
    process = start("--log-format", "json", pause=1.0)
    when(lambda: list(out.glob(f"*{RECEIPT_ENDING}")))
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 143
    summary = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert summary["error"] == "it was interrupted by a signal; the next run does what is left"
    assert summary["summary"]["left"] >= 1


def test_a_second_run_on_the_same_folder_leaves_at_once(start, decompose, out):
    process = start(pause=5.0)
    when(lambda: (out / ".layerctl.lock").exists())
    started = time.monotonic()
    answer = decompose()
    assert time.monotonic() - started < 2
    assert answer.code == 75
    assert answer.err == f"layerctl: another run holds {out} (pid {process.pid})\n"
    process.kill()
    process.join()
    assert decompose().code == 0


def test_a_limit_on_the_size_of_files_is_like_a_full_disk(start, decompose, photos, out, tmp_path):
    paint(photos / "large.png", size=(300, 300))
    process = start(largest=100_000)
    process.join(60)
    said = (tmp_path / "log").read_text().splitlines()
    assert process.exitcode == 3
    assert f"layerctl: cannot write to {out}: File too large; what is finished is kept" in said[-1]
    assert (out / "cup.png.layers.json").exists()
    assert not list(out.glob("large*"))
    whole = tree(out)
    assert decompose().code == 0
    assert whole.items() <= tree(out).items()


def test_usage_and_skipping_never_load_torch(photos, model, out, decompose):
    decompose()
    script = (
        "import sys; from layerctl.cli import run\n"
        "code = run(sys.argv[1:]); print(code, 'torch' in sys.modules)"
    )
    base = [sys.executable, "-c", script, "decompose", str(photos), "--model", str(model)]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for arguments, code in [
        (["-o", str(out)], 0),
        (["-o", str(out / "x"), "--dry-run"], 0),
        (["--layers", "99"], 2),
        (["--help"], 0),
    ]:
        answer = subprocess.run(
            [*base, *arguments], capture_output=True, text=True, check=True, env=paths
        )
        assert answer.stdout.splitlines()[-1] == f"{code} False", answer
