from mbu_ops.exporting.exported import Exported as Exported
from mbu_ops.exporting.exported import export as export
from mbu_ops.exporting.graph import Port as Port
