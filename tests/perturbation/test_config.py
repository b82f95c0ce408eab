"""Training configurations: the published layout is read as it is, and every mistake is named with its line."""

import pytest
import yaml

from regulome.errors import UserError
from regulome.perturbation import config, models

# All keys of the published layout, with the values of the Adamson demo
DEMO = {
    "name": "gpo_vae_adamson",
    "seed": 0,
    "max_epochs": 2,
    "max_steps": -1,
    "gradient_clip_norm": 100,
    "devices": [7],
    "use_wandb": False,
    "wandb_kwargs": {"name": None, "project": "gpo"},
    "data_module": "AdamsonDataModule",
    "data_module_kwargs": {
        "batch_size": 512,
        "data_path": "adamson_qc_deg_matched_ctrl_idx_all_ot.h5ad",
        "qc_threshold": 3,
        "stat_path": "summary_stats_adamson.csv",
        "get_pair_mode": "ot",
        "mask_test": None,
    },
    "model": "gpo_vae_Model",
    "model_kwargs": {
        "n_latent": 100,
        "mask_prior": 0.3,
        "logits_or_probs": "logits",
        "embedding_prior_scale": 1.0,
        "likelihood_key": "library_nb",
        "decoder_n_layers": 1,
        "decoder_n_hidden": 400,
        "sum_mode": False,
    },
    "guide": "gpo_vae_CorrelatedNormalGuide",
    "guide_kwargs": {
        "n_latent": 100,
        "basal_encoder_n_layers": 1,
        "basal_encoder_n_hidden": 400,
        "embedding_encoder_n_layers": 4,
        "embedding_encoder_n_hidden": 400,
        "basal_encoder_input_normalization": "log_standardize",
        "mean_field_encoder": False,
        "mask_init": 0,
        "logits_or_probs": "logits",
        "knowledge_path": None,
        "gs_temperature": 1.0,
    },
    "loss_module": "gpo_vae_ELBOLossModule",
    "loss_module_kwargs": {
        "beta": 0.1,
        "alpha": None,
        "hop": 5,
        "fc_criteria": 0.4,
        "knowledge_path": None,
        "gloss_coeff": 100,
        "penaly_coeff": 1,
    },
    "lightning_module_kwargs": {"lr": 3e-4, "n_particles": 5},
    "predictor": "gpo_vae_Predictor",
}


@pytest.fixture
def read(tmp_path):
    """Read a configuration from its text."""

    def _read(text):
        (tmp_path / "demo.yaml").write_text(text)
        return config.read(tmp_path / "demo.yaml")

    return _read


