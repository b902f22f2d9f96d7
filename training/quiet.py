"""Libraries that talk while models are loaded, made to say only what a person can act on."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """No bars for the shards of a model, and no word of what nobody here can mend."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
