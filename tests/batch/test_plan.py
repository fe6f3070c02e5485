import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerctl.batch import receipt as receipts
from layerctl.batch.passed import Passed
from layerctl.batch.plan import LONGEST_NAME, output_name, plan
from layerctl.batch.receipt import File, Input, Receipt
from layerctl.errors import UsageError
from tests.batch.night import paint


def keys(inputs, out):
    return [job.key for job in plan(inputs, out)]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shoe.jpg", "shoe"),
        ("cup.png", "cup.png"),
        ("cup.jpeg", "cup.jpeg"),
        ("SHOE.JPG", "SHOE.JPG"),
        ("shoe.jpg.jpg", "shoe.jpg.jpg"),
        ("cup.png.jpg", "cup.png.jpg"),
        ("no-extension", "no-extension~"),
        ("no-extension~.jpg", "no-extension~.jpg"),
        ("dot..dots...jpg", "dot..dots.."),
        ("...jpg", "...jpg"),
        ("[x].jpg", "[x]"),
        ("-n.jpg", "-n"),
        ("issue#403.png", "issue#403.png"),
        ("two\nlines.jpg", "two\nlines"),
        ("shoe.psd", "shoe.psd~"),
        ("shoe.psd.jpg", "shoe.psd.jpg"),
        ("shoe.layers.json.jpg", "shoe.layers.json.jpg"),
    ],
)
def test_the_name_of_the_outputs_follows_from_the_name_of_the_photo(name, expected):
    assert output_name(name) == expected


NAMES = st.lists(
    st.sampled_from(["cup", "~", ".jpg", ".jpeg", ".png", ".psd", ".json", "-", ".", "é"]),
    min_size=1,
    max_size=6,
).map("".join)


@given(NAMES, NAMES)
def test_two_names_never_come_to_the_same(one, other):
    assert (output_name(one) == output_name(other)) == (one == other)


@given(NAMES, NAMES)
def test_no_name_is_an_output_of_another(one, other):
    outputs = {output_name(one) + ending for ending in (".psd", ".psb", ".pptx", ".layers.json")}
    assert output_name(other) not in outputs


@pytest.mark.parametrize("letter", ["a", "é", "产", "\udcff"])
def test_a_long_name_is_cut_between_characters_and_stays_one_of_a_kind(letter):
    long = letter * (244 // len(os.fsencode(letter)))
    names = {output_name(f"{long}.jpg"), output_name(f"{long}.png"), output_name(f"{long}.jpeg")}
    assert len(names) == 3
    assert all(len(os.fsencode(name)) <= LONGEST_NAME for name in names)


def test_a_single_folder_is_mirrored_in_the_order_of_its_names(tmp_path):
    folder = touch(tmp_path / "in", "b.jpg", "a/z.jpg", "a/b/c.png", "B.jpg", "notes.txt")
    assert keys([folder], tmp_path / "out") == ["B", "a/b/c.png", "a/z", "b"]


def test_several_folders_keep_their_own_names(tmp_path):
    one, two = touch(tmp_path / "one", "x.jpg"), touch(tmp_path / "two", "x.jpg")
    photo = touch(tmp_path, "x.jpg") / "x.jpg"
    assert keys([one, two, photo], tmp_path / "out") == ["one/x", "two/x", "x"]


def test_a_folder_called_dot_is_called_by_its_real_name(tmp_path, monkeypatch):
    touch(tmp_path / "one", "x.jpg", "in/y.jpg")
    monkeypatch.chdir(tmp_path / "one" / "in")
    found = plan([*map(type(tmp_path), (".", ".."))], tmp_path / "out")
    assert [job.key for job in found] == ["in/y", "one/in/y", "one/x"]


def test_files_of_one_stem_stay_apart(tmp_path):
    folder = touch(tmp_path / "in", "cup.jpg", "cup.jpeg", "cup.png", "cup.jpg.png", "cup")
    found = keys([folder, folder / "cup"], tmp_path / "out")
    assert found == ["in/cup.jpeg", "in/cup", "in/cup.jpg.png", "in/cup.png", "cup~"]


def test_a_photo_given_twice_is_done_once(tmp_path):
    folder = touch(tmp_path, "x.jpg")
    assert keys([folder / "x.jpg", folder / "x.jpg"], tmp_path / "out") == ["x"]


def test_two_photos_of_one_name_are_refused_by_both_names(tmp_path):
    one, two = touch(tmp_path / "a", "x.jpg"), touch(tmp_path / "b", "x.jpg")
    with pytest.raises(UsageError, match=r"a/x\.jpg and .*b/x\.jpg would write over each other"):
        plan([one / "x.jpg", two / "x.jpg"], tmp_path / "out")


@pytest.mark.parametrize(
    "names",
    [
        ("shoe.jpg", "shoe/00-background.png"),
        ("shoe.jpg", "shoe/00-background.png/deep.jpg"),
        ("shoe.jpg", "shoe.psd/front.jpg"),
    ],
)
def test_a_folder_that_would_swallow_another_output_is_refused(tmp_path, names):
    with pytest.raises(UsageError, match="would write over each other's outputs"):
        plan([touch(tmp_path / "in", *names)], tmp_path / "out")


def test_photos_may_lie_in_a_folder_called_like_a_photo(tmp_path):
    folder = touch(tmp_path / "in", "shoe.jpg", "shoe/left.jpg", "shoe/00-background.jpg")
    assert keys([folder], tmp_path / "out") == ["shoe/00-background", "shoe/left", "shoe"]


def test_hidden_files_and_the_output_folder_are_passed_over(tmp_path):
    folder = touch(tmp_path, "x.jpg", ".hidden.jpg", ".git/y.jpg", "out/x/00-background.png")
    assert keys([folder], tmp_path / "out") == ["x"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["x.jpg", "y.PBM"], []),
        (["x.svg"], ["1 other file passed over (1 .svg)"]),
        (["x.CR2", "a/y.cr2", "z"], ["3 other files passed over (2 .cr2, 1 without a suffix)"]),
        (
            [f"x.{n}" for n in range(6)],
            ["6 other files passed over (1 .0, 1 .1, 1 .2, 1 .3, 1 .4, ...)"],
        ),
        (["x.jpg", "x.txt", "x.xmp", "Thumbs.db", "desktop.ini", ".hidden.svg", ".git/x.cr2"], []),
    ],
)
def test_files_that_are_no_photos_are_told_by_their_suffixes(tmp_path, names, told):
    passed = Passed()
    plan([touch(tmp_path / "in", *names)], tmp_path / "out", passed)
    assert list(passed.sentences()) == told


