"""ESM-2 embeddings against forward passes by hand; loading; bad sequences, files and checkpoints."""

import argparse
import gzip
import os

import numpy as np
import pandas as pd
import pytest
import torch
from esm.data import Alphabet
from esm.model.esm2 import ESM2

from regulome.binding.embeddings import LETTERS, embed, embed_fasta, load_esm2, read_fasta
from regulome.errors import UserError

LAYERS, WIDTH, HEADS = 3, 32, 4
SEQUENCES = {
    "long": "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV",
    "short": "MW",
    "unknown": "ACDXBUZO",
    "middle": "GGGGSLLAAWCHHRRNNDQEKPTSYFMIV",
    "one": "M",
}


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ESM2(num_layers=LAYERS, embed_dim=WIDTH, attention_heads=HEADS, token_dropout=True).eval()
        for weight in network.parameters():  # biases and norms start at 0 and 1, where a mistake could hide
            weight.data += 0.1 * torch.randn_like(weight)
    return network


@pytest.fixture(scope="module")
def content(network):
    """What a published checkpoint holds: settings, and weights with the prefixes of the training code."""
    settings = argparse.Namespace(
        encoder_layers=LAYERS, encoder_embed_dim=WIDTH, encoder_attention_heads=HEADS, token_dropout=True
    )
    weights = {}
    for name, values in network.state_dict().items():
        if not name.startswith("contact_head"):  # a second file holds these
            prefix = "encoder." if name.startswith("lm_head") else "encoder.sentence_encoder."
            weights[prefix + name] = values
    return {"cfg": {"model": settings}, "model": weights}


@pytest.fixture
def checkpoint(content, tmp_path):
    path = tmp_path / "esm2_tiny.pt"
    torch.save(content, path)
    return path


def tokens_of(sequence: str) -> torch.Tensor:
    """(1, T) begin token 0, residues in the order of the published alphabet from 4 on, end token 2."""
    return torch.tensor([[0, *("LAGVSERTIDPKQNFYMHWCXBUZO".index(letter) + 4 for letter in sequence), 2]])


@torch.no_grad()
def alone(network, sequence: str, layer: int) -> np.ndarray:
    """Mean over the residues of one unpadded forward pass."""
    output = network(tokens_of(sequence), repr_layers=[layer])["representations"][layer]
    return output[0, 1:-1].mean(0).numpy()


def test_weights_survive_the_checkpoint(network, checkpoint):
    model = load_esm2(checkpoint)
    assert (model.name, model.layers, model.network.training) == ("esm2_tiny", LAYERS, False)
    loaded = model.network.state_dict()
    for name, values in network.state_dict().items():
        if not name.startswith("contact_head"):
            torch.testing.assert_close(loaded[name], values, rtol=0, atol=0)


@pytest.mark.parametrize("layer", [0, 1, LAYERS])
@pytest.mark.parametrize("batch_tokens", [1, 60, 4096])
def test_embedding_equals_a_forward_pass_of_each_protein_alone(network, checkpoint, layer, batch_tokens):
    table = embed(load_esm2(checkpoint), SEQUENCES, layer, batch_tokens)
    assert list(table.index) == list(SEQUENCES)
    assert table.shape == (len(SEQUENCES), WIDTH)
    for name, sequence in SEQUENCES.items():
        np.testing.assert_allclose(table.loc[name], alone(network, sequence, layer), atol=3e-6, err_msg=name)


def test_layer_zero_is_the_mean_of_the_residue_vectors_scaled_for_token_dropout(network, checkpoint):
    table = embed(load_esm2(checkpoint), SEQUENCES, layer=0)
    vectors = network.embed_tokens.weight.detach().numpy()
    for name, sequence in SEQUENCES.items():
        expected = 0.88 * vectors[tokens_of(sequence)[0, 1:-1].numpy()].mean(0)  # 1 - 0.15 x 0.8, nothing is masked
        np.testing.assert_allclose(table.loc[name], expected, atol=1e-6)


