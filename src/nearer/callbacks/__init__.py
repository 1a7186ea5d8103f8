"""Everything that happens around the loop, one file each."""

from nearer.callbacks.best_model_checkpoint import BestModelCheckpoint
from nearer.callbacks.csv_logger import CSVLogger
from nearer.callbacks.early_stopping import EarlyStopping
from nearer.callbacks.evaluation import EvaluationCallback
from nearer.callbacks.lambda_callback import LambdaCallback
from nearer.callbacks.progress_bar import ProgressBar
from nearer.callbacks.tracker import Tracker
from nearer.callbacks.wise_ft import WiSEFT

__all__ = [
    "BestModelCheckpoint",
    "CSVLogger",
    "EarlyStopping",
    "EvaluationCallback",
    "LambdaCallback",
    "ProgressBar",
    "Tracker",
    "WiSEFT",
]
