from mbu_ops.data.pairs import Pair as Pair
from mbu_ops.data.source import LabelledSource as LabelledSource
from mbu_ops.data.source import Search as Search
from mbu_ops.data.source import Source as Source
