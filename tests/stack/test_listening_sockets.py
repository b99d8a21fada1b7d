"""Nothing listens on other than loopback, and nothing answers without a password."""

import socket
import urllib.error
import urllib.request

import amqp
import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

LOOPBACK = {"127.0.0.1", "::1"}
SERVER_PORTS = ("mongo", "s3", "amqp", "dist", "epmd")


def listening(stack):
    pids = set()
    for pid in stack.pids.values():
        process = psutil.Process(pid)
        pids |= {pid, *(child.pid for child in process.children(recursive=True))}
    return [
        c.laddr
        for c in psutil.net_connections("inet")
        if c.pid in pids and c.status == psutil.CONN_LISTEN
    ]


def test_servers_listen_on_loopback_only(servers):
    addresses = listening(servers)
    assert {a.port for a in addresses} == {servers.ports[name] for name in SERVER_PORTS}
    assert {a.ip for a in addresses} <= LOOPBACK


def test_no_unix_socket_of_the_database_is_left_open(servers):
    paths = {c.laddr for c in psutil.net_connections("unix") if c.pid == servers.pids["mongo"]}
    assert not any("mongodb" in str(path) for path in paths)


def test_database_refuses_who_brings_no_password(servers):
    with MongoClient(f"mongodb://127.0.0.1:{servers.ports['mongo']}/?directConnection=true") as c:
        with pytest.raises(OperationFailure):
            c.proctor.persons.find_one()
        with pytest.raises(OperationFailure):  # the localhost exception ended with the first user
            c.admin.command({"createUser": "mallory", "pwd": "x", "roles": ["root"]})


def test_object_store_refuses_unsigned_requests(servers):
    base = f"http://127.0.0.1:{servers.ports['s3']}"
    for path in ("/", "/hidden", "/hidden/x", "/metrics", "/debug/pprof/"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(base + path, timeout=5)  # noqa: S310 - our own server
        assert refused.value.code == 403
        refused.value.close()


@pytest.mark.parametrize(
    ("user", "password"), [("guest", "guest"), ("admin", ""), ("control", "control")]
)
def test_broker_refuses_wrong_passwords(servers, user, password):
    connection = amqp.Connection(f"127.0.0.1:{servers.ports['amqp']}", user, password)
    with pytest.raises((amqp.AccessRefused, OSError)):
        connection.connect()
    connection.close()


def test_distribution_port_challenges_with_the_cookie(servers):
    """A node that claims a name is challenged; without the cookie it gets no further."""
    name = b"mallory@localhost"
    flags = (0x4 | 0x100 | 0x80 | 0x200 | 0x10 | 0x10000 | 0x40000 | 0x1000000).to_bytes(8, "big")
    hello = b"N" + flags + b"\0\0\0\1" + len(name).to_bytes(2, "big") + name
    with socket.create_connection(("127.0.0.1", servers.ports["dist"]), timeout=5) as peer:
        peer.sendall(len(hello).to_bytes(2, "big") + hello)
        answer = peer.recv(1024)
        if b"ok" in answer:
            reply = b"r" + b"\0\0\0\1" + bytes(16)  # a digest that knows no cookie
            peer.sendall(len(reply).to_bytes(2, "big") + reply)
            rest = peer.recv(1024)
            while rest and rest[2:3] != b"a":
                rest = peer.recv(1024)
            assert rest == b"", "the node accepted a peer that does not know the cookie"


def test_port_mapper_tells_names_and_nothing_else(servers):
    """The one exception: Erlang's port mapper knows no passwords; it tells our node's name."""
    with socket.create_connection(("127.0.0.1", servers.ports["epmd"]), timeout=5) as peer:
        peer.sendall(b"\x00\x01n")
        # The mapper sends its port and the names apart, and closes when all is told.
        told = b"".join(iter(lambda: peer.recv(1024), b""))
    assert told[4:].startswith(b"name proctor-")
    assert len(told[4:].splitlines()) == 1
