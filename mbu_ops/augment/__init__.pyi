from mbu_ops.augment.random_edit import RandomEdit as RandomEdit
