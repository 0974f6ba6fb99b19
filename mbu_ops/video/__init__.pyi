from mbu_ops.video.door import ClipProgress as ClipProgress
from mbu_ops.video.door import ClipReport as ClipReport
from mbu_ops.video.door import edit as edit
from mbu_ops.video.door import edit_clip as edit_clip
from mbu_ops.video.limits import MAX_FRAMES as MAX_FRAMES
