"""Where torch computes: "auto" takes a GPU if there is one."""

import torch

from regulome.errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def choose(device: str) -> str:
    """Return "cpu" or "cuda".

    Raises
    ------
    UserError
        If the device is unknown, or "cuda" is asked for and torch finds no GPU.
    """
    if device not in DEVICES or (device == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"device is '{device}'; expected auto or cpu, or cuda where torch finds a GPU")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
