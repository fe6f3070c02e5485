"""`layerctl presets`: list, show, check, schema."""

import json

import yaml

from layerctl.preset import shipped


def test_the_shipped_presets_are_listed_with_what_they_are_for(layerctl):
    answer = layerctl("presets", "list")
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()[1:]] == list(shipped())


def test_a_shown_preset_says_where_each_value_came_from(layerctl, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: studio\nrefine:\n  detail: 999\n")
    answer = layerctl("presets", "show", mine, "--seed", 3, "--layers", "auto", "--png", "--pptx")
    lines = {line.partition(":")[0].strip(): line for line in answer.out.splitlines()}
    assert lines["detail"].endswith(f"# {mine}:3")
    assert lines["canvas"].endswith("# studio.yaml:15")
    assert lines["seed"].endswith("# --seed")
    assert lines["jobs"].endswith("# default")
    shown = yaml.safe_load(answer.out)
    assert shown["decompose"]["layers"] == "auto"
    assert shown["export"]["formats"] == ["pptx", "png"]


def test_good_presets_pass_and_every_wrong_one_is_told(layerctl, tmp_path):
    for name, text in {"a": "sed: 1\n", "b": "batch: {jobs: 0, job: 1}\n"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    answer = layerctl("presets", "check", "studio", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert answer.code == 2
    assert answer.out == "studio: good\n"
    assert len(answer.err.splitlines()) == 3


def test_the_schema_is_json(layerctl):
    content = json.loads(layerctl("presets", "schema").out)
    assert {"extends", "about", "decompose", "export"} <= set(content["properties"])
