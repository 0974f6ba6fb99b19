from mbu_ops.batch.files import edit_files as edit_files
from mbu_ops.batch.files import edit_planned as edit_planned
from mbu_ops.batch.plan import FilePlan as FilePlan
from mbu_ops.batch.plan import Job as Job
from mbu_ops.batch.plan import plan_files as plan_files
from mbu_ops.batch.report import Failure as Failure
from mbu_ops.batch.report import Report as Report
from mbu_ops.batch.report import Written as Written
