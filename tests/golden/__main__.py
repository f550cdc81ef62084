import json

from tests.exact import bundled, bundled_ids
from tests.golden import PATH, answers

golden = {}
for model_id in bundled_ids("lines", "text"):
    checkpoint = bundled(model_id)
    golden[model_id] = {"fingerprint": checkpoint.fingerprint, "names": answers(checkpoint)}
PATH.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
