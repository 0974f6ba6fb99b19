"""The page of ``mbu-ops web``: what can be picked, what was picked, and a thin layer of Gradio that shows both."""
