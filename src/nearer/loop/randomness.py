"""Where all random numbers stand, taken and put back: Python's, numpy's, torch's, the device's."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Numbers = Mapping[str, Any]
"""What `random_numbers` gives: tensors and plain values."""


def random_state(device: torch.device) -> list[Tensor]:
    """Where torch's random numbers of the CPU and of a device stand."""
    states = [torch.get_rng_state()]
    if device.type != "cpu":
        states.append(torch.get_device_module(device).get_rng_state(device))
    return states


def set_random_state(states: list[Tensor], device: torch.device) -> None:
    """Put back what `random_state` gave."""
    torch.set_rng_state(states[0])
    if device.type != "cpu" and len(states) > 1:
        torch.get_device_module(device).set_rng_state(states[1], device)


def random_numbers(device: torch.device) -> dict[str, Any]:
    """Where every generator stands that a step may draw from."""
    version, words, gauss = random.getstate()
    name, keys, place, has_gauss, cached = np.random.get_state()
    return {
        "python": {"version": version, "words": torch.tensor(words), "gauss": gauss},
        "numpy": {
            "name": name,
            "keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
            "place": int(place),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "torch": random_state(device),
    }


def set_random_numbers(numbers: Numbers, device: torch.device) -> None:
    """Put back what `random_numbers` gave, on this device or on another."""
    own, other = numbers["python"], numbers["numpy"]
    random.setstate((own["version"], tuple(own["words"].tolist()), own["gauss"]))
    keys = other["keys"].numpy().astype(np.uint32)
    np.random.set_state((other["name"], keys, other["place"], other["has_gauss"], other["cached"]))
    set_random_state(list(numbers["torch"]), device)
