"""ESM-2 of any size in bounded memory: one layer at a time, over all proteins.

The checkpoint is mapped, not read. Each layer's weights are copied out of it once, all proteins pass through, the
copy is overwritten by the next layer. In memory are then

* the weights of one layer, float32: 1.3 GB for the 15-billion network, 56 GB as a whole;
* the activations of all proteins, float32, ``tokens x width x 4`` bytes; on disk above a limit;
* what one batch needs inside a layer.

The arithmetic is fair-esm's own `TransformerLayer`, so that the vectors are those of the whole network to rounding.
Every weight is read once for all proteins; nothing is computed twice.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from regulome import devices
from regulome.binding import esm_checkpoint
from regulome.binding.embeddings import batches, check_sequences, collected, pooled
from regulome.binding.esm_checkpoint import PREFIX, EsmSettings
from regulome.binding.sequences import Sequences
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

BATCH_TOKENS = 1024  # a batch inside a layer of the 15-billion network needs 0.4 GB
PADDING = 1  # token of fair-esm's alphabet
IN_MEMORY = 2**30  # bytes of activations above which they lie on disk
DROPOUT_RESCALE = 1 - 0.15 * 0.8  # of fair-esm's token dropout, where no residue is masked


def embed_streamed(
    checkpoint: str | Path,
    proteins: Sequences,
    layer: int = -1,
    device: str = "auto",
    batch_tokens: int = BATCH_TOKENS,
    in_memory: int = IN_MEMORY,
    scratch: str | Path | None = None,
    progress: bool = True,
) -> Vectors:
    """Embed proteins as `embeddings.embed` does, with one layer in memory.

    Parameters
    ----------
    checkpoint, proteins, layer, device
        As for `embeddings.load_esm2` and `embeddings.embed`.
    batch_tokens
        Largest batch inside a layer, padding included.
    in_memory
        Bytes of activations; above it they lie in a temporary file of the folder `scratch` (default: the system's).
    progress
        Show a bar over layers where someone looks at it.

    Raises
    ------
    UserError
        As `embeddings.load_esm2` and `embeddings.embed`; a checkpoint in torch's old format, which cannot be mapped.
    """
    check_sequences(proteins)
    device = devices.choose(device)
    name, path = esm_checkpoint.locate(checkpoint)
    settings = _checked(path)
    layer = esm_checkpoint.layer_number(layer, settings.layers, name)
    groups = list(batches(proteins.lengths, batch_tokens))
    shapes = [(len(places), max(proteins.lengths[i] for i in places) + 2, settings.width) for places in groups]
    with torch.inference_mode(), _Activations(shapes, in_memory, scratch) as activations:
        tokens = _first(path, settings, proteins, groups, activations)
        _pass_layers(path, settings, tokens, activations, layer, device, progress)
        norm = _final_norm(path, settings) if layer == settings.layers else torch.nn.Identity()
        vectors: dict[int, np.ndarray] = {}
        for number, places in enumerate(groups):
            vectors |= pooled(places, norm(activations.get(number)), proteins)
    return collected(vectors, proteins, name, layer)


def _first(
    path: Path, settings: EsmSettings, proteins: Sequences, groups: list[list[int]], activations: "_Activations"
) -> list[torch.Tensor]:
    """Put the residue embeddings of every batch into the activations; return its tokens, (B, T) each."""
    from esm.data import Alphabet

    alphabet = Alphabet.from_architecture("ESM-1b")
    converter = alphabet.get_batch_converter()
    table = torch.empty(len(alphabet), settings.width)
    table.copy_(_weights(path, "embed_tokens.")["weight"])
    if settings.token_dropout:
        table *= DROPOUT_RESCALE
    tokens = []
    for number, places in enumerate(groups):
        _, _, ids = converter([(proteins.names[i], proteins.letters[i]) for i in places])
        residues = table[ids] * (ids != PADDING)[:, :, None]
        activations.put(number, residues)
        tokens.append(ids)
    return tokens


def _pass_layers(
    path: Path,
    settings: EsmSettings,
    tokens: list[torch.Tensor],
    activations: "_Activations",
    layers: int,
    device: str,
    progress: bool,
) -> None:
    from tqdm import tqdm

    block = _empty_layer(settings).to_empty(device=device).eval()
    for number in tqdm(range(layers), unit=" layers", disable=None if progress else True):
        _fill(block, path, f"layers.{number}.")
        block.self_attn.rot_emb._seq_len_cached = None  # its table of angles is made from the layer's own buffer
        for place, ids in enumerate(tokens):
            padding = (ids == PADDING).to(device)
            values = activations.get(place).to(device).transpose(0, 1)
            values, _ = block(values, self_attn_padding_mask=padding if padding.any() else None)
            activations.put(place, values.transpose(0, 1).cpu())


def _empty_layer(settings: EsmSettings) -> torch.nn.Module:
    """One transformer layer of fair-esm's ESM2, without storage for its weights."""
    from esm.modules import TransformerLayer

    with torch.device("meta"):
        return TransformerLayer(
            settings.width, 4 * settings.width, settings.heads,
            add_bias_kv=False, use_esm1b_layer_norm=True, use_rotary_embeddings=True,
        )  # fmt: skip


def _final_norm(path: Path, settings: EsmSettings) -> torch.nn.Module:
    norm = torch.nn.LayerNorm(settings.width)
    _fill(norm, path, "emb_layer_norm_after.")
    return norm


def _fill(module: torch.nn.Module, path: Path, prefix: str) -> None:
    """Copy weights from the mapped checkpoint, in the module's precision; the map is closed on return."""
    module.load_state_dict(_weights(path, prefix))


def _weights(path: Path, prefix: str) -> dict[str, torch.Tensor]:
    """Mapped weights whose names, without the training code's prefix, begin with the given one."""
    named = ((PREFIX.sub("", key), values) for key, values in esm_checkpoint.read(path, mmap=True)["model"].items())
    return {key.removeprefix(prefix): values for key, values in named if key.startswith(prefix)}


def _checked(path: Path) -> EsmSettings:
    """Settings of a checkpoint whose weights have the names and shapes of its network; nothing is read yet."""
    from esm.model.esm2 import ESM2

    content = esm_checkpoint.read(path, mmap=True)
    settings = esm_checkpoint.settings_of(path, content)
    try:
        with torch.device("meta"):
            network = ESM2(settings.layers, settings.width, settings.heads, token_dropout=settings.token_dropout)
    except (AssertionError, RuntimeError, ZeroDivisionError) as error:
        raise UserError(f"{path}: weights and settings do not fit together ({error})") from None
    found = {PREFIX.sub("", key): tuple(values.shape) for key, values in content["model"].items()}
    for name, values in network.state_dict().items():
        if not name.startswith("contact_head") and found.get(name) != tuple(values.shape):
            what = f"of shape {found[name]}" if name in found else "missing"
            raise UserError(
                f"{path}: weights and settings do not fit together ({name}: {what}, expected {tuple(values.shape)})"
            )
    return settings


class _Activations:
    """Float32 blocks of known shapes, in memory, or in a temporary file where they are larger than a limit."""

    def __init__(self, shapes: Sequence[tuple[int, int, int]], in_memory: int, folder: str | Path | None):
        self.shapes = list(shapes)
        self.ends = np.cumsum([0, *(4 * int(np.prod(shape)) for shape in self.shapes)])
        self.blocks: list[torch.Tensor | None] = [None] * len(self.shapes)
        self.file = None
        if self.ends[-1] > in_memory:
            try:
                self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
            except OSError as error:
                raise UserError(f"{folder}: cannot hold the activations ({error.strerror})") from None

    def __enter__(self) -> "_Activations":
        return self

    def __exit__(self, *error: object) -> None:
        self.blocks.clear()
        if self.file is not None:
            self.file.close()

    def get(self, number: int) -> torch.Tensor:
        """Block of a number."""
        if self.file is None:
            return self.blocks[number]
        values = np.empty(self.shapes[number], dtype=np.float32)
        self.file.seek(int(self.ends[number]))
        self.file.readinto(memoryview(values).cast("B"))
        return torch.from_numpy(values)

    def put(self, number: int, values: torch.Tensor) -> None:
        """Replace the block of a number."""
        if self.file is None:
            self.blocks[number] = values.contiguous()
            return
        self.file.seek(int(self.ends[number]))
        try:
            self.file.write(memoryview(values.contiguous().numpy()).cast("B"))
        except OSError as error:
            needed = self.ends[-1] / 2**30
            raise UserError(
                f"the disk cannot hold {needed:.1f} GiB of activations ({error.strerror}); expected space in the "
                "folder of temporary files (TMPDIR names another)"
            ) from None
