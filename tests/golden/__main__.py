import json
import sys
import tempfile
from pathlib import Path

from tests.exact import bundled, bundled_ids
from tests.golden import OPENAPI, PATH, answers, contract, examples
from tests.service.conftest import serving


def write_names() -> None:
    golden = {}
    for model_id in bundled_ids("lines", "text"):
        checkpoint = bundled(model_id)
        golden[model_id] = {"fingerprint": checkpoint.fingerprint, "names": answers(checkpoint)}
    PATH.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_examples() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving(log, **examples.SERVED) as service:
            found = examples.asked_of(service.client)
        for status, refused in examples.REFUSED.items():
            with serving(log, **examples.SERVED, **refused.settings) as service:
                found[str(status)] = [refused.answer(service.client)]
    examples.write(found)


def write_contract() -> None:
    text = json.dumps(contract(), indent=1, ensure_ascii=False)
    OPENAPI.write_text(text + "\n", encoding="utf-8")


PARTS = {"names": write_names, "openapi": write_contract, "examples": write_examples}
for part in sys.argv[1:] or PARTS:
    PARTS[part]()
