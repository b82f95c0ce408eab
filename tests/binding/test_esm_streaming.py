"""ESM-2 one layer at a time: the same vectors as fair-esm's whole network, in less memory; sizes as published."""

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from esm.model.esm2 import ESM2

from regulome.binding import esm_checkpoint, esm_sizes
from regulome.binding.embeddings import embed, load_esm2
from regulome.binding.esm_streaming import embed_streamed
from regulome.binding.sequences import Sequences, sequences
from regulome.errors import UserError

LAYERS, WIDTH, HEADS = 3, 32, 4
PROTEINS = sequences(
    ["MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV", "MW", "ACDXBUZO",
     "GGGGSLLAAWCHHRRNNDQEKPTSYFMIV", "M"],
    "protein",
)  # fmt: skip


def content_of(token_dropout: bool, half: bool = False) -> dict:
    """A checkpoint as published: random weights far from their starting values, prefixes of the training code."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = ESM2(LAYERS, WIDTH, HEADS, token_dropout=token_dropout)
        for weight in network.parameters():
            weight.data += 0.1 * torch.randn_like(weight)
    settings = argparse.Namespace(
        encoder_layers=LAYERS, encoder_embed_dim=WIDTH, encoder_attention_heads=HEADS, token_dropout=token_dropout
    )
    weights = {}
    for name, values in network.state_dict().items():
        if not name.startswith("contact_head"):
            prefix = "encoder." if name.startswith("lm_head") else "encoder.sentence_encoder."
            weights[prefix + name] = values.half() if half else values
    return {"cfg": {"model": settings}, "model": weights}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "esm2_tiny.pt"
    torch.save(content_of(True), path)
    return path


@pytest.mark.parametrize("layer", [0, 1, 2, -1])
@pytest.mark.parametrize("batch_tokens", [1, 60, 4096])
@pytest.mark.parametrize("in_memory", [0, 2**30], ids=["disk", "memory"])
def test_streamed_vectors_are_those_of_the_whole_network(checkpoint, layer, batch_tokens, in_memory):
    whole = embed(load_esm2(checkpoint, "cpu"), PROTEINS, layer)
    found = embed_streamed(
        checkpoint, PROTEINS, layer, "cpu", batch_tokens=batch_tokens, in_memory=in_memory, progress=False
    )
    np.testing.assert_allclose(found.values, whole.values, atol=3e-6)
    assert (found.names, found.source, found.checksum) == (whole.names, whole.source, whole.checksum)


@pytest.mark.parametrize(("token_dropout", "half"), [(False, False), (True, True)])
def test_without_token_dropout_and_from_half_precision(tmp_path, token_dropout, half):
    path = tmp_path / "esm2_other.pt"
    torch.save(content_of(token_dropout, half), path)
    whole = embed(load_esm2(path, "cpu"), PROTEINS)
    np.testing.assert_allclose(
        embed_streamed(path, PROTEINS, device="cpu", progress=False).values, whole.values, atol=3e-6
    )


def test_every_layer_uses_its_own_angles(tmp_path):
    content = content_of(True)
    content["model"]["encoder.sentence_encoder.layers.2.self_attn.rot_emb.inv_freq"] *= 3
    path = tmp_path / "esm2_angles.pt"
    torch.save(content, path)
    proteins = PROTEINS.take([0])  # one length: a table of angles could be kept from the layer before
    whole = embed(load_esm2(path, "cpu"), proteins)
    np.testing.assert_allclose(
        embed_streamed(path, proteins, device="cpu", progress=False).values, whole.values, atol=3e-6
    )


def test_missing_and_misshapen_weights_are_named_before_anything_is_computed(tmp_path):
    name = "encoder.sentence_encoder.layers.1.fc1.weight"
    path = tmp_path / "esm2_bad.pt"
    content = content_of(True)
    content["model"][name] = torch.zeros(2, 2)
    torch.save(content, path)
    with pytest.raises(UserError, match=r"layers\.1\.fc1\.weight: of shape \(2, 2\), expected \(128, 32\)"):
        embed_streamed(path, PROTEINS, device="cpu")
    del content["model"][name]
    torch.save(content, path)
    with pytest.raises(UserError, match=r"layers\.1\.fc1\.weight: missing, expected \(128, 32\)"):
        embed_streamed(path, PROTEINS, device="cpu")


def test_a_checkpoint_in_the_old_format_says_what_to_do(tmp_path):
    path = tmp_path / "esm2_old.pt"
    torch.save(content_of(True), path, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=r"cannot be loaded \(.*write it again with torch\.save"):
        embed_streamed(path, PROTEINS, device="cpu")


def test_bad_sequences_and_layers_are_refused(checkpoint):
    with pytest.raises(UserError, match="record 'x', position 3: found 'J'"):
        embed_streamed(checkpoint, Sequences(("x",), ("MKJ",), "protein"))
    with pytest.raises(UserError, match="layer is 4; expected -4 to 3 for esm2_tiny"):
        embed_streamed(checkpoint, PROTEINS, 4)
    with pytest.raises(UserError, match="cannot hold the activations"):
        embed_streamed(checkpoint, PROTEINS, device="cpu", in_memory=0, scratch=checkpoint.parent / "absent")


def test_streaming_holds_a_fraction_of_the_weights(tmp_path):
    path = esm_sizes.write_random(tmp_path, layers=16, width=256, heads=8, seed=0)
    size = path.stat().st_size / esm_sizes.MIB  # 49 MiB, a layer of it 3
    proteins = esm_sizes.random_proteins(4, 60, seed=0)
    with ThreadPoolExecutor() as pool:  # each in a process of its own
        whole, streamed = pool.map(lambda how: esm_sizes.measure(path, proteins, how), esm_sizes.HOW)
    if whole["peak_mib"] == 0:
        pytest.skip("this system does not tell the peak memory of a process")
    assert whole["peak_mib"] > 0.9 * size  # the measure sees what it should
    assert streamed["peak_mib"] < 0.4 * size
    np.testing.assert_allclose(streamed["vectors"], whole["vectors"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "millions"), [("8M", 7.5), ("35M", 33.5), ("150M", 148), ("650M", 651), ("3B", 2839), ("15B", 15129)]
)
def test_parameters_are_as_published(name, millions):
    model = next(model for model in esm_checkpoint.MODELS if f"_{name}_" in model)
    found = esm_sizes.parameters(*esm_checkpoint.SIZES[model]) / 1e6
    assert found == pytest.approx(millions, rel=0.005)


def test_bytes_of_a_layer_are_counted():
    with torch.device("meta"):
        layer = ESM2(1, 48, 4).layers[0]
    assert esm_sizes.layer_bytes(48) == 4 * sum(values.numel() for values in layer.parameters())


def test_random_weights_are_named_so_and_depend_on_the_seed_alone(tmp_path):
    (tmp_path / "b").mkdir()
    first = esm_sizes.write_random(tmp_path, 2, 16, 2, seed=5)
    second = esm_sizes.write_random(tmp_path / "b", 2, 16, 2, seed=5)
    vectors = [embed_streamed(path, PROTEINS, device="cpu", progress=False) for path in (first, second)]
    assert vectors[0].source == "esm2_random_weights_2x16 layer 2 mean"
    np.testing.assert_array_equal(vectors[0].values, vectors[1].values)
