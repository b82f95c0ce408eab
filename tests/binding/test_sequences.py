"""Sequence files: what is read, what is changed and counted, what is refused and how the place is named."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.binding.sequences import AMINO_ACIDS, read_sequences, sequences
from regulome.errors import UserError

RNAS = st.lists(st.text("ACGUN", min_size=1, max_size=60), min_size=1, max_size=20)
PROTEINS = st.lists(st.text(AMINO_ACIDS, min_size=1, max_size=60), min_size=1, max_size=20)


def write(path, text: str):
    path.write_bytes(text.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sequences")


@settings(max_examples=40, deadline=None)
@given(
    letters=RNAS, ending=st.sampled_from(["\n", "\r\n"]), last=st.booleans(), zipped=st.booleans(), low=st.booleans()
)
def test_plain_files_come_back_letter_by_letter_and_in_order(letters, ending, folder, last, zipped, low):
    text = ending.join(letters) + (ending if last else "")
    content = (text.lower() if low else text).encode()
    path = folder / ("rnas.txt.gz" if zipped else "rnas.txt")
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = read_sequences(path, "rna")
    assert found.letters == tuple(letters)
    assert found.names == tuple(str(i + 1) for i in range(len(letters)))
    assert dict(found.changed).get("lower case", 0) == (len(letters) if low else 0)


@settings(max_examples=40, deadline=None)
@given(letters=PROTEINS, width=st.integers(1, 70), blank=st.booleans())
def test_fasta_files_come_back_however_their_lines_are_broken(folder, letters, width, blank):
    records = []
    for i, sequence in enumerate(letters):
        lines = [sequence[k : k + width] for k in range(0, len(sequence), width)]
        records.append(f">p{i} some words\n" + "\n".join(lines) + ("\n\n" if blank else "\n"))
    found = read_sequences(write(folder / "proteins.fasta", "".join(records)), "protein")
    assert found.letters == tuple(letters)
    assert found.names == tuple(f"p{i}" for i in range(len(letters)))


def test_thymine_becomes_uracil_and_is_counted(tmp_path):
    found = read_sequences(write(tmp_path / "r.txt", "ACGT\nACGU\nttaa\n"), "rna")
    assert found.letters == ("ACGU", "ACGU", "UUAA")
    assert dict(found.changed) == {"T to U": 2, "lower case": 1}


def test_threonine_in_a_protein_stays(tmp_path):
    assert read_sequences(write(tmp_path / "p.txt", "MTT\n"), "protein").letters == ("MTT",)


def test_a_byte_order_mark_is_no_letter(tmp_path):
    path = tmp_path / "r.txt"
    path.write_bytes(b"\xef\xbb\xbfACGU\n")
    assert read_sequences(path, "rna").letters == ("ACGU",)


@pytest.mark.parametrize("letter", ["J", "*", "1", "-", " "])
def test_a_letter_outside_the_alphabet_is_named_with_line_and_position(tmp_path, letter):
    path = write(tmp_path / "p.txt", f"MKV\nMK{letter}V\n")
    with pytest.raises(UserError) as error:
        read_sequences(path, "protein")
    assert f"{path} line 2, position 3: found '{letter}'" in str(error.value)


def test_unknown_letters_are_replaced_and_counted_on_request(tmp_path):
    found = read_sequences(write(tmp_path / "p.txt", "MJ*V\nM1V\n"), "protein", unknown="replace")
    assert found.letters == ("MXXV", "MXV")
    assert dict(found.changed) == {"unknown letters": 3}
    found = read_sequences(write(tmp_path / "r.txt", "ACGX\n"), "rna", unknown="replace")
    assert found.letters == ("ACGN",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no sequences"),
        ("\n\n", "no sequences"),
        ("ACG\n\nACG\n", "line 2: empty"),
        (">a\nACG\n>b\n>c\nACG\n", "line 3: record 'b' is empty"),
        (">a\nACG\n>a\nACC\n", "line 3: record 'a' occurs twice"),
        (">\nACG\n", "line 1: a record without a name"),
        (">a\nACG\nAC1\n", "record 'a', position 6: found '1'"),
    ],
)
def test_a_faulty_file_is_named_with_its_line(tmp_path, text, message):
    path = write(tmp_path / "r.txt", text)
    with pytest.raises(UserError) as error:
        read_sequences(path, "rna")
    assert str(path) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00A", gzip.compress(b"ACGU\n", mtime=0)], ids=["UTF-16", "twice gzip"])
def test_a_file_that_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "r.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a text file"):
        read_sequences(path, "rna")


def test_a_damaged_or_missing_file_is_refused(tmp_path):
    path = tmp_path / "r.txt.gz"
    path.write_bytes(gzip.compress(b"ACGU\n" * 100)[:-12])
    with pytest.raises(UserError, match="cannot be read"):
        read_sequences(path, "rna")
    with pytest.raises(UserError, match="cannot be read"):
        read_sequences(tmp_path / "absent.txt", "rna")


def test_equal_sequences_of_different_names_stay_apart():
    found = sequences(["MKV", "MKV", "MAV"], "protein", ["a", "b", "c"])
    assert found.take([1, 0, 1]).names == ("b", "a", "b")
    assert found.take([1]).letters == ("MKV",)
    with pytest.raises(UserError, match="'a' occurs twice"):
        sequences(["MKV", "MKV"], "protein", ["a", "a"])


@given(letters=RNAS)
def test_the_checksum_knows_letters_and_order_and_nothing_else(letters):
    found = sequences(letters, "rna")
    other = sequences(letters, "rna", [f"x{i}" for i in range(len(letters))])
    assert found.checksum() == other.checksum()
    if letters != letters[::-1]:
        assert found.checksum() != sequences(letters[::-1], "rna").checksum()
    assert found.checksum() != sequences([*letters, "A"], "rna").checksum()
