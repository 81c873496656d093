#!/bin/sh
# Makes the golden torrents anew with the foreign tools, and says in golden.json what libtorrent and Transmission read
# in them. Needs mktorrent, transmission-cli and python3-libtorrent (Debian).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f "$here"/*.torrent
cd "$work"

/usr/bin/python3 - <<'PYTHON'
import os
def put(path, length):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(bytes((i * i + (i >> 8) + length) % 251 for i in range(length)))
put("single.bin", 100_000)
put("folder/a first.txt", 20_000)
put("folder/empty.dat", 0)
put("folder/naïve café.txt", 333)
put("folder/日本語/файл 🎉.bin", 70_001)
put("folder/deep/er/still/end.bin", 49_152)
PYTHON

mktorrent -d -l 15 -p -s SRC -c "a comment, naïve" -a http://one.test/announce,udp://two.test:6969/announce \
  -a https://three.test/announce -w http://seed.test/single.bin -o "$here/mktorrent_single.torrent" single.bin >&2
mktorrent -d -l 16 -a http://one.test/announce -w http://a.test/,http://b.test/ \
  -o "$here/mktorrent_folder.torrent" folder >&2
transmission-create -s 32 -c "by Transmission" -t http://one.test/announce -t udp://two.test:6969/announce \
  -o "$here/transmission_folder.torrent" folder >&2
transmission-create -s 64 -p -t http://one.test/announce -o "$here/transmission_single.torrent" single.bin >&2

HERE=$here /usr/bin/python3 - <<'PYTHON'
import json, os, subprocess
import libtorrent as lt
here = os.environ["HERE"]
def make(name, source, piece_size, flags=0, trackers=(), pads=False):
    files = lt.file_storage()
    lt.add_files(files, source, flags=flags)
    torrent = lt.create_torrent(files, piece_size, flags=flags)
    for tier, url in trackers:
        torrent.add_tracker(url, tier)
    torrent.set_comment("by libtorrent")
    lt.set_piece_hashes(torrent, ".")
    with open(os.path.join(here, name), "wb") as file:
        file.write(lt.bencode(torrent.generate()))
v1 = lt.create_torrent.v1_only
tiers = ((0, "http://one.test/announce"), (0, "udp://two.test:6969/announce"), (1, "https://three.test/announce"))
make("libtorrent_single.torrent", "single.bin", 16384, v1, tiers)
os.chmod("folder/a first.txt", 0o755)
make("libtorrent_folder.torrent", "folder", 49152, v1, tiers)
make("libtorrent_padded.torrent", "folder", 32768, v1 | lt.create_torrent.canonical_files)
os.symlink("a first.txt", "folder/link")
make("libtorrent_links.torrent", "folder", 32768, v1 | lt.create_torrent.symlinks)
os.remove("folder/link")
make("libtorrent_hybrid.torrent", "folder", 32768)
make("libtorrent_v2_only.torrent", "folder", 32768, lt.create_torrent.v2_only)

def read(name):
    path = os.path.join(here, name)
    info = lt.torrent_info(path)
    files = info.files()
    tiers = {}
    for tracker in info.trackers():
        tiers.setdefault(tracker.tier, []).append(tracker.url)
    names = lambda i: files.file_path(i).split("/")
    return {
        "infoHash": str(info.info_hashes().v1),
        "name": info.name(),
        "isMultiFile": files.num_files() > 1,
        "totalLength": info.total_size(),
        "pieceLength": info.piece_length(),
        "pieceCount": info.num_pieces(),
        "pieces": [info.hash_for_piece(i).hex() for i in range(info.num_pieces())],
        "files": [{
            "path": names(i),
            "length": files.file_size(i),
            "isPadding": bool(files.file_flags(i) & lt.file_storage.flag_pad_file),
            "isSymlink": bool(files.file_flags(i) & lt.file_storage.flag_symlink),
            "isExecutable": bool(files.file_flags(i) & lt.file_storage.flag_executable),
        } for i in range(files.num_files())],
        "announce": [sorted(tiers[tier]) for tier in sorted(tiers)],  # libtorrent shuffles a tier
        "webSeeds": sorted(seed["url"] for seed in info.web_seeds()),
        "isPrivate": info.priv(),
        "comment": info.comment(),
        "createdBy": info.creator(),
        "creationDate": info.creation_date(),
        "magnetByLibtorrent": lt.make_magnet_uri(info),
        "magnetByTransmission": subprocess.run(
            ["transmission-show", "-m", path], capture_output=True, text=True).stdout.strip(),
    }
golden = {name: read(name) for name in sorted(os.listdir(here))
          if name.endswith(".torrent") and name != "libtorrent_v2_only.torrent"}
with open(os.path.join(here, "golden.json"), "w") as file:
    json.dump(golden, file, indent=1, ensure_ascii=False, sort_keys=True)
    file.write("\n")
PYTHON
