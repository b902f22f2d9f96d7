"""The closed list of reasons for leaving a row out. A reason is part of the data: rename none lightly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a row was rejected. The comment names the stage that gives it."""

    # reading a source
    TEXT_MISSING = "text_missing"
    TEXT_NOT_UTF8 = "text_not_utf8"
    ANNOTATION_BROKEN = "annotation_broken"  # PubTabNet cells and structure do not weave
    OTHER_SPLIT = "other_split"  # the row belongs to another of the source's splits than the one asked for
    SOURCE_RULE = "source_rule"  # a rule of the source's preset takes other rows (DocOrNot: documents only)
    PROMPT_MISSING = "prompt_missing"  # a synthetic picture whose prompt is not there
    IMAGE_PATH_UNSAFE = "image_path_unsafe"  # a picture's name that leads out of its folder
    MEMBER_UNSAFE = "member_unsafe"  # an archive's member that leads out of it, or is a link or a device
    TABLE_SHAPE = "table_shape"  # rows, columns, cells or header are not what the source was asked for
    TABLE_LAYOUT = "table_layout"  # lays out a page: by its role, or few cells have text
    CHAT_IMAGE_MARK = "chat_image_mark"  # no `<image>`, more than one, or not in the first question
    CHAT_SEVERAL_IMAGES = "chat_several_images"
    CHAT_ROLES = "chat_roles"  # not question and answer in turn, a question first and an answer last
    CHAT_TURN_EMPTY = "chat_turn_empty"
    # synthesis
    CLASS_MISSING = "class_missing"  # a synthetic sample has not what its prompt asks for
    REPLAYED = "replayed"  # a synthetic sample says again what a real row says
    ANSWER_MISSING = "answer_missing"  # the model's endpoint gave none
    ANSWER_REFUSED = "answer_refused"
    ANSWER_CUT_OFF = "answer_cut_off"
    # canonical form
    MARKUP_EMPTY = "markup_empty"
    MARKUP_TOO_LARGE = "markup_too_large"
    MARKUP_INVALID = "markup_invalid"
    TABLE_MISSING = "table_missing"
    TABLE_NESTED = "table_nested"
    TABLE_SEVERAL = "table_several"  # more than one table beside each other
    TABLE_SPANS_OVERLAP = "table_spans_overlap"
    TABLE_RAGGED = "table_ragged"
    LATEX_INVALID = "latex_invalid"
    # token length
    TOO_MANY_TOKENS = "too_many_tokens"
    TEXT_IMAGE_MARK = "text_image_mark"  # training would look for a second picture
    # images
    IMAGE_MISSING = "image_missing"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TRUNCATED = "image_truncated"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_BLANK = "image_blank"
    # of rendering: rendering.result.FailureReason with a prefix
    RENDER_BLANK = "render_blank"
    RENDER_CUT_OFF = "render_cut_off"
    RENDER_OVER_CAP = "render_over_cap"
    RENDER_TIMEOUT = "render_timeout"
    RENDER_KATEX_ERROR = "render_katex_error"
    RENDER_CRASHED = "render_crashed"
    RENDER_NAVIGATED = "render_navigated"
    # selection
    WHERE = "where"
    DUPLICATE_EXACT = "duplicate_exact"
    DUPLICATE_NEAR = "duplicate_near"
    CONTAMINATED = "contaminated"  # an evaluation set has it
    OVER_QUOTA = "over_quota"  # more rows of its source, task or classes than a balanced data set takes
    OVER_LIMIT = "over_limit"
    OVER_SPLIT_COUNT = "over_split_count"


@dataclass(frozen=True)
class Reject:
    """One row left out: the reason, and what exactly was wrong (one line, no secrets)."""

    reason: Reason
    detail: str = ""
