"""The command `train-distilvit`: training with distilvit's options, by its names. Imports click alone."""

from __future__ import annotations

from typing import Any

import click

POSITIVE = click.IntRange(1)
RATE = click.FloatRange(0, min_open=True)


@click.command()
@click.option(
    "--preset",
    default="distilvit",
    show_default=True,
    metavar="CONFIG",
    help="Where all other values are from: also distilvit_quick, distilvit_modern, distilvit_large, or a file.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a config's key, too.")
@click.option("--no-gate", is_flag=True, help="Train in spite of failed checks; the run and the model's card say so.")
@click.option("--dataset", multiple=True, metavar="RELEASE", help="A folder, or org/name[@revision] on the Hub.")
@click.option("--num-train-epochs", type=RATE, metavar="N", help="Times over the data.")
@click.option("--sample", type=POSITIVE, metavar="N", help="So many rows of each split.")
@click.option("--max-length", type=click.IntRange(2), metavar="N", help="Tokens of a caption, its end included.")
@click.option("--encoder-model", metavar="NAME", help="A SigLIP: a Hub id, or a folder.")
@click.option("--decoder-model", metavar="NAME", help="A causal language model: a Hub id, or a folder.")
@click.option("--feature-extractor-model", metavar="NAME", help="The same as --encoder-model, or left out.")
@click.option("--base-model", metavar="NAME", help="Go on from this trained captioner.")
@click.option("--base-model-revision", metavar="REVISION", help="Of --base-model on the Hub.")
@click.option("--freeze-vision", is_flag=True, help="As it is always, but for --unfreeze-vision-layers.")
@click.option("--unfreeze-vision-layers", type=click.IntRange(0), metavar="N", help="The last N of the tower learn.")
@click.option("--projection-type", type=click.Choice(["linear", "mlp"]), help="From picture to words.")
@click.option("--projection-lr", type=RATE, metavar="RATE", help="At which the projection learns.")
@click.option("--lora-lr", type=RATE, metavar="RATE", help="At which adapters learn; unfrozen layers at a tenth of it.")
@click.option("--lora-r", type=POSITIVE, metavar="N", help="Rank of the adapters.")
@click.option("--lora-alpha", type=POSITIVE, metavar="N", help="Over the rank: their scale.")
@click.option("--lora-dropout", type=click.FloatRange(0, 1, max_open=True), metavar="SHARE", help="Before them.")
@click.option("--clip-loss-weight", type=click.FloatRange(0), metavar="WEIGHT", help="Of the CLIP loss; 0 is none.")
@click.option("--clip-model", metavar="NAME", help="Of the CLIP loss: a Hub id, or a folder.")
@click.option("--eval-steps", type=POSITIVE, metavar="N", help="Evaluate every so many steps.")
@click.option("--save-steps", type=POSITIVE, metavar="N", help="Save every so many; with a best one, at evaluations.")
@click.option("--device", type=click.Choice(["cpu", "cuda", "mps"]), help="[default: a GPU where there is one]")
@click.option("--save-dir", metavar="DIR", help="Where the run's folder is made.  [default: the config's output]")
@click.option("--push-to-hub", is_flag=True, help="Push the model to --model-id.")
@click.option("--model-id", metavar="ORG/NAME", help="What it is called on the Hub.")
@click.option("--tag", hidden=True)
@click.option("--cache-dir", hidden=True)
@click.option("--prune-cache", is_flag=True, hidden=True)
@click.option("--checkpoints-dir", hidden=True)
@click.option("--save-total-limit", hidden=True)
@click.option("--delete-old-checkpoints", is_flag=True, hidden=True)
@click.option("--debug", is_flag=True, hidden=True)
@click.argument("more_datasets", nargs=-1, metavar="")
def train_distilvit(
    preset: str,
    overrides: tuple[str, ...],
    no_gate: bool,
    dataset: tuple[str, ...],
    more_datasets: tuple[str, ...],
    **options: Any,
) -> None:
    """Train a captioner as distilvit does: SigLIP, a projection, SmolLM with LoRA; its options, by its names.

    What is not given is as the preset says. `markupmill train distilvit` does the same with --set.
    """
    from flows.train_command import run  # noqa: PLC0415 - keeps --help light
    from rendering.errors import BadInputError  # noqa: PLC0415 - as above
    from training.distilvit.options import config_of  # noqa: PLC0415 - as above

    pushed_to = options["model_id"] if options["push_to_hub"] else None
    if options["push_to_hub"] and not pushed_to:
        raise BadInputError("--push-to-hub does not say where to", "Give --model-id org/name")
    config = config_of(preset, {**options, "dataset": (*dataset, *more_datasets)}, overrides)
    run(config, "distilvit", gate=not no_gate, push_to_hub=pushed_to)
