"""The command `predict`: what a trained model writes for pictures. Imports click alone."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="IMAGE ...")
@click.option("--model", required=True, metavar="NAME", help="A run's folder, a model's folder, or a Hub id.")
@click.option("--prompt", metavar="TEXT", help="What is asked.  [default: what the model was trained on]")
@click.option("--max-new-tokens", type=click.IntRange(1), metavar="N", help="[default: the model's own, or 1024]")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line: image, prediction.")
def predict(
    pictures: tuple[str, ...], model: str, prompt: str | None, max_new_tokens: int | None, device: str, as_json: bool
) -> None:
    """Write the markup, or the caption, of each IMAGE to standard output, greedily."""
    from training.predict import predict_files  # noqa: PLC0415 - keeps --help light

    for name, text in predict_files(pictures, model, prompt, max_new_tokens, device):
        if as_json:
            click.echo(json.dumps({"image": name, "prediction": text}, ensure_ascii=False))
        else:
            click.echo(f"{name}:\n{text}\n" if len(pictures) > 1 else text)
