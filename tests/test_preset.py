"""Presets: what they may say, what is said about mistakes, and what came from where."""

import json

import pytest
import yaml

from layerctl.errors import PresetError
from layerctl.preset import Preset, digest, load_preset, preset_folder, resolve, schema, shipped
from layerctl.preset.listing import written
from layerctl.preset.wording import keys


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Write a preset file and return its name, as seen from the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="mine.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


def complaints(name, **overrides):
    with pytest.raises(PresetError) as caught:
        load_preset(name, overrides)
    return list(caught.value.args)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "decompose:\nexport:\n  psd:\n"])
def test_a_file_that_says_nothing_means_the_defaults(mine, text):
    assert load_preset(mine(text)) == Preset(name="mine")


def test_values_are_taken_and_the_rest_is_default(mine):
    preset = load_preset(mine("decompose: {layers: auto, seed: 7}\nexport: {formats: [png]}\n"))
    assert (preset.decompose.layers, preset.decompose.seed) == ("auto", 7)
    assert preset.export.formats == ("png",)
    assert preset.refine == Preset().refine


def test_a_whole_number_is_good_where_a_fraction_may_stand(mine):
    assert load_preset(mine("decompose: {guidance: 2}\n")).decompose.guidance == 2


def test_a_byte_order_mark_is_not_part_of_the_first_key(mine):
    assert load_preset(mine("\ufeffdecompose: {layers: 3}\n")).decompose.layers == 3


@pytest.mark.parametrize(
    ("text", "line", "key", "near"),
    [
        ("decompose:\n  layer: 4\n", 2, "decompose.layer", "decompose.layers"),
        ("\nlayers: 4\n", 2, "layers", "decompose.layers"),
        ("export: {compression: zip}\n", 1, "export.compression", "export.psd.compression"),
        ("exports:\n  formats: [psd]\n", 2, "exports.formats", "export.formats"),
        ("decompose: {layers: {n: 4}}\n", 1, "decompose.layers.n", "decompose.layers"),
        ("batsh: 3\n", 1, "batsh", "batch"),
    ],
)
def test_an_unknown_key_brings_the_nearest_one_to_mind(mine, text, line, key, near):
    sentence = f"mine.yaml:{line}: there is no key {key}; did you mean {near}?"
    assert complaints(mine(text)) == [sentence]


@pytest.mark.parametrize("key", ["zzz", "no", "4", "<<"])
def test_a_key_like_no_other_is_refused_without_a_guess(mine, key):
    assert complaints(mine(f"{key}: 3\n")) == [f"mine.yaml:1: there is no key {key}"]


def test_a_section_is_not_a_value(mine):
    (line,) = complaints(mine("decompose: 4\n"))
    assert line == "mine.yaml:1: decompose is a section: its keys go on lines of their own below"


COUNT = "a whole number from 2 to 10, or auto"
TEXT = "text of 1 to 120 characters"
FORMATS = "a list of psd, pptx or png"
READ_AS = "(YAML reads that as {}; put it in quotes to make it text)"


