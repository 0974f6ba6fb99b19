from mbu_ops.evaluation.examples import Examples as Examples
from mbu_ops.evaluation.figures import Figure as Figure
from mbu_ops.evaluation.judge import Judge as Judge
from mbu_ops.evaluation.judge import train_judge as train_judge
from mbu_ops.evaluation.measurement import measure as measure
