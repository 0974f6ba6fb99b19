"""Pretrained networks that measure: who a face is, and what a picture looks like. Their weights are packaged."""
