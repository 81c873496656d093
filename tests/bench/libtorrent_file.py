#!/usr/bin/python3
"""What libtorrent does with files, for the bench.

usage: libtorrent_file.py create SOURCE PIECE_LENGTH OUTPUT ANNOUNCE
       libtorrent_file.py verify TORRENT DIRECTORY (exit 4 when a piece is missing or wrong)
"""
import os
import sys
import time

import libtorrent as lt


def create(source, piece_length, output, announce):
    files = lt.file_storage()
    lt.add_files(files, source)
    torrent = lt.create_torrent(files, int(piece_length), lt.create_torrent.v1_only)
    torrent.add_tracker(announce)
    lt.set_piece_hashes(torrent, os.path.dirname(source))
    with open(output, "wb") as file:
        file.write(lt.bencode(torrent.generate()))


def verify(torrent, directory):
    session = lt.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "hashing_threads": 2, "alert_mask": lt.alert.category_t.status_notification,
    })
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = directory
    params.flags = lt.torrent_flags.stop_when_ready
    handle = session.add_torrent(params)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        session.wait_for_alert(50)
        if any(isinstance(alert, lt.torrent_checked_alert) for alert in session.pop_alerts()):
            status = handle.status()
            sys.exit(0 if status.total_wanted_done == status.total_wanted else 4)
    sys.exit(1)


{"create": create, "verify": verify}[sys.argv[1]](*sys.argv[2:])
