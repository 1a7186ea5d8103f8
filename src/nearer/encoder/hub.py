"""Asks the hub once whether a model can be had, before a library tries for a minute and a half."""

from pathlib import Path

from nearer.errors import ModelError

TIMEOUT = 10.0
"""Seconds to wait for the hub's answer."""

_WAY_OUT = "or give a local folder, or a model that is installed as a package (nearer models)"


def cache_alone(model: str) -> bool:
    """Whether a model is to be loaded from the local cache, without a look at the hub.

    A local folder needs none either; but that of an adapter, which may name a base model there.

    Args:
        model: A hub id or a local folder.

    Raises:
        ModelError: The hub does not have it, or cannot be reached and the cache has it not.
    """
    if Path(model).is_dir():
        # Else the library asks the hub whether it knows the folder, by its path.
        return not (Path(model) / "adapter_config.json").is_file()
    # 0.3 s that only who loads from the hub pays
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        HfApi().model_info(model, timeout=TIMEOUT)
    except HFValidationError as error:
        raise ModelError(f'"{model}" is no hub id, which has the form owner/name') from error
    except RepositoryNotFoundError as error:
        if _is_cached(model):
            return True
        raise ModelError(
            f'the hub has no model "{model}", or not for you; check the name, log in with '
            f"`hf auth login` if it is private, {_WAY_OUT}"
        ) from error
    except HfHubHTTPError:  # it is there, and has a bad moment; the library tries again
        return False
    except Exception as error:  # whatever the HTTP library of the day raises without a network
        if _is_cached(model):
            return True
        offline = isinstance(error, OfflineModeIsEnabled)
        said = "HF_HUB_OFFLINE is set" if offline else str(error).split("\n")[0].rstrip(".")
        raise ModelError(
            f'cannot reach the hub for the model "{model}" ({said}), and it is not in the '
            f"local cache; connect to the network, {_WAY_OUT}"
        ) from error
    return False


def _is_cached(model: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(
        isinstance(try_to_load_from_cache(model, name), str)
        for name in ("config.json", "modules.json")
    )
