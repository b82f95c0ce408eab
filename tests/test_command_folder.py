"""Folders that commands leave: changed as a whole or not at all."""

import json

import pytest

from regulome.command_folder import check_folder, filled
from regulome.errors import UserError


def result(folder, names, text="new"):
    with filled(folder, "list.json") as new:
        for name in names:
            (new / name).write_text(text)
        (new / "list.json").write_text(json.dumps({"files": [*names, "list.json"]}))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_appears_whole_with_its_parents(tmp_path):
    result(tmp_path / "a" / "out", ["one.txt"])
    assert names(tmp_path / "a") == ["out"] and names(tmp_path / "a" / "out") == ["list.json", "one.txt"]


def test_an_earlier_result_is_replaced_and_what_it_left_over_goes(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    result(out, ["one.txt", "two.txt"], "old")
    result(out, ["two.txt", "three.txt"])
    assert names(out) == ["list.json", "three.txt", "two.txt"]
    assert (out / "two.txt").read_text() == "new" and names(tmp_path) == ["out"]


def test_files_of_others_stay(tmp_path):
    out = tmp_path / "out"
    result(out, ["one.txt", "two.txt"])
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds mine\.txt"):
        check_folder(out, "list.json")
    check_folder(out, "list.json", force=True)
    result(out, ["two.txt"])
    assert names(out) == ["list.json", "mine.txt", "two.txt"] and names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_leaves_everything_as_it_was(tmp_path, error):
    out = tmp_path / "out"
    result(out, ["one.txt"], "old")
    with pytest.raises(error), filled(out, "list.json") as new:
        (new / "one.txt").write_text("half")
        raise error
    assert names(tmp_path) == ["out"] and names(out) == ["list.json", "one.txt"]
    assert (out / "one.txt").read_text() == "old"
    with pytest.raises(error), filled(tmp_path / "other", "list.json"):
        raise error
    assert names(tmp_path) == ["out"]


def test_a_disk_error_is_one_message(tmp_path):
    with pytest.raises(UserError, match=r"OUT_DIR .*cannot be written"), filled(tmp_path / "o", "l", "OUT_DIR"):
        raise OSError(28, "No space left on device")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"OUT_DIR .*expected a folder"):
        check_folder(tmp_path / "file", "l", option="OUT_DIR")
