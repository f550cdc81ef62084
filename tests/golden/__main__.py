import json

from tests.exact import CHECKPOINTS, bundled
from tests.golden import PATH, answers

golden = {}
for path in sorted(CHECKPOINTS.iterdir()):
    checkpoint = bundled(path.name)
    golden[path.name] = {"fingerprint": checkpoint.fingerprint, "names": answers(checkpoint)}
PATH.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
