"""With/without image sets: folders of pictures, CelebA's layout, and the batches drawn from them."""
