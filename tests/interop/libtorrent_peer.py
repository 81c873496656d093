#!/usr/bin/python3
"""A libtorrent peer for the interop tests: one torrent, plain TCP, no DHT, UPnP or uTP, PEX and LSD only where asked for.

usage: libtorrent_peer.py MODE TORRENT DIRECTORY ADDRESS [peer=HOST:PORT ...] [up=BYTES] [down=BYTES] [bench=1] [queue=BLOCKS] [lsd=1] [pex=1] [only=FILE]
TORRENT is a file or a magnet link. bench=1 sets it up for speed, and leaves out the alerts about peers; queue bounds what
one peer is asked for at once; only is the 0-based number of the one file that is wanted.
MODE is seed (the data is whole and not checked again) or download (what is there is checked first).

Prints, a line each: LISTENING PORT; FINISHED; HAVE BYTES FETCHED BYTES (on change, at most 10 a second); FAULT TEXT for
what the other side did wrong; DETAIL TEXT for other news of peers. SIGTERM ends it.
"""
import signal
import sys
import time

import libtorrent as lt

# Ends of a connection that say nothing about the other side's manners, by libtorrent's error numbers: session closing,
# torrent removed, timed out, both are seeds, nothing of interest, paused, aborted, itself, idle, duplicate, stopping, finished
HARMLESS = {0, 18, 35, 36, 37, 38, 40, 46, 47, 49, 50, 52, 79, 80, 90, 92, 94, 96, 97, 98}


def say(*words):
    print(*words, flush=True)


def is_harmless(error):
    """An error of the system (reset, refused, end of file) or one of HARMLESS; all others are breaches of the protocol."""
    return error.category().name() != "libtorrent" or error.value() in HARMLESS


def report(alert):
    """One line for an alert that is about a peer."""
    name = alert.what()
    if name in ("peer_error", "peer_disconnected"):
        say("DETAIL" if is_harmless(alert.error) else "FAULT", name, alert.message())
    elif name in ("invalid_request", "unwanted_block", "hash_failed", "peer_ban", "peer_blocked", "torrent_error",
                  "file_error", "request_dropped"):
        say("FAULT", name, alert.message())
    elif name in ("peer_snubbed", "block_timeout", "tracker_error", "tracker_warning", "listen_failed", "peer_connect"):
        say("DETAIL", name, alert.message())


def settings(address, limits):
    kinds = lt.alert.category_t
    return {
        "listen_interfaces": f"[{address}]:0" if ":" in address else f"{address}:0", "outgoing_interfaces": address,
        "enable_dht": False, "enable_lsd": "lsd" in limits, "enable_upnp": False, "enable_natpmp": False,
        "enable_incoming_utp": False, "enable_outgoing_utp": False,
        "in_enc_policy": 1, "out_enc_policy": 2, "allowed_enc_level": 1, "prefer_rc4": False,
        "allow_multiple_connections_per_ip": True, "rate_limit_ip_overhead": False, "mixed_mode_algorithm": 0,
        "upload_rate_limit": limits.get("up", 0), "download_rate_limit": limits.get("down", 0),
        "min_reconnect_time": 1, "connection_speed": 200, "aio_threads": 1, "hashing_threads": 1,
        "alert_mask": kinds.status_notification | kinds.error_notification | kinds.peer_notification
        | kinds.progress_notification | kinds.connect_notification | kinds.tracker_notification,
        "alert_queue_size": 100000,
    }


def make_fast(pack):
    """The settings that were the fastest on two cores."""
    pack.update({
        "aio_threads": 2, "hashing_threads": 1, "checking_mem_usage": 2048, "send_buffer_watermark": 2 << 20,
        "send_buffer_watermark_factor": 150, "send_buffer_low_watermark": 1 << 20, "max_out_request_queue": 2000,
        "max_queued_disk_bytes": 16 << 20, "send_socket_buffer_size": 1 << 20, "recv_socket_buffer_size": 1 << 20,
        "unchoke_slots_limit": -1, "connection_speed": 500, "max_peer_recv_buffer_size": 5 << 20,
        "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification,
    })


def main():
    mode, torrent, directory, address = sys.argv[1:5]
    peers, limits = [], {}
    for option in sys.argv[5:]:
        key, value = option.split("=", 1)
        if key == "peer":
            host, port = value.rsplit(":", 1)
            peers.append((host.strip("[]"), int(port)))
        else:
            limits[key] = int(value)
    pack = settings(address, limits)
    if limits.get("bench"):
        make_fast(pack)
    if limits.get("queue"):
        pack.update({"max_out_request_queue": limits["queue"], "request_queue_time": 1})
    session = lt.session(pack)
    # loopback peers are in a class without limits unless every address is put into the global one
    everyone = lt.ip_filter()
    everyone.add_rule("0.0.0.0", "255.255.255.255", 1)
    session.set_peer_class_filter(everyone)
    if torrent.startswith("magnet:"):
        params = lt.parse_magnet_uri(torrent)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
    params.save_path = directory
    flags = lt.torrent_flags
    params.flags = flags.update_subscribe | flags.disable_dht
    if "lsd" not in limits:
        params.flags |= flags.disable_lsd
    if "pex" not in limits:
        params.flags |= flags.disable_pex
    if mode == "seed":
        params.flags |= flags.seed_mode
    if "only" in limits:
        params.file_priorities = [4 if i == limits["only"] else 0 for i in range(params.ti.num_files())]
    handle = session.add_torrent(params)
    run(session, handle, peers)


def run(session, handle, peers):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    have, dialled = (), 0.0
    while not stopping:
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.listen_succeeded_alert) and "tcp" in alert.message().lower():
                say("LISTENING", alert.port)
            elif isinstance(alert, lt.torrent_finished_alert):
                status = handle.status()
                say("HAVE", status.total_done, "FETCHED", status.total_payload_download)
                say("FINISHED")
            else:
                report(alert)
        status = handle.status()
        if (status.total_done, status.total_payload_download) != have:
            have = (status.total_done, status.total_payload_download)
            say("HAVE", have[0], "FETCHED", have[1])
        if peers and status.num_peers == 0 and time.monotonic() - dialled > 0.5:
            dialled = time.monotonic()
            for peer in peers:
                handle.connect_peer(peer)
    session.remove_torrent(handle)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        session.wait_for_alert(100)
        if any(isinstance(alert, lt.torrent_removed_alert) for alert in session.pop_alerts()):
            break


main()
