"""Minibatches against the dense screen, and what they do not hold in memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import random as random_sparse
from toy_screens import simulate

from regulome.errors import UserError
from regulome.perturbation import batches
from regulome.perturbation.batches import Reader
from regulome.perturbation.settings import ModelSettings


@pytest.fixture(scope="module")
def screen():
    return simulate()


def test_a_batch_holds_the_counts_quality_and_perturbations_of_its_cells(screen):
    rows = np.array([5, 0, 17, 200])
    batch = Reader(screen, ModelSettings.mini(), "train").batch(rows)
    np.testing.assert_array_equal(batch.counts.dense().numpy(), screen.counts[rows].toarray())
    np.testing.assert_array_equal(batch.library.numpy(), screen.library[rows])
    np.testing.assert_array_equal(batch.fail.numpy(), screen.qc_fail[rows])
    np.testing.assert_array_equal(batch.delta.numpy(), screen.delta(rows))
    dosage = np.zeros((4, 6), np.float32)
    dosage[:, batch.treatments.numpy()] = batch.dosage.numpy()
    np.testing.assert_array_equal(dosage, screen.cell_dosage(rows))


def test_counterfactual_counts_are_those_of_each_cell(screen):
    rows = np.arange(100)
    batch = Reader(screen, ModelSettings.mini(), "train").batch(rows)
    for cell, place in enumerate(batch.counterfactual_row.tolist()):
        expected = screen.counterfactual_row[cell]
        assert (place < 0) == (expected < 0)
        if place >= 0:
            np.testing.assert_array_equal(batch.counterfactual[place].numpy(), screen.counterfactual[expected])


def test_an_epoch_has_every_cell_once_and_the_same_seed_the_same_order(screen):
    reader = Reader(screen, ModelSettings.mini("cvae"), "train")
    first, again, other = (
        np.concatenate([batch.rows for batch in reader.epoch(64, np.random.default_rng(seed))]) for seed in (0, 0, 1)
    )
    assert sorted(first) == screen.rows("train").tolist()
    assert first.tolist() == again.tolist() != other.tolist()


def test_combinations_are_sums_of_genes_or_treatments_of_their_own(screen):
    label = np.where(screen.label == 3, 4, screen.label)
    pairs = replace(screen, labels=(*screen.labels, "G00+G03"), label=label)
    names, dosage = batches.treatments(pairs, ModelSettings.mini("sams"))
    assert names == pairs.latent[:4] and dosage[4].tolist() == [1, 0, 0, 1]
    names, dosage = batches.treatments(pairs, ModelSettings.mini("sams", combinations="unique"))
    assert names == pairs.labels and dosage[4].tolist() == [0, 0, 0, 0, 1]
    assert Reader(pairs, ModelSettings.mini("sams"), "train").cells[3] == (label[pairs.rows("train")] == 4).sum()


def test_gene_statistics_are_those_of_the_dense_training_counts(screen):
    dense = screen.counts[screen.rows("train")].toarray()
    mean, sd = batches.gene_statistics(screen, "log standardised")
    np.testing.assert_allclose(mean, np.log1p(dense).mean(0), rtol=1e-5)
    np.testing.assert_allclose(sd, np.log1p(dense).std(0, ddof=1), rtol=1e-5)
    mean, sd = batches.gene_statistics(screen, "standardised")
    np.testing.assert_allclose(sd, dense.std(0, ddof=1), rtol=1e-5)


def test_a_gene_with_the_same_count_in_all_cells_has_no_spread(screen):
    same = screen.counts.tolil()
    same[:, 3], same[:, 4] = 5, 0
    mean, sd = batches.gene_statistics(replace(screen, counts=same.tocsr()), "log standardised")
    assert mean[3] == pytest.approx(np.log(6)) and sd[3] == sd[4] == 0 < sd[5]


def test_an_empty_split_is_refused(screen):
    with pytest.raises(UserError, match="no cell in the split 'validation'"):
        Reader(replace(screen, split=np.zeros(len(screen), int)), ModelSettings.mini(), "validation")


@pytest.mark.parametrize("cells", [1000, 20_000])
def test_memory_of_a_batch_does_not_grow_with_the_screen(screen, cells):
    genes = 500
    counts = random_sparse(cells, genes, 0.05, "csr", np.float32, random_state=0)
    counts.data[:] = 1
    wide = replace(
        screen,
        counts=counts,
        genes=tuple(f"G{i:02d}" for i in range(genes)),
        label=np.arange(cells) % 5 - 1,
        split=np.zeros(cells, int),
        qc_fail=np.zeros(cells, bool),
        control=np.arange(cells),
        counterfactual=np.zeros((1, genes), np.float32),
        counterfactual_row=np.full(cells, -1),
    )
    reader = Reader(wide, ModelSettings.mini("gpo"), "train")
    reader.batch(reader.rows[:10])  # what the screen computes once: libraries
    tracemalloc.start()
    batch = reader.batch(reader.rows[:64])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(batch) == 64 and peak < 2**20
    assert torch.equal(batch.counts.dense().sum(1), torch.from_numpy(wide.library[batch.rows]))
