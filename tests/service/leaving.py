"""A client that asks for much, is seen to be served, and goes away."""

import socket
from select import select

from tests.service.conftest import Service


def leave_under_way(service: Service, asked: str, probe: str) -> None:
    """Send `GET asked` to a service whose queue it fills, and leave before its answer.

    Args:
        asked: path and query of what takes every place of the queue, for long.
        probe: path and query of what is refused while it does.
    """
    sent = f"GET {asked} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(sent)
            # On a busy machine a probe is often first, more than once: then it asks again. An
            # answer tells that it was itself refused because of one, and begins anew.
            while not select([connection], [], [], 0)[0]:
                if service.client.get(probe).status_code == 503:
                    return
    raise AssertionError(f"{asked} was never seen under way")
