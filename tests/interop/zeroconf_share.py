"""Another implementation of DNS-SD: `browse ADDRESS` prints the first share as JSON, `offer ADDRESS` is one until killed."""
import json
import socket
import sys
import time

from zeroconf import ServiceBrowser, ServiceInfo, Zeroconf

TYPE = "_localbt._tcp.local."
command, address = sys.argv[1:3]
zeroconf = Zeroconf(interfaces=[address])


class Listener:
    def __init__(self):
        self.names = []

    def add_service(self, _zeroconf, _type, name):
        self.names.append(name)

    update_service = remove_service = lambda *_: None


if command == "browse":
    listener = Listener()
    ServiceBrowser(zeroconf, TYPE, listener)
    end = time.monotonic() + 10
    while not listener.names and time.monotonic() < end:
        time.sleep(0.05)
    info = zeroconf.get_service_info(TYPE, listener.names[0], 5000)
    found = {key.decode(): value.decode() for key, value in info.properties.items()}
    addresses = [each for each in info.parsed_addresses() if ":" not in each]
    print(json.dumps({**found, "name": info.name, "port": info.port, "addresses": addresses}))
else:
    properties = {"v": "1", "n": "from python", "h": "snake", "ih": "ab" * 20, "s": "5", "f": "1", "p": "6881", "i": "0"}
    zeroconf.register_service(
        ServiceInfo(
            TYPE,
            "from.python." + TYPE,
            port=7777,
            addresses=[socket.inet_aton(address)],
            properties=properties,
            server="snake.local.",
        )
    )
    print("ready", flush=True)
    time.sleep(600)
zeroconf.close()
