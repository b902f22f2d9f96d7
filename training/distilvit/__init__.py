"""SigLIP, a projection and a small language model with the picture as its prefix: set-up 3."""