def test_negative_layers_count_from_the_end(checkpoint):
    model = load_esm2(checkpoint)
    pd.testing.assert_frame_equal(embed(model, SEQUENCES, -1), embed(model, SEQUENCES, LAYERS))
    pd.testing.assert_frame_equal(embed(model, SEQUENCES, -LAYERS - 1), embed(model, SEQUENCES, 0))
    assert embed(model, SEQUENCES).attrs["source"] == "esm2_tiny layer 3 mean"
    for layer in (LAYERS + 1, -LAYERS - 2):
        with pytest.raises(UserError, match=f"layer is {layer}; expected -4 to 3"):
            embed(model, SEQUENCES, layer)


def test_order_is_that_of_the_input(checkpoint):
    model = load_esm2(checkpoint)
    backwards = dict(reversed(SEQUENCES.items()))
    table = embed(model, backwards, batch_tokens=40)
    assert list(table.index) == list(backwards)
    np.testing.assert_allclose(table.loc[list(SEQUENCES)], embed(model, SEQUENCES), atol=3e-6)


def test_the_letters_are_those_of_the_alphabet():
    assert set(LETTERS) == {token for token in Alphabet.from_architecture("ESM-1b").standard_toks if token.isalpha()}


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ("", "record 'bad' is empty"),
        ("MKJA", "record 'bad', position 3: found 'J'"),
        ("MKA*", r"record 'bad', position 4: found '\*'"),
        ("mKA", "record 'bad', position 1: found 'm'"),
        ("M-A", "record 'bad', position 2: found '-'"),
        ("MA<mask>", "record 'bad', position 3: found '<'"),
        ("M A", "record 'bad', position 2: found ' '"),
    ],
)
def test_a_bad_letter_is_named_with_record_and_position(checkpoint, sequence, message):
    with pytest.raises(UserError, match=message):
        embed(load_esm2(checkpoint), {"good": "MKV", "bad": sequence})


def test_no_sequences_are_refused(checkpoint):
    with pytest.raises(UserError, match="no sequences"):
        embed(load_esm2(checkpoint), {})