def flat(values, start=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{start}{key}.")
        else:
            yield f"{start}{key}", value


def test_every_published_key_is_known_and_means_the_published_training(read, tmp_path):
    found = read(yaml.safe_dump(DEMO))
    model, training = found.model, found.training
    assert (model.family, model.compat, model.basal, model.mask_prior) == ("gpo", "published", 100, 0.3)
    assert (model.decoder_layers, model.decoder_width) == (2, 400)  # one layer more than the key says
    assert (model.encoder_layers, model.encoder_width, model.effect_layers, model.effect_width) == (1, 400, 4, 400)
    assert (model.beta, model.alpha, model.hop, model.margin) == (0.1, None, 5, 0.4)
    assert (model.network_weight, model.sparsity, model.offset_in_encoder) == (100, 1, True)
    assert (training.epochs, training.batch, training.rate, training.particles) == (2, 512, 3e-4, 5)
    assert (training.steps, training.clip, training.seed) == (0, 100, 0)
    assert (found.preparation.match_method, found.preparation.match_scale, found.preparation.k) == (
        "transport",
        "published",
        3,
    )
    assert found.data == tmp_path / "adamson_qc_deg_matched_ctrl_idx_all_ot.h5ad"
    assert found.name == "gpo_vae_adamson"


@pytest.mark.parametrize(
    ("changes", "sizes", "parameters"),
    [
        ("data_module: RPE1DataModule\n", (8749, 655), 8_783_233),
        ("data_module: ReplogleDataModule\n", (8563, 1546), 12_333_934),
        ("n_latent: 200\nguide_kwargs.basal_encoder_n_hidden: 200\nmodel_kwargs.decoder_n_layers: 1\n", (8749, 655),
         8_783_233),
    ],
)  # fmt: skip
def test_a_configuration_makes_the_network_of_the_published_number_of_parameters(read, changes, sizes, parameters):
    found = read(f"model: gpo_vae_Model\n{changes}")
    network = models.build(found.model, models.Sizes(*sizes))
    assert sum(network.parameter_counts().values()) == parameters


def test_sections_dotted_keys_and_joined_keys_say_the_same(read):
    nested = read(yaml.safe_dump(DEMO))
    joined = {key: value for key, value in flat(DEMO) if not key.endswith(("n_latent", "logits_or_probs"))}
    lines = (
        yaml.safe_dump(joined) + "n_latent: 100\nmodel_kwargs.logits_or_probs--guide_kwargs.logits_or_probs: logits\n"
    )
    assert read(lines) == nested
    assert read("guide_kwargs:\n  basal_encoder_n_hidden--embedding_encoder_n_hidden: 33\n").model.effect_width == 33


@pytest.mark.parametrize("key", ["penaly_coeff", "penalty_coeff"])
def test_the_misspelt_key_and_its_correction_are_both_read(read, key):
    assert read(f"loss_module_kwargs.{key}: 7.5\n").model.sparsity == 7.5


def test_other_families_and_own_keys(read):
    found = read(
        "model: sams\nmodel_kwargs.decoder_n_layers: 2\npatience: 4\npreparation.min_cells: 20\nmax_steps: 9\n"
    )
    assert (found.model.family, found.model.compat, found.model.decoder_layers) == ("sams", "corrected", 2)
    assert (found.training.patience, found.training.steps, found.preparation.min_cells) == (4, 9, 20)
    assert read("model: gpo\n").model.compat == "corrected"
    assert read("model: gpo\ncompat: published\n").model.compat == "published"


def test_our_own_model_has_its_own_keys(read):
    found = read("model: ours\nseed: 3\nmax_epochs: 5\nn_latent: 6\nmodel_kwargs.prior: 0.1\ntraining: {width: 32}\n")
    assert (found.training.seed, found.training.epochs, found.training.basal, found.training.width) == (3, 5, 6, 32)
    assert found.model.prior == 0.1
    with pytest.raises(UserError, match=r"line 2: unknown key 'loss_module_kwargs\.hop'"):
        read("model: ours\nloss_module_kwargs.hop: 3\n")


def test_what_has_no_meaning_here_is_reported(read):
    notes = read("devices: [7]\nuse_wandb: true\nwandb_kwargs: {project: mine}\n").notes
    assert [note.split(":")[0] for note in notes] == ["devices", "use_wandb", "wandb_kwargs.project"]
    assert read("use_wandb: false\n").notes == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nmax_epoch: 3\n", ["line 2", "max_epoch", "did you mean 'max_epochs'"]),
        ("model_kwargs:\n  mask_prior: 0.1\n  n_latnet: 3\n", ["line 3", "n_latnet", "model_kwargs.n_latent"]),
        ("seed: 1\nseed: 2\n", ["line 2", "given twice"]),
        ("model_kwargs: {beta: 1, mask_prior: 0.1}\nmodel_kwargs.mask_prior: 0.2\n", ["line 2", "given twice"]),
        ("max_epochs: ten\n", ["line 1", "max_epochs", "'ten'", "whole number"]),
        ("max_epochs: 2.5\n", ["2.5", "whole number"]),
        ("max_epochs: true\n", ["True", "whole number"]),
        ("seed: 1\nmodel_kwargs.mask_prior: 1.5\n", ["line 2", "mask_prior", "1.5", "below 1"]),
        ("lightning_module_kwargs.lr: -1e-3\n", ["line 1", "lightning_module_kwargs.lr", "above 0"]),
        ("lightning_module_kwargs.lr: .nan\n", ["lightning_module_kwargs.lr", "nan"]),
        ("n_latent: 10\nmodel_kwargs.n_latent: 20\n", ["line 2", "20", "10 in line 1", "the same"]),
        ("model: gpo_vae_model\n", ["line 1", "gpo_vae_model", "did you mean 'gpo_vae_Model'"]),
        ("model_kwargs.likelihood_key: poisson\n", ["likelihood_key", "'poisson'", "offered here: library_nb"]),
        ("model_kwargs.sum_mode: true\n", ["sum_mode", "offered here: false"]),
        ("guide_kwargs.logits_or_probs: probs\n", ["logits_or_probs", "offered here: logits"]),
        ("data_module: adamson\n", ["data_module", "AdamsonDataModule"]),
        ("data_module_kwargs.get_pair_mode: nearest\n", ["get_pair_mode", "offered here: ot"]),
        ("data_module_kwargs.mask_test: [1, -2]\n", ["mask_test", "list of whole numbers"]),
        ("preparation.split: cell\n", ["preparation.split", "did you mean 'cells'"]),
        ("loss_module_kwargs.hop: -1\n", ["line 1", "hop", "at least 0"]),
        ("- a\n- b\n", ["key: value"]),
    ],
)
def test_mistakes_are_named(read, text, words):
    with pytest.raises(UserError) as error:
        read(text)
    message = str(error.value)
    assert "demo.yaml" in message
    assert "\n" not in message
    for word in words:
        assert word in message
