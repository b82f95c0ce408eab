"""``regulome infer``: from one YAML file to a folder, and every mistake named."""

import json

import arviz
import numpy as np
import pandas as pd
import pytest
import torch
from inference_laws import draw, telegraph_law

from regulome import paths
from regulome.errors import UserError
from regulome.stochastic import infer_command
from regulome.stochastic.exact_likelihood import ExactLikelihood
from regulome.stochastic.infer_settings import read_network, read_settings
from regulome.stochastic.level_law import LevelLaw
from regulome.stochastic.ratios import ratios
from regulome.stochastic.two_state import TwoStateLaw

QUICK = "chains: 2\nsteps: 30\nburn_in: 10\nstarts: 3\nscreened: 32\n"


@pytest.fixture
def folder(tmp_path):
    counts = draw(telegraph_law(), [0.6, 1.2, 25.0, 1.0], 200, 0)
    (tmp_path / "cells.csv").write_text("mRNA\n" + "\n".join(map(str, counts)) + "\n")
    return tmp_path


def settings(folder, text, name="infer.yaml"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The same inference in two folders."""
    folder = tmp_path_factory.mktemp("infer")
    counts = draw(telegraph_law(), [0.6, 1.2, 25.0, 1.0], 200, 0)
    (folder / "cells.csv").write_text("mRNA\n" + "\n".join(map(str, counts)) + "\n")
    file = settings(folder, f"network: telegraph\ncounts: cells.csv\nreference: kdeg\n{QUICK}")
    for name in ("a", "b"):
        infer_command.run(file, folder / name, threads=1)
    return folder / "a", folder / "b"


def test_one_yaml_file_gives_posterior_tables_figures_and_verdict(twice):
    out = twice[0]
    names = {path.name for path in out.iterdir()}
    assert names == {
        "posterior.nc", "summary.csv", "fit.csv", "predictive.csv", "distances.csv", "predictive.png", "posterior.png",
        "summary.md", "settings.json",
    }  # fmt: skip
    manifest = json.loads((out / "settings.json").read_text())
    assert sorted(names) == manifest["files"]
    assert manifest["counts"]["cells"] == 200
    assert any("explains the counts" in line for line in manifest["verdict"])
    assert any("ratios of rates" in line for line in manifest["verdict"])
    table = pd.read_csv(out / "summary.csv").set_index("quantity")
    assert {"kon", "kdeg", "kon_per_kdeg"} <= set(table.index)
    low, high = table.loc["ksyn_per_kdeg", ["q2.5", "q97.5"]]
    assert low < 25 < high
    draws = arviz.from_netcdf(str(out / "posterior.nc"))
    assert draws.posterior["kon"].shape[0] == 2
    draws.close()


def test_the_same_settings_give_the_same_bytes(twice):
    for path in twice[0].iterdir():
        assert path.read_bytes() == (twice[1] / path.name).read_bytes(), path.name


def test_a_known_rate_fixes_the_time_scale(folder):
    chosen = read_settings(settings(folder, "network: telegraph\ncounts: cells.csv\nfixed: {kdeg: 2}\n"))
    network = read_network(chosen)
    assert network.parameter_names == ("kon", "koff", "ksyn")
    assert not len(ratios(network, np.ones((4, 3))).columns)
    cells = infer_command.read_counts(chosen.counts, network)
    law, _ = infer_command.choose_law(chosen, network, cells, 1)
    theta, grid = torch.tensor([[0.6, 1.2, 20.0]], dtype=torch.float64), np.arange(60)[:, None]
    full = torch.tensor([[0.6, 1.2, 20.0, 2.0]], dtype=torch.float64)
    expected = telegraph_law().observed_log_prob(full, ("mRNA",), grid)
    assert torch.allclose(law.observed_log_prob(theta, ("mRNA",), grid), expected)


def test_a_network_of_ones_own_is_read_beside_the_settings_and_boxes_are_replaced(folder):
    text = (paths.mini_data() / "networks" / "telegraph.json").read_text()
    (folder / "mine.json").write_text(text.replace('"telegraph"', '"mine"'))
    chosen = settings(folder, "network: mine.json\ncounts: cells.csv\nparameters: {kon: [0.2, 2]}\n")
    network = read_network(read_settings(chosen))
    assert network.name == "mine"
    assert network.box[0].tolist() == [0.2, 2]
    assert network.box[1].tolist() == [0.1, 3]


def test_sbml_says_in_parameters_what_is_inferred(folder):
    from regulome.stochastic import networks
    from regulome.stochastic.sbml_export import to_sbml

    network = networks.load("telegraph")
    (folder / "mine.xml").write_text(to_sbml(network, network.theta(kon=0.6, koff=1.2, ksyn=20, kdeg=1)))
    boxes = "parameters: {kon: [0.1, 3], koff: [0.1, 3], ksyn: [1, 60]}"
    file = settings(folder, f"network: mine.xml\ncounts: cells.csv\n{boxes}\n{QUICK}")
    network = read_network(read_settings(file))
    assert network.parameter_names == ("kon", "koff", "ksyn")
    assert network.constants["kdeg"] == 1
    with pytest.raises(UserError, match="parameters: found none"):
        read_network(read_settings(settings(folder, "network: mine.xml\ncounts: cells.csv\n")))
    wrong = settings(folder, "network: mine.xml\ncounts: cells.csv\nparameters: {kom: [0.1, 3]}\n")
    with pytest.raises(UserError, match=r"\.yaml: parameters: unknown parameter 'kom' \(did you mean 'kon'"):
        read_network(read_settings(wrong))


@pytest.mark.parametrize(
    ("network", "kind", "law"),
    [("telegraph", "auto", TwoStateLaw), ("autoregulation", "auto", LevelLaw), ("telegraph", "exact", LevelLaw)],
)
def test_auto_takes_the_cheapest_exact_law(folder, network, kind, law):
    chosen = read_settings(settings(folder, f"network: {network}\ncounts: cells.csv\nlikelihood: {kind}\n"))
    cells = infer_command.read_counts(chosen.counts, read_network(chosen))
    found, _ = infer_command.choose_law(chosen, read_network(chosen), cells, 1)
    assert isinstance(found, law)


def test_exact_takes_any_network_that_can_be_solved(folder):
    (folder / "two.csv").write_text("mRNA,Protein\n3,4\n")
    chosen = read_settings(settings(folder, "network: gene_expression\ncounts: two.csv\nlikelihood: exact\n"))
    network = read_network(chosen)
    cells = infer_command.read_counts(chosen.counts, network)
    assert isinstance(infer_command.choose_law(chosen, network, cells, 1)[0], ExactLikelihood)


def test_auto_refuses_a_network_that_is_too_large_and_says_what_to_do(folder):
    (folder / "two.csv").write_text("mRNA,Protein\n3,4\n")
    chosen = read_settings(settings(folder, "network: gene_expression\ncounts: two.csv\n"))
    network = read_network(chosen)
    with pytest.raises(UserError, match="expected likelihood: solver with a checkpoint"):
        infer_command.choose_law(chosen, network, infer_command.read_counts(chosen.counts, network), 1)


def test_solver_of_the_network_is_taken_and_of_another_refused(folder):
    from regulome.stochastic import networks
    from regulome.stochastic.solver import Solver

    Solver.new(networks.load("telegraph")).save(folder / "solver.pt")
    text = "counts: cells.csv\nlikelihood: solver\ncheckpoint: solver.pt\n"
    chosen = read_settings(settings(folder, "network: telegraph\n" + text))
    network = read_network(chosen)
    cells = infer_command.read_counts(chosen.counts, network)
    assert isinstance(infer_command.choose_law(chosen, network, cells, 1)[0], Solver)
    other = read_settings(settings(folder, "network: autoregulation\n" + text))
    with pytest.raises(UserError, match=r"solver\.pt: checkpoint of another network"):
        infer_command.choose_law(other, read_network(other), cells, 1)
    wide = read_settings(settings(folder, "network: telegraph\nparameters: {kon: [0.1, 99]}\n" + text))
    with pytest.raises(UserError, match=r"kon: found the box \[0\.1, 99\], expected one inside"):
        infer_command.choose_law(wide, read_network(wide), cells, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("counts: cells.csv\n", "network: found None"),
        ("network: telegraph\n", "counts: found None"),
        ("network: telegraph\ncounts: cells.csv\nstepps: 3\n", "unknown field 'stepps'.*did you mean 'steps'"),
        ("network: telegraph\ncounts: cells.csv\nsteps: 3\n", "steps: found 3, expected a whole number of at least 10"),
        ("network: telegraph\ncounts: cells.csv\nprior: flat\n", "prior: found 'flat', expected linear, log"),
        ("network: telegraph\ncounts: cells.csv\nlikelihood: solver\n", "checkpoint: found None"),
        ("network: telegraph\ncounts: cells.csv\nzero_truncated: 1\n", "zero_truncated: found 1"),
        ("network: telegraph\ncounts: cells.csv\ntime: -2\n", "time: found -2"),
        ("network: telegraph\ncounts: cells.csv\nparameters: {kon: 3}\n", r"kon: found 3, expected \[LOW, HIGH\]"),
        ("network: telegraph\ncounts: cells.csv\nparameters: {kom: [1, 3]}\n", "unknown parameter 'kom'"),
        ("network: telegraph\ncounts: cells.csv\nfixed: {kdeg: fast}\n", "fixed: kdeg: found 'fast'"),
        ("network: telegraph\ncounts: nowhere.csv\n", r"nowhere\.csv: no such file"),
        ("network: telegraph\ncounts: cells.csv\ncolumns: {mRMA: a}\n", "no species 'mRMA'"),
        ("network: telegraph\ncounts: cells.csv\nreference: kdge\n", "reference: unknown parameter 'kdge'"),
        ("network: telegraf\ncounts: cells.csv\n", "network 'telegraf'"),
        ("network: telegraph\ncounts: cells.csv\nzero_truncated: true\n", "without any molecule"),
        ("- telegraph\n", "found list"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(folder, text, message):
    with pytest.raises(UserError, match=message):
        infer_command.run(settings(folder, text), folder / "out", threads=1)
    assert not (folder / "out").exists()


def test_a_folder_with_other_content_is_refused(folder):
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("mine")
    file = settings(folder, f"network: telegraph\ncounts: cells.csv\n{QUICK}")
    with pytest.raises(UserError, match=r"holds thesis\.txt"):
        infer_command.run(file, folder / "out", threads=1)


def test_the_example_settings_are_valid():
    chosen = read_settings(paths.mini_data() / "inference" / "telegraph.yaml")
    network = read_network(chosen)
    assert infer_command.read_counts(chosen.counts, network).total == 500
