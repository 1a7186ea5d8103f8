"""Whether a run's options let its model be split among processes. Loads and splits nothing."""

from pathlib import Path

from nearer.errors import SpecError
from nearer.loop.split import UNFIT
from nearer.run.launch import processes_asked
from nearer.run.spec import RunSpec


def check_shard(spec: RunSpec) -> None:
    """Check what can be checked before a model is loaded.

    Raises:
        SpecError: The model cannot be split as the other options have it; lists all faults.
    """
    faults = []
    models = (spec.model, spec.query_model, spec.index_model)
    if processes_asked() == 1:
        faults.append(
            "shard: there is one process, which nothing can be split among; start with "
            "torchrun --nproc-per-node N -m nearer fit …, or leave shard out"
        )
    if not all(isinstance(m, str | Path | None) for m in models):
        faults.append("shard: needs the name or the folder of a model, not a model in memory")
    if spec.compile:
        faults.append("shard: not together with compile; leave one of them out")
    if spec.precision == "fp16":
        faults.append("shard: precision fp16 is not there; take bf16 or fp32")
    if spec.optimizer in UNFIT:
        faults.append(f"shard: {spec.optimizer} cannot take weights that are split; take AdamW")
    if faults:
        raise SpecError(faults)
