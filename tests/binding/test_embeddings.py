"""ESM-2 embeddings against forward passes by hand; loading; bad sequences, files and checkpoints."""

import argparse
import os

import numpy as np
import pytest
import torch
from esm.data import Alphabet
from esm.model.esm2 import ESM2

from regulome.binding.embeddings import embed, load_esm2
from regulome.binding.sequences import AMINO_ACIDS, Sequences, sequences
from regulome.errors import UserError

LAYERS, WIDTH, HEADS = 3, 32, 4
SEQUENCES = sequences(
    ["MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV", "MW", "ACDXBUZO",
     "GGGGSLLAAWCHHRRNNDQEKPTSYFMIV", "M"],
    "protein",
    ["long", "short", "unknown", "middle", "one"],
)  # fmt: skip


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
    found = embed(load_esm2(checkpoint), SEQUENCES, layer, batch_tokens)
    assert found.names == SEQUENCES.names
    assert found.values.shape == (len(SEQUENCES), WIDTH)
    assert found.checksum == SEQUENCES.checksum()
    for row, sequence in zip(found.values, SEQUENCES.letters, strict=True):
        np.testing.assert_allclose(row, alone(network, sequence, layer), atol=3e-6, err_msg=sequence)


def test_layer_zero_is_the_mean_of_the_residue_vectors_scaled_for_token_dropout(network, checkpoint):
    found = embed(load_esm2(checkpoint), SEQUENCES, layer=0)
    vectors = network.embed_tokens.weight.detach().numpy()
    for row, sequence in zip(found.values, SEQUENCES.letters, strict=True):
        expected = 0.88 * vectors[tokens_of(sequence)[0, 1:-1].numpy()].mean(0)  # 1 - 0.15 x 0.8, nothing is masked
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_negative_layers_count_from_the_end(checkpoint):
    model = load_esm2(checkpoint)
    for layer in (-1, -LAYERS - 1):
        same = embed(model, SEQUENCES, layer % (LAYERS + 1))
        np.testing.assert_array_equal(embed(model, SEQUENCES, layer).values, same.values)
    assert embed(model, SEQUENCES).source == "esm2_tiny layer 3 mean"
    for layer in (LAYERS + 1, -LAYERS - 2):
        with pytest.raises(UserError, match=f"layer is {layer}; expected -4 to 3"):
            embed(model, SEQUENCES, layer)


def test_order_is_that_of_the_input(checkpoint):
    model = load_esm2(checkpoint)
    backwards = SEQUENCES.take(range(len(SEQUENCES))[::-1])
    found = embed(model, backwards, batch_tokens=40)
    assert found.names == SEQUENCES.names[::-1]
    np.testing.assert_allclose(found.values[::-1], embed(model, SEQUENCES).values, atol=3e-6)


def test_the_letters_are_those_of_the_alphabet():
    assert set(AMINO_ACIDS) == {
        token for token in Alphabet.from_architecture("ESM-1b").standard_toks if token.isalpha()
    }


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
        embed(load_esm2(checkpoint), Sequences(("good", "bad"), ("MKV", sequence), "protein"))


def test_no_sequences_are_refused(checkpoint):
    with pytest.raises(UserError, match="no sequences"):
        embed(load_esm2(checkpoint), Sequences((), (), "protein"))
    with pytest.raises(UserError, match="found RNA sequences; expected proteins"):
        embed(load_esm2(checkpoint), sequences(["ACGU"], "rna"))


def test_letters_outside_the_alphabet_become_unknown_residues_on_request(network, checkpoint):
    proteins = sequences(["MKJA*", "mkvl"], "protein", unknown="replace")
    assert proteins.changed == (("lower case", 1), ("unknown letters", 2))
    found = embed(load_esm2(checkpoint), proteins)
    for row, sequence in zip(found.values, ("MKXAX", "MKVL"), strict=True):
        np.testing.assert_allclose(row, alone(network, sequence, LAYERS), atol=3e-6)


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
    np.testing.assert_array_equal(embed(load_esm2(checkpoint), SEQUENCES).values, before.values)


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
