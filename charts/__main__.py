"""Writes the charts as a YAML folder for GitOps: ``python -m charts --outputs outputs.json --out manifests``."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import cdk8s

from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.rendering.yaml_folder import ChartWarning, write_yaml_folder
from charts import DEMOS, platform_charts

__all__ = ["main"]

EXAMPLE_OUTPUTS = Path(__file__).parent.parent / "examples" / "outputs.json"
"""Fictional outputs, to try the command without a deployment."""


def main(arguments: list[str] | None = None) -> int:
    """Writes the folder; 0, or 1 with one line on standard error for each problem."""
    parser = argparse.ArgumentParser(prog="python -m charts", description=__doc__)
    parser.add_argument(
        "--outputs", type=Path, default=EXAMPLE_OUTPUTS, help="the file that 'cdk deploy --outputs-file' wrote"
    )
    parser.add_argument("--demos", nargs="*", choices=[*DEMOS], help=f"demos to include: {', '.join(DEMOS)}")
    parser.add_argument(
        "--weights-bucket", help="weights bucket of the gpt-oss demo, whose pods need a role with access to it"
    )
    parser.add_argument("--out", type=Path, default=Path("manifests"), help="the folder to write")
    options = parser.parse_args(arguments)
    if options.demos == []:
        parser.error(f"argument --demos: name at least one of {', '.join(DEMOS)}")
    try:
        values = ClusterValues.from_outputs(_outputs_of(options.outputs), where=str(options.outputs))
        app = cdk8s.App()
        charts = platform_charts(app, values)
        charts += [DEMOS[demo](app, demo, values, options.weights_bucket) for demo in options.demos or ()]
        with warnings.catch_warnings(record=True) as risks:
            warnings.simplefilter("always", ChartWarning)
            files = write_yaml_folder(
                charts, options.out, default_node_class=values.built_in_pools, ip_family=values.ip_family
            )
    except AutoModeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for risk in risks:
        print(f"warning: {risk.message}", file=sys.stderr)
    for file in files:
        print(file)
    return 0


_MOST_BYTES = 10 * 1024**2
"""The largest file of outputs that is read; a stack has at most 200 of them."""


def _outputs_of(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise AutoModeError.of(str(path), field="", message=f"is larger than {_MOST_BYTES // 1024**2} MiB")
        document = json.loads(content.decode("utf-8-sig"))
    except AutoModeError:
        raise
    except RecursionError:
        raise AutoModeError.of(str(path), field="", message="is nested too deep") from None
    except OSError as error:
        raise AutoModeError.of(
            str(path), field="", message=f"cannot be read ({error.strerror})", cure="name a file that exists"
        ) from None
    except ValueError as error:
        raise AutoModeError.of(str(path), field="", message=f"is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise AutoModeError.of(str(path), field="", message="is not a JSON object of stacks and their outputs")
    return document


if __name__ == "__main__":
    sys.exit(main())
