"""A CLIP loss that trains: how far the caption that a model is about to write is from its picture.

    L = 1 - mean over pictures of cos(f_image(picture), f_text(e_1 … e_n)),    e_t = sum over v of p_t(v) · M(v)

distilvit's loss is 1 - cos(f_image(picture), f_text(caption)), too, but its caption is decoded to a string, under
`no_grad`: a constant, to whatever the model's parameters. Here the caption stays soft. p_t is the language model's
distribution over its vocabulary at position t of the reference (teacher forcing), and M(v) is token v as CLIP reads it:
the mean of the embeddings of CLIP's own tokens for v's text. CLIP, frozen, reads the expected embeddings e_t where it
would read a token's; so the loss is differentiable in p_t: gradient reaches projection, adapters and unfrozen layers.
Where the model is certain, p_t is one token, and L is that of the caption itself up to how both vocabularies cut words.

Expected embeddings in place of sampled words: Jang et al. 2017 (arXiv 1611.01144), without its noise, so that value and
gradient are exact. CLIP: Radford et al. 2021 (arXiv 2103.00020). Imports torch: import it in functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch  # noqa: TID253 - this module is imported inside functions only
from torch import Tensor, nn  # noqa: TID253 - as above

from curation.errors import ModelError

_NO_CHARACTER = "\ufffd"
"""What decoding gives for bytes that are no whole character."""


class ClipLoss(nn.Module):
    """The loss by one CLIP model, frozen, for one language model's vocabulary.

    `pieces` are CLIP's token ids for each token of the language model, none for one without text. `start` and `end`
    are CLIP's own marks. Nothing in here learns.
    """

    token_embeddings: Tensor

    def __init__(self, clip: Any, pieces: Sequence[Sequence[int]], start: int, end: int) -> None:
        super().__init__()
        self.clip = clip.eval().requires_grad_(requires_grad=False)
        self._start, self._end = start, end
        table = clip.text_model.embeddings.token_embedding.weight
        self.register_buffer("token_embeddings", _mean_embeddings(table, pieces), persistent=False)

    @property
    def max_tokens(self) -> int:
        """How many tokens of a caption CLIP can read."""
        return int(self.clip.config.text_config.max_position_embeddings) - 2

    def forward(self, logits: Tensor, is_caption: Tensor, clip_pixel_values: Tensor) -> Tensor:
        """The loss, a scalar.

        `logits` are (batch, tokens, vocabulary), each for its own token; `is_caption`, (batch, tokens), is true for
        the tokens of the caption, its end not among them; `clip_pixel_values` are the pictures as CLIP takes them.
        """
        with torch.no_grad():  # neither the picture nor CLIP has anything to learn
            image = self.clip.get_image_features(pixel_values=clip_pixel_values).pooler_output
        text = self.text_features(logits.float().softmax(dim=-1), is_caption)
        return 1 - nn.functional.cosine_similarity(image.float(), text.float()).mean()

    def text_features(self, distributions: Tensor, is_caption: Tensor) -> Tensor:
        """CLIP's vector of each soft caption, (batch, width), of distributions over the vocabulary per token."""
        n_tokens = is_caption.sum(dim=1)
        if int(n_tokens.max()) > self.max_tokens:
            problem = f"CLIP reads captions of {self.max_tokens} tokens, and one has {int(n_tokens.max())}"
            raise ModelError(problem, "Set a smaller model.max_caption_tokens, or clip_loss_weight 0")
        weights = self.token_embeddings
        soft = distributions.to(weights.dtype) @ weights
        embedding = self.clip.text_model.embeddings.token_embedding
        start, end = embedding.weight[self._start], embedding.weight[self._end]
        # Start, caption, end, and more ends to the longest's length: attention is causal, so nothing sees those.
        sequence = end.repeat(len(soft), int(n_tokens.max()) + 2, 1)
        sequence[:, 0] = start
        rows, columns = is_caption.nonzero(as_tuple=True)
        places = is_caption.long().cumsum(dim=1)[rows, columns]
        sequence = sequence.index_put((rows, places), soft[rows, columns])
        hidden = self._encoded(sequence)
        ends = hidden[torch.arange(len(hidden), device=hidden.device), n_tokens + 1]
        features: Tensor = self.clip.text_projection(ends)
        return features

    def _encoded(self, embeddings: Tensor) -> Tensor:
        """As `CLIPTextModel.forward`, which takes ids alone; a test holds the two together."""
        from transformers.masking_utils import create_causal_mask

        model = self.clip.text_model
        hidden = model.embeddings(inputs_embeds=embeddings)
        mask = create_causal_mask(config=model.config, inputs_embeds=hidden, attention_mask=None, past_key_values=None)
        hidden = model.encoder(inputs_embeds=hidden, attention_mask=mask, is_causal=True).last_hidden_state
        normalised: Tensor = model.final_layer_norm(hidden)
        return normalised


def open_clip_loss(name: str, revision: str | None, tokenizer: Any) -> ClipLoss:
    """The loss by a CLIP model of transformers, for the vocabulary of a language model's `tokenizer`."""
    from transformers import AutoTokenizer, CLIPModel

    clip = CLIPModel.from_pretrained(name, revision=revision, dtype=torch.float32)
    own = AutoTokenizer.from_pretrained(name, revision=revision)
    return ClipLoss(clip, pieces_of(tokenizer, own), own.bos_token_id, own.eos_token_id)


def pieces_of(tokenizer: Any, clip_tokenizer: Any) -> list[list[int]]:
    """CLIP's token ids for the text of each token of a vocabulary, by id.

    None for special tokens, white space, and parts of a character's bytes, which are no text.
    """
    special = set(tokenizer.all_special_ids)
    texts = ["" if i in special else tokenizer.decode([i]).strip() for i in range(len(tokenizer))]
    texts = ["" if _NO_CHARACTER in text else text for text in texts]
    return list(clip_tokenizer(texts, add_special_tokens=False)["input_ids"])


def _mean_embeddings(table: Tensor, pieces: Sequence[Sequence[int]]) -> Tensor:
    """The mean of a table's rows for each list of ids, (lists, width); 0 for an empty one."""
    flat = torch.tensor([piece for one in pieces for piece in one], dtype=torch.long)
    starts = torch.tensor([0, *(len(one) for one in pieces[:-1])], dtype=torch.long).cumsum(dim=0)
    return nn.functional.embedding_bag(flat, table.detach().cpu(), starts, mode="mean")
