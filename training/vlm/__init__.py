"""Vision-language models of transformers, fine-tuned with adapters: set-ups 1, 4 and 5."""