def output_of(folder, *files):
    """Write a receipt of the first file's name that lists all of them, and the files."""
    touch(folder, *files)
    listed = tuple(File(file, 0, "") for file in files)
    note = folder / f"{files[0].partition('.')[0]}.layers.json"
    source = Input("x.jpg", 0, "")
    receipts.write(Receipt(1, source, "", 0, {}, (1, 1), (), listed, ()), note)


def test_what_a_receipt_lists_is_no_photo_and_everything_beside_it_is(tmp_path):
    folder = touch(tmp_path / "in", "shoe.jpg", "old/shoe.jpg", "old/shoe/mine.png", "old/b.psd")
    output_of(folder / "old", "shoe.psd", "shoe.pptx", "shoe/00-background.png")
    passed = Passed()
    jobs = plan([folder], tmp_path / "out", passed)
    assert [job.key for job in jobs] == ["old/b.psd~", "old/shoe/mine.png", "old/shoe", "shoe"]
    assert passed.outputs == 3
    assert len(list(passed.sentences())) == 1


def test_the_folder_of_a_stack_that_is_called_like_a_photo_is_none(tmp_path):
    folder = touch(tmp_path / "in", "x.jpg")
    output_of(folder / "old", "cup.png/00-background.png", "cup.png/01-cup.png")
    assert keys([folder], tmp_path / "out") == ["x"]


def test_a_file_that_is_no_receipt_of_ours_lists_nothing(tmp_path):
    folder = touch(tmp_path / "in", "shoe.psd")
    (folder / "shoe.layers.json").write_text('{"files": [{"path": "shoe.psd"}]}')
    assert keys([folder], tmp_path / "out") == ["shoe.psd~"]


def test_an_output_that_is_named_itself_is_a_photo(tmp_path):
    output_of(tmp_path, "shoe.psd")
    assert keys([tmp_path / "shoe.psd"], tmp_path / "out") == ["shoe.psd~"]


def test_the_output_folder_is_no_input(tmp_path):
    with pytest.raises(UsageError, match="is the output folder itself"):
        plan([touch(tmp_path, "x.jpg")], tmp_path)


def test_names_of_our_own_files_are_refused(tmp_path):
    photo = touch(tmp_path, ".layerctl-abc.jpg") / ".layerctl-abc.jpg"
    with pytest.raises(UsageError, match="layerctl's own"):
        plan([photo], tmp_path / "out")


def test_links_are_followed_but_not_in_a_ring(tmp_path):
    folder = touch(tmp_path / "in", "a/x.jpg")
    (folder / "a" / "ring").symlink_to(folder)
    (folder / "b").symlink_to(folder / "a")
    assert keys([folder], tmp_path / "out") == ["a/x", "b/x"]


def test_a_missing_input_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cannot find .*nowhere: No such file"):
        plan([tmp_path / "nowhere"], tmp_path / "out")


def test_a_folder_without_photos_has_no_jobs(tmp_path):
    assert plan([touch(tmp_path / "in", "notes.txt")], tmp_path / "out") == ()


def test_an_empty_folder_called_like_a_photo_is_a_bad_photo(tmp_path):
    (tmp_path / "in" / "folder.png").mkdir(parents=True)
    assert keys([tmp_path / "in"], tmp_path / "out") == ["folder.png"]


def test_a_job_is_labelled_by_its_place_in_the_tree(tmp_path):
    photo = paint(tmp_path / "in" / "summer" / "shoe.jpg")
    (job,) = plan([tmp_path / "in"], tmp_path / "out")
    assert job.label == "summer/shoe.jpg"
    assert job.receipt == "summer/shoe.layers.json"
    assert job.source == photo
