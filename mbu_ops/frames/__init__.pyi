from mbu_ops.families.aligning import Aligner as Aligner
from mbu_ops.families.aligning import FrameLike as FrameLike
from mbu_ops.families.aligning import aligner as aligner
from mbu_ops.frames.box import Box as Box
from mbu_ops.frames.frame import Frame as Frame
from mbu_ops.frames.framed import Framed as Framed
from mbu_ops.frames.parts import FramedParse as FramedParse
from mbu_ops.frames.parts import FramedReshape as FramedReshape
