from mbu_ops.training.config import TrainingConfig as TrainingConfig
from mbu_ops.training.loop import Provenance as Provenance
from mbu_ops.training.loop import Reporter as Reporter
from mbu_ops.training.loop import Trainer as Trainer
from mbu_ops.training.making import PairOptions as PairOptions
from mbu_ops.training.recipe import Plan as Plan
from mbu_ops.training.recipe import Trained as Trained
from mbu_ops.training.recipe import train as train
