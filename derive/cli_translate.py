"""``derive translate``: a call in another framework's words, with what was proved of it."""

from __future__ import annotations

import click

EPILOG = """\b
Examples:
  derive translate "nn.Conv2d(3, 16, 3, stride=2, padding=1)" --to tensorflow
  derive translate "keras.layers.Conv2D(16, 3, strides=2, padding='same')" --to pytorch
  derive translate "keras.layers.Conv2D(16, 3, strides=2, padding='same')" --to pytorch --input 1,224,224,3

A translation is printed only with its proof: the same operator for all sizes, or exactly when a
condition on the input's lengths holds.  Weights are carried as NumPy arrays.

\b
Exit codes:
  0  a call was found that is the same operator for all sizes (or at the given ones)
  1  there are only calls that are the same exactly when a condition holds
  2  wrong input
  3  no equivalent call was found

\b
--json prints an object with these keys:
  call, dialect, target, layout   strings; the layout is that of the source's input
  programs   list of objects: code (lines), calls, verdict ("proved" or "holds exactly when"),
             condition (null when proved)
  reason     why no call was found, where it is known what the target's calls do not take
  refused    list of objects: calls, why
"""


@click.command("translate", epilog=EPILOG)
@click.argument("call")
@click.option(
    "--to", "target", required=True, metavar="DIALECT", help="The dialect to translate to."
)
@click.option("--input", "shape", metavar="N,…", help="The input's shape in the call's own layout.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def translate_command(call: str, target: str, shape: str | None, as_json: bool) -> int:
    """Translate CALL to another framework, and prove that it is the same operator."""
    from derive.decide.verdict import Proved
    from derive.dialects.listing import as_data, as_text
    from derive.dialects.request import parse_shape
    from derive.dialects.translate import translate

    found = translate(call, target, None if shape is None else parse_shape(shape, "--input"))
    if as_json:
        import json

        click.echo(json.dumps(as_data(found), indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(found))
    if not found.programs:
        return 3
    return 0 if isinstance(found.programs[0].verdict, Proved) else 1
