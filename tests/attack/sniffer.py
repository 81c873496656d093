"""Writes every byte that passes loopback of its network namespace to a file, until it is killed; says "ready" first."""
import socket
import sys

sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024 * 1024)
sniffer.bind(("lo", 0))
with open(sys.argv[1], "wb", buffering=0) as file:
    print("ready", flush=True)
    while True:
        file.write(sniffer.recv(262144))
