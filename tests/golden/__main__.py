import json

from tests.exact import bundled, bundled_ids
from tests.golden import OPENAPI, PATH, answers, contract

golden = {}
for model_id in bundled_ids("lines", "text"):
    checkpoint = bundled(model_id)
    golden[model_id] = {"fingerprint": checkpoint.fingerprint, "names": answers(checkpoint)}
PATH.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
OPENAPI.write_text(json.dumps(contract(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
