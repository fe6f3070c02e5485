import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerctl.batch import receipt as receipts
from layerctl.batch.passed import Passed
from layerctl.batch.plan import LONGEST_NAME, output_name, placed, plan
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


def refusals(inputs, out):
    return {str(job.source): job.refusal for job in plan(inputs, out) if job.refusal}


def test_of_two_photos_of_one_name_the_later_is_refused_by_both_names(tmp_path):
    one, two = touch(tmp_path / "a", "x.jpg"), touch(tmp_path / "b", "x.jpg")
    found = refusals([one / "x.jpg", two / "x.jpg", one / "x.jpg"], tmp_path / "out")
    assert list(found) == [str(two / "x.jpg")]
    assert "a/x.jpg and " in found[str(two / "x.jpg")]
    assert "b/x.jpg would write over each other's outputs" in found[str(two / "x.jpg")]


@pytest.mark.parametrize(
    ("names", "later"),
    [
        (("shoe.jpg", "shoe/00-background.png/deep.jpg"), "shoe.jpg"),
        (("shoe.jpg", "shoe.psd/front.jpg"), "shoe.psd/front.jpg"),
        (("shoe/a.jpg", "shoe/a/12-x.png/b/c.jpg"), "shoe/a.jpg"),
        (("00-a.png", "00-a.png~/01-b.png/c.jpg"), "00-a.png~/01-b.png/c.jpg"),
    ],
)
def test_of_a_folder_and_an_output_that_it_would_swallow_the_later_is_refused(
    tmp_path, names, later
):
    folder = touch(tmp_path / "in", *names, "other.jpg")
    found = refusals([folder], tmp_path / "out")
    assert list(found) == [str(folder / later)]
    assert "would write over each other's outputs" in found[str(folder / later)]


def test_numbered_views_may_lie_in_a_folder_called_like_the_main_picture(tmp_path):
    folder = touch(tmp_path / "in", "shoe.jpg", "shoe/00-background.png", "shoe/01-front.png")
    assert refusals([folder], tmp_path / "out") == {}
    assert keys([folder], tmp_path / "out") == [
        "shoe/00-background.png",
        "shoe/01-front.png",
        "shoe",
    ]


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("shoe", "", "shoe"),
        ("cup.png", "", "cup.png"),
        ("01-front.png", "", "01-front.png~"),
        ("01-front.png", ".psd", "01-front.png.psd"),
        ("01-front.png.png", "", "01-front.png.png~"),
    ],
)
def test_the_folder_of_a_stack_is_never_called_like_a_file_of_one(name, suffix, expected):
    assert placed(name, suffix) == expected


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
    folder = touch(tmp_path / "in", "x.jpg")
    with pytest.raises(UsageError, match="is the output folder itself"):
        plan([folder], folder)
    (tmp_path / "out").mkdir()
    found = refusals([folder, tmp_path / "out"], tmp_path / "out")
    assert list(found) == [str(tmp_path / "out")]


def test_names_of_our_own_files_are_refused(tmp_path):
    photo = touch(tmp_path, ".layerctl-abc.jpg") / ".layerctl-abc.jpg"
    with pytest.raises(UsageError, match="layerctl's own"):
        plan([photo], tmp_path / "out")


def test_links_are_followed_but_not_in_a_ring(tmp_path):
    folder = touch(tmp_path / "in", "a/x.jpg")
    (folder / "a" / "ring").symlink_to(folder)
    (folder / "b").symlink_to(folder / "a")
    assert keys([folder], tmp_path / "out") == ["a/x", "b/x"]


def test_a_missing_input_is_refused_and_alone_it_is_a_wrong_command(tmp_path):
    missing, photo = tmp_path / "nowhere.jpg", touch(tmp_path, "x.jpg") / "x.jpg"
    words = f"cannot find {missing}: No such file or directory"
    assert refusals([missing, photo], tmp_path / "out") == {str(missing): words}
    with pytest.raises(UsageError, match=words):
        plan([missing], tmp_path / "out")
    with pytest.raises(UsageError, match=f"{words}\ncannot find .*elsewhere: No such"):
        plan([missing, tmp_path / "elsewhere"], tmp_path / "out")


def test_a_link_that_leads_nowhere_is_a_missing_input(tmp_path):
    folder = touch(tmp_path, "x.jpg")
    (folder / "y.jpg").symlink_to("nowhere.jpg")
    assert list(refusals([folder / "x.jpg", folder / "y.jpg"], tmp_path / "out")) == [
        str(folder / "y.jpg")
    ]


def test_an_input_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    folder = touch(tmp_path, "x.jpg", "y.jpg")
    monkeypatch.setattr("os.access", lambda path, _: path.name != "y.jpg")
    found = refusals([folder / "x.jpg", folder / "y.jpg"], tmp_path / "out")
    assert found == {str(folder / "y.jpg"): f"cannot read {folder / 'y.jpg'}: Permission denied"}


def test_a_missing_input_keeps_its_name(tmp_path):
    """Else its outputs would be another's today and its own tomorrow."""
    photo = touch(tmp_path / "b", "x.jpg", "z.jpg") / "x.jpg"
    found = refusals([tmp_path / "a" / "x.jpg", photo, photo.with_name("z.jpg")], tmp_path / "out")
    assert list(found) == [str(tmp_path / "a" / "x.jpg"), str(photo)]


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
