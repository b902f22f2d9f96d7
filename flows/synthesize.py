"""`markupmill synthesize`: samples for what a data set has too little of, through the gates of every source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from curation.chat_endpoint import Budget, ChatEndpoint, Endpoint, Limits, Prices
from curation.errors import BadInputError
from curation.prompts.prompt import Prompt
from curation.synthesize.candidate import Backend
from curation.synthesize.likeness import Reference
from curation.synthesize.llm import LanguageModel
from curation.synthesize.templates import Templates
from flows.server import prefect_api

if TYPE_CHECKING:
    from flows.recipe import Recipe

BACKENDS: Final = ("templates", "llm", "images")
DEFAULT_RECIPE: Final = "synthesized"
N_TOLD: Final = 20


@dataclass(frozen=True)
class SynthesizeOptions:
    """The options of `markupmill synthesize`, as they were given."""

    prompts: str | None = None
    address: str | None = None
    task: str = ""
    threshold: int | None = None
    target_gini: float | None = None
    max_prompts: int | None = None
    like: str | None = None
    backend: str = "templates"
    model: str = ""
    recipe: str = DEFAULT_RECIPE
    overrides: tuple[str, ...] = ()
    workspace: str = "build/workspace"
    name: str = ""
    per_prompt: int = 1
    rounds: int = 4
    seed: int = 42
    max_tokens: int | None = None
    max_cost: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0
    per_minute: float = 0.0
    at_once: int = 4
    timeout: float = 120.0
    deadline: float = 300.0
    image_size: str = "1024x1024"

    def load_recipe(self) -> Recipe:
        """The recipe whose tokens, gates and measures hold; its sources are those of the build."""
        from flows.recipe import load_recipe  # noqa: PLC0415 - heavy

        recipe = load_recipe(self.recipe, self.overrides)
        return recipe.model_copy(update={"name": self.name}) if self.name else recipe

    def checked(self) -> SynthesizeOptions:
        """The options. Raises `BadInputError` where they cannot be used together."""
        if (self.prompts is None) == (self.address is None):
            raise BadInputError("name what is asked for", "Give either --prompts FILE or --from RELEASE|REPORT")
        if self.backend not in BACKENDS:
            raise BadInputError(f"there is no backend {self.backend!r}", f"There are: {', '.join(BACKENDS)}")
        if "://" in self.workspace:
            raise BadInputError(f"{self.workspace} is remote", "Synthesize in a local --workspace")
        if self.max_cost is not None and not (self.price_in or self.price_out):
            raise BadInputError("--max-cost needs prices", "Give --price-in and --price-out, per million tokens")
        return self

    def backend_of(self, reference: Reference) -> Backend:
        """What makes the drafts. Raises `BadInputError` where the environment does not name an endpoint."""
        return Templates(reference, self.seed) if self.backend == "templates" else LanguageModel(self.chat())

    def chat(self) -> ChatEndpoint:
        """The chat endpoint that the environment names, with the limits that were given."""
        return ChatEndpoint(
            Endpoint.from_environment(self.model),
            Limits(self.at_once, self.per_minute, timeout_s=self.timeout, deadline_s=self.deadline),
            Budget(Prices(self.price_in, self.price_out), self.max_tokens, self.max_cost),
            Path(self.workspace).expanduser() / "answers",
        )


def run_synthesize(options: SynthesizeOptions) -> str:
    """Make samples until the targets are met, or say why they are not. Returns what to tell the user.

    Raises `MarkupmillError`.
    """
    options = options.checked()
    with prefect_api(Path(options.workspace).expanduser() / "prefect"):
        from flows.synthesize_flow import synthesize_release  # noqa: PLC0415 - the server comes up meanwhile

        return "\n".join(synthesize_release(options).lines)


def spread(prompts: list[Prompt], most: int | None) -> list[Prompt]:
    """At most so many prompts, evenly out of all of them."""
    if most is None or len(prompts) <= most:
        return prompts
    return [prompts[i * len(prompts) // most] for i in range(most)]
