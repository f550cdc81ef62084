"""The plain loop behind LitServe, which batches requests that wait; no benchmark itself.

POST /predict with {"n": ...}. A module of its own, since LitServe's worker imports it anew.

python -m benchmarks.batching_baseline PORT
"""

import sys

import litserve

from benchmarks.baselines import PlainNames

BATCH = 64
BATCH_TIMEOUT_S = 0.01


class NamesAPI(litserve.LitAPI):  # type: ignore[misc]
    """Draws the names of all requests of a batch together."""

    def setup(self, device: str) -> None:
        """Load the model, in the worker."""
        del device
        self.names = PlainNames()

    def decode_request(self, request: dict[str, int]) -> int:
        """How many names."""
        return request["n"]

    def batch(self, inputs: list[int]) -> list[int]:
        """As they are."""
        return inputs

    def predict(self, x: list[int]) -> list[list[str]]:
        """Each request's names."""
        drawn = iter(self.names.draw(sum(x)))
        return [[next(drawn) for _ in range(n)] for n in x]

    def unbatch(self, output: list[list[str]]) -> list[list[str]]:
        """As they are."""
        return output

    def encode_response(self, output: list[str]) -> dict[str, list[str]]:
        """The answer."""
        return {"names": output}


def main() -> None:
    api = NamesAPI(max_batch_size=BATCH, batch_timeout=BATCH_TIMEOUT_S)
    server = litserve.LitServer(api, accelerator="cpu", timeout=120)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False
    )


if __name__ == "__main__":
    main()