@pytest.mark.parametrize(
    ("section", "key", "value", "right", "hint"),
    [
        ("decompose", "layers", "40", COUNT, ""),
        ("decompose", "layers", "4.0", COUNT, ""),
        ("decompose", "layers", '"4"', COUNT, "(the quotes make it text)"),
        ("decompose", "layers", "yes", COUNT, READ_AS.format("true")),
        ("decompose", "guidance", ".nan", "a number from 0 to 30, or null", ""),
        ("batch", "max_minutes", "0", "a number over 0, or null", ""),
        ("names", "text", "no", TEXT, READ_AS.format("false")),
        ("names", "text", "2026-01-01", TEXT, ""),
        ("names", "text", "''", TEXT, "(the quotes make it text)"),
        ("batch", "fail_fast", "1", "true or false", ""),
        ("refine", "edges", "foto", "photo or model", ""),
        ("export", "formats", "psd", FORMATS, ""),
        ("export", "formats", "[psd, jpg]", FORMATS, ""),
        ("export", "formats", "[]", FORMATS, ""),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(mine, section, key, value, right, hint):
    found = complaints(mine(f"{section}:\n  {key}: {value}\n"))
    assert found == [f"mine.yaml:2: {section}.{key} must be {right}, not {value} {hint}".rstrip()]


def test_a_key_without_a_value_is_not_its_default(mine):
    (line,) = complaints(mine("decompose:\n  layers:\n"))
    assert line == f"mine.yaml:2: decompose.layers must be {COUNT}, not nothing"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: b: c\n", "1: not valid YAML: mapping values are not allowed here"),
        ("decompose:\n\tlayers: 4\n", "2: not valid YAML: found character '\\t'"),
        ("decompose: [4\n", "2: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "2: not valid YAML: but found another document"),
        ("seed: 1\x07\n", "1: a character that YAML forbids"),
        ("- 4\n", "1: a preset is made of keys and values"),
        ("just words\n", "1: a preset is made of keys and values"),
        ("decompose:\n  seed: 1\n  seed: 2\n", "3: seed is there already, in line 2"),
        ("decompose: {}\nbatch: {}\ndecompose: {}\n", "3: decompose is there already, in line 1"),
        ("decompose.layers: 4\n", "1: a key is one plain word"),
        ("[a, b]: 4\n", "1: a key is one plain word"),
        ("about: !!python/object/apply:os.getcwd []\n", "1: not valid YAML: could not determine"),
        ("names: !!python/object:os.x {a: 1}\n", "1: a preset is made of keys and values"),
        ("a: &a [x]\nb: *a\n", "2: a preset has no aliases"),
        ("about: !!int many\n", "1: invalid literal"),
        ("about: 2026-99-99\n", "1: month must be in 1..12"),
        ("a: " + "[" * 5000 + "]" * 5000, "1: this is nested too deeply"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(mine, text, sentence):
    assert complaints(mine(text))[0].startswith(f"mine.yaml:{sentence}")


def test_every_mistake_is_reported_at_once(mine):
    text = "decompose:\n  layer: 4\n  seed: -1\nbatch:\n  jobs: 0\n"
    found = complaints(mine(text), **{"decompose.steps": 0})
    assert [line.partition(" ")[0] for line in found] == [
        "mine.yaml:2:",
        "mine.yaml:3:",
        "mine.yaml:5:",
        "--steps",
    ]


def test_long_values_are_quoted_in_short(mine):
    (line,) = complaints(mine(f"model: {{device: {'x' * 500}}}\n"))
    assert line.endswith("x...")
    assert len(line) < 150


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _: None, "cannot be read: No such file"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\xff"), "is not text in UTF-8"),
        (lambda path: path.write_bytes(b"#" * 1_000_001), "too large"),
    ],
    ids=["missing", "a folder", "binary", "endless"],
)
def test_what_is_no_text_file_is_refused_by_name(tmp_path, make, sentence):
    path = tmp_path / "odd.yaml"
    make(path)
    (line,) = complaints(str(path))
    assert str(path) in line
    assert sentence in line


def test_an_unknown_name_brings_the_nearest_one_to_mind():
    assert complaints("stodio") == ["no preset is called 'stodio': did you mean studio?"]


def test_a_name_like_no_other_is_answered_with_all_of_them():
    (line,) = complaints("zzz")
    assert all(name in line for name in shipped())


def test_a_preset_extends_another_and_beats_it(mine):
    mine("decompose: {layers: 3, seed: 5}\nabout: base\n", "base.yaml")
    preset = load_preset(mine("extends: ./base.yaml\ndecompose: {seed: 6}\n"))
    assert (preset.decompose.layers, preset.decompose.seed) == (3, 6)
    assert (preset.name, preset.about) == ("mine", "")


def test_a_base_is_looked_for_beside_the_file_that_names_it(mine, tmp_path):
    (tmp_path / "sub").mkdir()
    mine("decompose: {seed: 5}\n", "sub/base.yaml")
    mine("extends: base.yaml\n", "sub/top.yaml")
    assert load_preset("sub/top.yaml").decompose.seed == 5


def test_mistakes_in_a_base_are_named_by_its_own_line(mine):
    mine("decompose:\n  lyers: 3\n", "base.yaml")
    assert complaints(mine("extends: base.yaml\nbatch: {jobs: 0}\n")) == [
        "base.yaml:2: there is no key decompose.lyers; did you mean decompose.layers?",
        "mine.yaml:2: batch.jobs must be a whole number from 1 to 64, not 0",
    ]


@pytest.mark.parametrize(
    ("base", "sentence"),
    [
        ("mine.yaml", "extends goes in a ring: mine.yaml -> mine.yaml"),
        ("stodio", "no preset is called 'stodio': did you mean studio?"),
        ("[studio]", "extends must be a preset's name or path"),
    ],
)
def test_a_base_that_cannot_be_is_refused_where_it_is_named(mine, base, sentence):
    assert complaints(mine(f"\nextends: {base}\n")) == [f"mine.yaml:2: {sentence}"]


def test_longer_rings_are_found_too(mine):
    mine("extends: b.yaml\n", "a.yaml")
    mine("extends: a.yaml\n", "b.yaml")
    assert complaints("a.yaml") == ["b.yaml:1: extends goes in a ring: a.yaml -> b.yaml -> a.yaml"]


def test_a_flag_beats_the_preset_and_none_is_a_flag_not_given():
    preset = load_preset("studio", {"decompose.layers": 5, "decompose.seed": None})
    assert (preset.decompose.layers, preset.decompose.seed) == (5, 0)


def test_a_wrong_flag_is_named_as_the_user_typed_it():
    assert complaints("default", **{"decompose.layers": "many"}) == [
        "--layers must be a whole number from 2 to 10, or auto, not many"
    ]


def test_every_value_knows_where_it_came_from(mine):
    mine("decompose: {layers: 3}\nrefine: {detail: 512}\n", "base.yaml")
    name = mine("extends: base.yaml\n\nrefine:\n  detail: 2048\n")
    origins = resolve(name, {"export.formats": ("png",)}).origins
    assert origins["decompose.layers"] == "base.yaml:1"
    assert origins["refine.detail"] == "mine.yaml:4"
    assert origins["export.formats"] == "--psd, --pptx, --png"
    assert origins["batch.jobs"] == "default"


def files(preset):
    return [lora.file for lora in preset.model.loras]


def test_lora_files_are_looked_for_beside_the_preset_that_names_them(mine, tmp_path):
    (tmp_path / "sub").mkdir()
    mine("model: {loras: [{file: a.st, weight: 0.5}, {file: /abs/b.st}]}\n", "sub/base.yaml")
    mine("extends: base.yaml\n", "sub/top.yaml")
    preset = load_preset("sub/top.yaml")
    assert files(preset) == ["sub/a.st", "/abs/b.st"]
    assert [lora.weight for lora in preset.model.loras] == [0.5, 1]
    assert files(load_preset("sub/top.yaml", {"model.loras": ({"file": "c.st"},)})) == ["c.st"]


@pytest.mark.parametrize("value", ["a.st", "[a.st]", "[4]"])
def test_a_wrong_list_of_loras_is_named_with_what_would_be_right(mine, value):
    (line,) = complaints(mine(f"model:\n  loras: {value}\n"))
    assert line.startswith("mine.yaml:2: model.loras must be a list of {file, weight}, not ")


def test_a_wrong_key_in_a_list_is_named_with_its_item(mine):
    preset = mine(
        "decompose: {layers: many}\n"
        "model: {loras: [{file: a.st}, {file: '', weight: 11}]}\n"
        "recurse:\n"
        "  rules: [{layer: 2, whn: sure, depth: 9}, {layers: 1}]\n"
    )
    assert complaints(preset) == [
        "mine.yaml:1: decompose.layers must be a whole number from 2 to 10, or auto, not many",
        "mine.yaml:2: model.loras, item 2: file must be text of 1 character or more, not ''",
        "mine.yaml:2: model.loras, item 2: weight must be a number from -10 to 10, not 11",
        "mine.yaml:4: recurse.rules, item 1: depth must be a whole number from 1 to 5, not 9",
        "mine.yaml:4: recurse.rules, item 1: there is no key whn; did you mean when?",
        "mine.yaml:4: recurse.rules, item 2: layer is missing",
        "mine.yaml:4: recurse.rules, item 2: layers must be a whole number from 2 to 10, or auto, "
        "not 1",
    ]


def test_the_digest_knows_loras_by_weight_and_not_by_name():
    def told(**lora):
        return digest(load_preset("default", {"model.loras": (lora,)}))

    assert told(file="a", weight=0.5) == told(file="b", weight=0.5) != told(file="a", weight=0.6)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_preset_is_good_and_says_why_it_exists(name):
    assert load_preset(name).about
    first, *_ = (preset_folder() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ")


@pytest.mark.parametrize("name", shipped())
def test_each_value_of_a_shipped_preset_has_its_reason_beside_it(name):
    text = (preset_folder() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    told = [origin.split(":") for origin in resolve(name).origins.values() if ":" in origin]
    lines = [text[int(line) - 1] for file, line in told if file == f"{name}.yaml"]
    assert all("  # " in line for line in lines if not line.startswith(("about:", "extends:")))


@pytest.mark.parametrize("name", shipped())
def test_no_shipped_preset_repeats_a_default(name):
    resolved, default = resolve(name), Preset().model_dump()
    for key, origin in resolved.origins.items():
        if ":" in origin:
            value, usual = resolved.preset.model_dump(), default
            for part in key.split("."):
                value, usual = value[part], usual[part]
            assert value != usual, key


@pytest.mark.parametrize("name", shipped())
def test_a_shown_preset_is_the_same_preset_when_read_again(mine, name):
    resolved = resolve(name, {"names.text": "no: '产品' # 1", "decompose.layers": "auto"})
    again = load_preset(mine(written(resolved), "again.yaml"))
    assert digest(again) == digest(resolved.preset)
    assert (again.name, again.batch) == (resolved.preset.name, resolved.preset.batch)


def test_a_shown_preset_lists_every_key(mine):
    shown = yaml.safe_load(written(resolve("default")))
    assert load_preset(mine(yaml.safe_dump(shown))) == load_preset("default")
    for key in set(keys()) - {"extends"}:
        place = shown
        for part in key.split("."):
            place = place[part]


def test_the_schema_describes_every_key_and_refuses_others():
    assert all(content.get("description") for content in keys().values())
    sections = [schema(), *schema()["$defs"].values()]
    assert all(section["additionalProperties"] is False for section in sections)
    json.dumps(schema())


def test_the_digest_leaves_out_what_changes_no_pixel():
    usual = digest(load_preset("default"))
    assert digest(load_preset("default", {"batch.jobs": 7})) == usual
    assert digest(load_preset("default", {"model.offload": "stream"})) == usual
    assert digest(load_preset("default", {"decompose.seed": 7})) != usual