class Trap:
    """Makes a folder when a careless loader reads it."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_code_in_a_checkpoint_is_never_run(content, tmp_path):
    torch.save({**content, "extra": Trap(tmp_path / "sprung")}, tmp_path / "esm2_trap.pt")
    with pytest.raises(UserError, match=r"esm2_trap\.pt: cannot be loaded .*mkdir"):
        load_esm2(tmp_path / "esm2_trap.pt")
    assert not (tmp_path / "sprung").exists()


def test_loading_leaves_the_list_of_safe_types_as_it_was(checkpoint):
    before = set(torch.serialization.get_safe_globals())
    load_esm2(checkpoint)
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_contact_regression_file_changes_nothing(checkpoint, network):
    before = embed(load_esm2(checkpoint), SEQUENCES)
    weights = {name: v for name, v in network.state_dict().items() if name.startswith("contact_head")}
    torch.save({"model": weights}, checkpoint.with_name("esm2_tiny-contact-regression.pt"))
    pd.testing.assert_frame_equal(embed(load_esm2(checkpoint), SEQUENCES), before)


def test_a_damaged_checkpoint_is_refused(checkpoint, content):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"esm2_tiny\.pt: cannot be loaded"):
        load_esm2(checkpoint)
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"esm2_tiny\.pt: cannot be loaded"):
        load_esm2(checkpoint)
    checkpoint.write_bytes(b"")
    with pytest.raises(UserError, match=r"esm2_tiny\.pt: cannot be loaded"):
        load_esm2(checkpoint)


def test_another_kind_of_checkpoint_is_refused(checkpoint, content):
    torch.save({"args": argparse.Namespace(arch="roberta_large"), "model": content["model"]}, checkpoint)
    with pytest.raises(UserError, match="found fields args, model; expected the fields cfg and model"):
        load_esm2(checkpoint)
    torch.save(torch.zeros(3), checkpoint)
    with pytest.raises(UserError, match="found a Tensor; expected the fields"):
        load_esm2(checkpoint)


def test_missing_weights_are_named(checkpoint, content):
    name = "encoder.sentence_encoder.layers.1.fc1.weight"
    kept = {key: values for key, values in content["model"].items() if key != name}
    torch.save({**content, "model": kept}, checkpoint)
    with pytest.raises(UserError, match=r"do not fit together .*layers\.1\.fc1\.weight"):
        load_esm2(checkpoint)


def test_an_unknown_name_gets_the_closest_one(tmp_path):
    with pytest.raises(UserError, match=r"did you mean 'esm2_t6_8M_UR50D'\?"):
        load_esm2("esm2_t6_8M_UR50")
    with pytest.raises(UserError, match="no such file"):
        load_esm2(tmp_path / "absent.pt")


def test_a_named_model_is_taken_from_the_hub_folder(checkpoint, tmp_path, monkeypatch):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    checkpoint.rename(folder / "esm2_t6_8M_UR50D.pt")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert load_esm2("esm2_t6_8M_UR50D").name == "esm2_t6_8M_UR50D"


def test_without_a_network_the_error_says_how_to_pass_a_local_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        UserError, match=r"cannot be downloaded .*path of a local checkpoint, \.\.\./esm2_t6_8M_UR50D\.pt"
    ):
        load_esm2("esm2_t6_8M_UR50D")
    assert not list(tmp_path.rglob("*.pt"))


def test_an_unknown_device_is_refused(checkpoint):
    with pytest.raises(UserError, match="device is 'tpu'"):
        load_esm2(checkpoint, device="tpu")


FASTA = ">rbp1 first of two\nMKTA\nyiak\n\n>rbp2\nGGS\n"


@pytest.mark.parametrize("written", [FASTA, FASTA.replace("\n", "\r\n"), "\ufeff" + FASTA])
def test_fasta_lines_are_joined_and_cased(tmp_path, written):
    plain, packed = tmp_path / "a.fasta", tmp_path / "a.fasta.gz"
    plain.write_bytes(written.encode())
    packed.write_bytes(gzip.compress(written.encode()))
    assert list(read_fasta(plain).items()) == [("rbp1", "MKTAYIAK"), ("rbp2", "GGS")]
    assert read_fasta(packed) == read_fasta(plain)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "no records"),
        ("MKT\n>a\nMK\n", "line 1: found 'MKT' before the first record"),
        (">a\nMK\n>\nMK\n", "line 3: a record without a name"),
        (">a\nMK\n>b\nMK\n>a\nMV\n", "line 5: record 'a' occurs twice"),
        (">a\n>b\nMK\n", "record 'a' is empty"),
        (">a\nMK VV\n", "line 2: record 'a' has a blank"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_a_bad_fasta_file_is_refused_by_line(tmp_path, written, message):
    path = tmp_path / "bad.fasta"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(UserError, match=rf"bad\.fasta.*{message}"):
        read_fasta(path)


def test_a_missing_or_damaged_fasta_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_fasta(tmp_path / "absent.fasta")
    path = tmp_path / "cut.fasta.gz"
    path.write_bytes(gzip.compress(FASTA.encode())[:-12])
    with pytest.raises(UserError, match="cannot be read"):
        read_fasta(path)


def test_a_fasta_file_becomes_a_table_that_names_its_source(tmp_path, checkpoint, network):
    fasta, out = tmp_path / "proteins.fasta", tmp_path / "out" / "vectors.csv"
    fasta.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in SEQUENCES.items()))
    embed_fasta(fasta, checkpoint, out)
    table = pd.read_csv(out)
    assert list(table.columns) == ["name", "source", *(f"e{i}" for i in range(WIDTH))]
    assert list(table["name"]) == list(SEQUENCES)
    assert set(table["source"]) == {"esm2_tiny layer 3 mean"}
    for row, sequence in zip(table.iloc[:, 2:].to_numpy(), SEQUENCES.values(), strict=True):
        np.testing.assert_allclose(row, alone(network, sequence, LAYERS), rtol=1e-5, atol=5e-6)


def test_bad_input_leaves_an_earlier_table_untouched(tmp_path, checkpoint):
    fasta, out = tmp_path / "proteins.fasta", tmp_path / "vectors.csv"
    out.write_text("earlier")
    fasta.write_text(">a\nMKJ\n")
    with pytest.raises(UserError, match=r"proteins\.fasta: record 'a', position 3: found 'J'"):
        embed_fasta(fasta, checkpoint, out)
    assert out.read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"proteins.fasta", "vectors.csv", "esm2_tiny.pt"}
