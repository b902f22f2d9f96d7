"""What stands between a sample and the model: tokenizer, image processor, chat template.

Together they are LLaVA's processor, a class of transformers: a trained model opens with no code of ours.
"""

from __future__ import annotations

from typing import Any, Final

from PIL import Image

from curation.conversation import IMAGE_MARK
from curation.errors import ModelError
from curation.tokenizers import first_line
from training.llava_mini.config import LlavaMiniModel

_PARTS_TO_TEXT: Final = (
    "{%- set spoken = namespace(turns=[]) -%}"
    "{%- for message in messages -%}"
    "{%- set said = namespace(text='') -%}"
    "{%- if message['content'] is string -%}{%- set said.text = message['content'] -%}{%- else -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{%- set said.text = said.text + '" + IMAGE_MARK + "\\n' -%}"
    "{%- else -%}{%- set said.text = said.text + part['text'] -%}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- set spoken.turns = spoken.turns + [{'role': message['role'], 'content': said.text}] -%}"
    "{%- endfor -%}"
    "{%- set messages = spoken.turns -%}"
)
"""Jinja that makes of a message's parts the one string that a template for text takes."""


def build_processor(model: LlavaMiniModel) -> Any:
    """A `LlavaProcessor` of the language model's tokenizer and the tower's image processor.

    The tokenizer gets an image token, and a padding token where it has none, and adds no token by itself any more: the
    conversation's string has them all. (TinyLlama's adds `<s>`, which its chat template leaves out: that gets it.)

    Raises `ModelError` where tokenizer or image processor cannot be had.
    """
    from transformers import AddedToken, AutoConfig, AutoImageProcessor, AutoTokenizer, LlavaProcessor

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(model.language, revision=model.language_revision)
        images: Any = AutoImageProcessor.from_pretrained(model.vision, revision=model.vision_revision)
        vision = AutoConfig.from_pretrained(model.vision, revision=model.vision_revision)
    except Exception as error:  # files of others raise anything
        problem = f"The processor of {model.vision} and {model.language} cannot be loaded: {first_line(error)}"
        raise ModelError(problem, "Check the names and revisions, or give folders") from error
    vision = getattr(vision, "vision_config", vision)
    made = images(images=[Image.new("RGB", (8, 8))], return_tensors="pt")["pixel_values"][0]
    if made.shape != (3, vision.image_size, vision.image_size):
        problem = f"{model.vision} reads {vision.image_size} px, but its image processor makes {tuple(made.shape)}"
        raise ModelError(problem, "Mend preprocessor_config.json beside it")
    begins = tokenizer.bos_token_id is not None and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    tokenizer.add_tokens([AddedToken(IMAGE_MARK, special=True, normalized=False)], special_tokens=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    tokenizer.add_bos_token = False
    tokenizer.padding_side = "left"  # for who generates; training pads by itself
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=vision.patch_size,
        # "default": one token fewer than the tower gives, the class token, which the model drops.
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=IMAGE_MARK,
        chat_template=with_pictures(tokenizer.chat_template, begins=begins),
    )


def with_pictures(template: str | None, *, begins: bool) -> str | None:
    """A chat template for text as one that writes the picture's mark, at its place; one that knows pictures stays.

    `begins` puts the token of a beginning first, where the template does not know it.
    """
    if template is None:
        return None
    beginning = "{{- bos_token -}}" if begins and "bos_token" not in template else ""
    return beginning + (template if "image" in template else _PARTS_TO_TEXT + template)


def n_image_tokens(processor: Any) -> int:
    """Tokens of each picture: 256 for ViT-L/14 at 224 px."""
    return int(processor._get_num_multimodal_tokens(image_sizes=[[1, 1]])["num_image_tokens"][0])  # noqa: SLF001 - vLLM's way too
